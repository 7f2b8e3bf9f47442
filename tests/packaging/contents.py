"""Compares built distributions with what git tracks.

python -m tests.packaging.contents dist/
"""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: Tracked, but of no use in a distribution.
LEFT_OUT = {".gitignore"}


def tracked() -> set[str]:
    """Paths of the files that git tracks and that exist."""
    names = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split("\0")
    return {name for name in names if name and (ROOT / name).is_file()} - LEFT_OUT


def missing_from_sdist(sdist: Path) -> set[str]:
    """Tracked files that the source distribution lacks."""
    with tarfile.open(sdist) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    return tracked() - inside


def missing_from_wheel(wheel: Path) -> set[str]:
    """Tracked files of the package that the wheel lacks."""
    inside = set(zipfile.ZipFile(wheel).namelist())
    package = {name.removeprefix("src/") for name in tracked() if name.startswith("src/")}
    return package - inside


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    lost = {
        *missing_from_sdist(next(folder.glob("*.tar.gz"))),
        *missing_from_wheel(next(folder.glob("*.whl"))),
    }
    for name in sorted(lost):
        print(f"missing: {name}")
    sys.exit(bool(lost))
