"""What to say when something fails that no other place foresaw."""

import errno
import platform
import sys
import tempfile
import time
import traceback
from pathlib import Path

from eidophone.version import VERSION


def explain(error: Exception) -> tuple[int, str]:
    """The exit code and one sentence for a failure.

    What the system refused (memory, disk, permissions) is named with its remedy. Anything else is a fault of this
    program: its details go to a log file.
    """
    if _is_out_of_memory(error):
        return 2, "Out of memory; use a smaller --width, --batch-size 1 or --dtype bfloat16."
    if isinstance(error, OSError) and error.errno is not None:
        where = f"{error.filename}: " if error.filename else ""
        return 2, f"{where}{(error.strerror or str(error)).lower()}; {_remedy(error.errno)}."
    if isinstance(error, RecursionError):
        return 2, "An input is nested too deeply; use another file."
    log = _log(error)
    kept = f"the details are in {log}; please report it with that file" if log else "please report it"
    return 3, f"Unexpected failure ({type(error).__name__}: {_first_line(error)}); {kept}."


def _is_out_of_memory(error: Exception) -> bool:
    if "torch" not in sys.modules:  # only its errors need more than a look at their class
        return isinstance(error, MemoryError)
    from eidophone.models.device import out_of_memory

    return out_of_memory(error)


def _remedy(number: int) -> str:
    if number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "free some disk space, or choose another place"
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "check the permissions, or choose another place"
    if number == errno.ENAMETOOLONG:
        return "use a shorter name"
    return "check the path, or choose another place"


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else ""


def _log(error: Exception) -> Path | None:
    """Writes the traceback and versions to a new file; None if even that fails."""
    # not platform.platform(), which starts the program `uname`
    machine = f"{platform.system()} {platform.release()} {platform.machine()}"
    facts = [
        time.strftime("%Y-%m-%d %H:%M:%S"),
        f"eidophone {VERSION}, Python {platform.python_version()}, {machine}",
        f"arguments: {sys.argv[1:]!r}",
        "".join(traceback.format_exception(error)),
    ]
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="eidophone-failure-", suffix=".log", delete=False, encoding="utf-8", errors="replace"
        ) as file:
            file.write("\n".join(facts))
        return Path(file.name)
    except OSError:
        return None
