"""`python -m tests.fuzz.system`: full disks, four processes at once, and what results say of their maker.

Prints JSON: for each check, what did not hold. Every verb that writes is run.
"""

import ctypes
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.fuzz.crash import LONGEST_S
from tests.fuzz.materials import make_materials
from tests.fuzz.personal import traces
from tests.fuzz.runs import Run, commands, contents, differences, start, wait

PROCESSES = 4
#: The user of these runs, in every path and in the environment.
USER = "zebediah-quux"
#: The name of their machine, where it can be set.
HOST = "quux-workstation"
_NEW_MOUNTS, _NEW_NAME = 0x00020000, 0x04000000
_BUSY = ("Another process is", "already holds", "holds an unfinished", "is not an empty folder")
#: Commands of several parts, each in a folder of its own: processes share the work, and none may do all of it.
_SHARED = ("paint", "batch")
_FULL = ("disk is full", "free some", "larger than this system allows", "no space left")


class Checks:
    """The runs, and what each of them writes when nothing disturbs it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.good = make_materials(root / "good")
        self.runs = commands(self.good, root)
        self.whole: dict[str, Path] = {}
        for verb, run in self.runs.items():
            out = root / "whole" / verb.replace(" ", "-")
            code, said = self._ended(
                start([*run.arguments, *_more(verb), "--out", str(out)], self._log(verb)), verb
            )
            if code != 0:
                raise SystemExit(f"{verb}: the undisturbed run ends with {code}: {said}")
            self.whole[verb] = out

    def _log(self, name: str) -> Path:
        return self.root / f"{name.replace(' ', '-')}.log"

    def _ended(self, child: int, name: str) -> tuple[int | None, str]:
        code = wait(child, LONGEST_S)
        said = self._log(name).read_text(errors="replace")
        self._log(name).write_text("")
        return code, said

    # --- a full disk ---------------------------------------------------------------------------------

    def full_disks(self) -> list[str] | None:
        """Every verb on a file system with half the room that it needs, and again with enough; None: no rights."""
        place = self.root / "small"
        place.mkdir()
        if not _mounted(place, 1 << 20):
            return None
        _unmount(place)
        return [f"{verb}: {wrong}" for verb in self.runs for wrong in self._full_disk(verb, place)]

    def _full_disk(self, verb: str, place: Path) -> Iterator[str]:
        run, needed = self.runs[verb], sum(path.stat().st_size for path in self.whole[verb].rglob("*"))
        _mounted(place, needed // 2)
        out = place / "out"
        try:
            arguments = [*run.arguments, *_more(verb), "--out", str(out)]
            code, said = self._ended(start(arguments, self._log(verb)), verb)
            yield from _refused(code, said, _FULL)
            yield from self._whole_or_nothing(verb, out)
            _mounted(place, 64 << 20, again=True)
            code, said = self._ended(start([*arguments, *run.resume], self._log(verb)), verb)
            yield from self._as_undisturbed(verb, out, code, said)
        finally:
            _unmount(place)

    def small_files(self) -> list[str]:
        """The same with a limit on the size of a file, which needs no rights."""
        wrong = []
        for verb, run in self.runs.items():
            largest = max(path.stat().st_size for path in self.whole[verb].rglob("*"))
            out = self.root / "limited" / verb.replace(" ", "-")

            def _limit(most: int = largest // 2) -> None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

            arguments = [*run.arguments, *_more(verb), "--out", str(out)]
            code, said = self._ended(start(arguments, self._log(verb), _limit), verb)
            wrong += [f"{verb}: {each}" for each in _refused(code, said, _FULL)]
            wrong += [f"{verb}: {each}" for each in self._whole_or_nothing(verb, out)]
        return wrong

    def _whole_or_nothing(self, verb: str, out: Path) -> Iterator[str]:
        """Files that are there are those of the undisturbed run; a journal may be shorter."""
        here, whole = contents(out) if out.is_dir() else {}, contents(self.whole[verb])
        for name in differences(here, whole):
            kept = verb == "distill" and "unfinished" in name
            begun = verb in ("evaluate", "batch") and Path(name).name in (
                "samples.jsonl",
                "failures.json",
                "rows.csv",
            )
            begun = begun or Path(name).name.startswith(("manifest.", "contact-sheet"))
            if name in here and not (kept or begun):
                yield f"half-written: {name}"

    def _as_undisturbed(self, verb: str, out: Path, code: int | None, said: str) -> Iterator[str]:
        if code != 0:
            yield f"with room again: exit {code}, said {said[-400:]!r}"
        elif found := differences(contents(out), contents(self.whole[verb])):
            yield f"with room again: differ {found}"

    # --- several processes ---------------------------------------------------------------------------

    def together(self) -> list[str]:
        """Four processes with the same command into one folder."""
        return [f"{verb}: {wrong}" for verb, run in self.runs.items() for wrong in self._together(verb, run)]

    def _together(self, verb: str, run: Run) -> Iterator[str]:
        out = self.root / "shared" / verb.replace(" ", "-")
        names = [f"{verb}-{number}" for number in range(PROCESSES)]
        arguments = [*run.arguments, *_more(verb), "--out", str(out)]
        children = [start(arguments, self._log(name)) for name in names]
        ended = [self._ended(child, name) for child, name in zip(children, names, strict=True)]
        for code, said in ended:
            if code != 0:
                yield from _refused(code, said, _BUSY)
        if verb not in _SHARED and not any(code == 0 for code, _ in ended):
            yield f"none of {PROCESSES} processes succeeds: {ended}"
            return
        found = differences(contents(out), contents(self.whole[verb]))
        found = [name for name in found if not name.startswith(("failures.", "manifest."))]
        if found:
            yield f"differ {found}, exit codes {[code for code, _ in ended]}"

    # --- privacy -------------------------------------------------------------------------------------

    def personal(self) -> list[str]:
        """Files that name the user, the machine or a folder, in whatever they are packed."""
        whole = self.root / "whole"
        program = [sys.executable, "-m", "tests.fuzz.shared", str(self.whole["compose"])]
        subprocess.run(
            [*program, str(self.good.image), str(self.good.audio), str(whole / "shared")], check=True
        )
        secrets = [USER, str(self.root), socket.gethostname(), str(Path.home())]
        secrets = [
            each for each in dict.fromkeys(secrets) if len(each) > 4 and each not in ("/root", "localhost")
        ]
        return [
            f"{path.relative_to(self.root)}: {found}"
            for path in sorted(whole.rglob("*")) if path.is_file()
            for found in traces(path, secrets)
        ]  # fmt: skip


def _more(verb: str) -> list[str]:
    """Second sound files of every format, so that these are looked at too."""
    formats = {"hear": "flac", "see": "mp3", "compose": "opus"}
    return ["--sound-format", formats[verb], "--keep-arrays"] if verb in formats else []


def _refused(code: int | None, said: str, words: tuple[str, ...]) -> Iterator[str]:
    lines = [line for line in said.splitlines() if line.startswith("eidophone: ")]
    if code not in (1, 2):
        yield f"exit {code}, said {said[-400:]!r}"
    elif not any(word in said.lower() or word in said for word in words):
        yield f"exit {code} without the reason: {said[-400:]!r}"
    if "Traceback" in said or not lines:
        yield f"no sentence: {said[-400:]!r}"


def _mounted(place: Path, size: int, *, again: bool = False) -> bool:
    how = f"{'remount,' if again else ''}size={max(size, 4096)}"
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", how, "tmpfs", str(place)], capture_output=True, check=False
    )
    return done.returncode == 0


def _unmount(place: Path) -> None:
    subprocess.run(["umount", str(place)], capture_output=True, check=False)


def _own_machine() -> None:
    """Mounts that nobody else sees, and a name that can be looked for; as far as this system allows it."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_MOUNTS | _NEW_NAME) == 0:
        subprocess.run(["mount", "--make-rprivate", "/"], capture_output=True, check=False)
        libc.sethostname(HOST.encode(), len(HOST))


def main() -> int:
    """Prints what did not hold, as JSON."""
    _own_machine()
    with tempfile.TemporaryDirectory(prefix="eidophone-system-") as folder:
        root = Path(folder).resolve() / USER
        root.mkdir()
        os.environ |= {"USER": USER, "LOGNAME": USER, "HOME": str(root)}
        os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)  # for programs in another folder
        os.chdir(root)
        checks = Checks(root)
        found = {
            name: getattr(checks, name)() for name in sys.argv[1:] or ("personal", "together", "full_disks")
        }
        if found.get("full_disks", []) is None:
            found["small_files"] = checks.small_files()
        print(json.dumps(found, indent=2))
        wrong = any(found.values())
        shutil.rmtree(root, ignore_errors=True)
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
