"""Files on disk: written whole or not at all, named safely, known by their checksum."""

import errno
import hashlib
import re
import secrets
import unicodedata
from collections.abc import Callable
from pathlib import Path

from eidophone.core.errors import BadInput, CannotWrite

LONGEST_SLUG = 40
RESERVED_BY_WINDOWS = re.compile(r"con|prn|aux|nul|(com|lpt)\d")

CHOOSE_ANOTHER_PLACE = "choose another place to write to"
REASONS = {
    errno.ENOSPC: ("the disk is full", "free some space or choose another disk"),
    errno.EDQUOT: ("your share of the disk is used up", "free some space or choose another disk"),
    errno.EFBIG: ("the file would be larger than is allowed here", "make it shorter or choose another disk"),
    errno.EACCES: ("you may not write there", CHOOSE_ANOTHER_PLACE),
    errno.EPERM: ("you may not write there", CHOOSE_ANOTHER_PLACE),
    errno.EROFS: ("the disk is read-only", CHOOSE_ANOTHER_PLACE),
    errno.ENOTDIR: ("a part of the path is a file, not a folder", CHOOSE_ANOTHER_PLACE),
    errno.EEXIST: ("a part of the path is a file, not a folder", CHOOSE_ANOTHER_PLACE),
    errno.EISDIR: ("a folder of that name is in the way", "choose another name"),
    errno.ENAMETOOLONG: ("the name is too long", "choose a shorter name"),
}


def write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Calls `write` with a temporary name beside `path`, then renames: readers see all of it or nothing.

    The temporary name keeps the suffix, so an encoder that goes by the name picks the right format.
    Missing parent folders are made. An existing file is replaced. If anything goes wrong, Ctrl-C
    included, the temporary file is removed and what was at `path` before is untouched.

    Raises:
        CannotWrite: Whatever the operating system said no to, in plain words.
    """
    draft = path.with_name(f".part-{secrets.token_hex(6)}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(draft)
        draft.replace(path)
    except OSError as error:
        _remove(draft)
        raise cannot_write(path, error) from error
    except BaseException:
        _remove(draft)
        raise


def write_text(path: Path, text: str) -> None:
    """Writes text as UTF-8, the whole or nothing.

    Raises:
        CannotWrite: As `write_atomically`.
    """

    def _write(draft: Path) -> None:
        draft.write_text(text, encoding="utf-8")

    write_atomically(path, _write)


def slug(text: str) -> str:
    """A short name for a folder made of a to z, 0 to 9 and dashes; never empty, the same for the same text.

    Accents are dropped. A text without a single Latin letter or digit gets eight digits of its checksum.

    >>> slug("Castle towers, café & bells!")
    'castle-towers-cafe-bells'
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    words = re.findall(r"[a-z0-9]+", plain)
    if not words:
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    name = "-".join(words)
    if len(name) > LONGEST_SLUG:
        cut = name[: LONGEST_SLUG + 1]
        name = cut.rpartition("-")[0] or cut[:LONGEST_SLUG]
    return f"{name}-0" if RESERVED_BY_WINDOWS.fullmatch(name) else name


def sha256(path: Path) -> str:
    """Checksum of a file's content, 64 hexadecimal digits; read in blocks.

    Raises:
        BadInput: The file is not there or cannot be read.
    """
    check_readable(path, "a file")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_readable(path: Path, kind: str) -> None:
    """Refuses what no decoder needs to see: nothing there, a folder, an empty file, one we may not open.

    Args:
        path: The file to look at.
        kind: What it should have been, with its article: "a sound".

    Raises:
        BadInput: Says which of these it is.
    """
    try:
        if path.is_dir():
            raise BadInput(f"{path} is a folder, not {kind}; name one file in it.")
        if path.exists() and not path.is_file():
            raise BadInput(f"{path} is a device or a pipe, not {kind}; name a file.")
        with path.open("rb") as file:
            empty = not file.read(1)
    except FileNotFoundError as error:
        raise BadInput(f"{path} does not exist; check the path.") from error
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} cannot be opened ({error}); check the path and its permissions.") from error
    if empty:
        raise BadInput(f"{path} is empty (0 bytes); copy or download it again.")


def _remove(draft: Path) -> None:
    try:
        draft.unlink(missing_ok=True)
    except OSError:
        # Its folder is not one, or was never made: then there is nothing to remove.
        return


def cannot_write(path: Path, error: OSError) -> CannotWrite:
    """What to tell the user when the operating system refused to write `path`."""
    reason, remedy = REASONS.get(error.errno or 0, (error.strerror or str(error), CHOOSE_ANOTHER_PLACE))
    return CannotWrite(f"Cannot write {path}: {reason}; {remedy}.")
