"""Fetches public packages from PyPI, npm and Debian, checks them and unpacks them. Nothing is installed.

Every archive is compared with the SHA-256 in checksums.toml before it is used. An archive without an entry is
refused, and the error shows the entry to add. (pip may run the metadata step of a source archive; wheels are
only unpacked.)

Debian replaces a package by its next version and offers the old one no more. So its entries also have a
checksum of the files that training reads. A newer version is used if those files are the same; otherwise the
error says how to get the old version.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from training.config import TrainingError

HERE = Path(__file__).parent
CACHE = HERE.parent / "cache"
CHECKSUMS = HERE / "checksums.toml"


class FetchError(TrainingError):
    """A package cannot be fetched, or differs from the recorded one."""


def sha256(file: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def npm(name: str, version: str) -> Path:
    """Folder of an npm package's files (what is under `package/` in the archive)."""

    def download(into: Path) -> None:
        run(
            [
                "npm",
                "pack",
                f"{name}@{version}",
                "--silent",
                "--ignore-scripts",
                "--pack-destination",
                str(into),
            ]
        )

    return obtain("npm", f"{name}@{version}", download) / "package"


def pypi(name: str, version: str) -> Path:
    """Folder of a PyPI wheel's or source archive's files, without its dependencies."""

    def download(into: Path) -> None:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        run([*pip, "--no-deps", "--dest", str(into), f"{name}=={version}"])

    return obtain("pypi", f"{name}@{version}", download)


def debian(name: str) -> Path:
    """Folder of a Debian package's files: the recorded version, or one with the same content (see above)."""

    def download(into: Path) -> None:
        # Root's apt hands a download to another user, who cannot write into a temporary folder.
        run(["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", name], cwd=into)

    return obtain("debian", name, download)


def obtain(registry: str, wanted: str, download: Callable[[Path], None]) -> Path:
    """Unpacked folder of one package: from the cache, or fetched and checked now."""
    folder = CACHE / registry / wanted.replace("/", "+")
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".fetching-") as work:
        archives, fresh = Path(work) / "archives", Path(work) / "files"
        archives.mkdir()
        download(archives)
        found = list(archives.iterdir())
        if len(found) != 1:
            raise FetchError(
                f"{registry} {wanted}: one archive was expected, not {sorted(f.name for f in found)}."
            )
        same = check(registry, wanted, found[0])
        unpack(found[0], fresh)
        if not same:
            check_content(wanted, found[0], fresh)
        if not folder.is_dir():  # another process may have been quicker
            fresh.rename(folder)
    return folder


def recorded(registry: str, wanted: str) -> dict[str, str]:
    """A package's entry in checksums.toml: `sha256`; for Debian also `version`, `files` and `content`."""
    entry = tomllib.loads(CHECKSUMS.read_text(encoding="utf-8")).get(registry, {}).get(wanted, {})
    return {"sha256": entry} if isinstance(entry, str) else dict(entry)


def check(registry: str, wanted: str, archive: Path) -> bool:
    """Whether an archive is the recorded one; False asks for a check of its content.

    Raises:
        FetchError: it has no entry, or it differs and has no checksum of its content.
    """
    entry, got = recorded(registry, wanted), sha256(archive)
    if not entry:
        raise FetchError(
            f"{registry} {wanted} is not in {CHECKSUMS.name}. If you trust {archive.name}, add this under "
            f'[{registry}]: "{wanted}" = "{got}"'
        )
    if got != entry["sha256"] and "content" not in entry:
        raise FetchError(
            f"{registry} {wanted}: {archive.name} has the SHA-256 {got}, but {CHECKSUMS.name} records "
            f"{entry['sha256']}. The registry offers another file than the checked one. Find out why "
            "before you change the entry."
        )
    return got == entry["sha256"]


def check_content(wanted: str, archive: Path, folder: Path) -> None:
    """Compares the files of a newer Debian version that training reads with the recorded ones.

    Raises:
        FetchError: they differ.
    """
    entry = recorded("debian", wanted)
    if (got := content(folder / entry["files"])) != entry["content"]:
        name = f"{wanted} {entry['version']}"
        raise FetchError(
            f"Debian offers {archive.name}, but its files in {entry['files']} differ from those of {name}, "
            f"the checked version. Download {name} from snapshot.debian.org and unpack it with `dpkg -x "
            f"FILE.deb {CACHE / 'debian' / wanted}`. If the new files are as good, record this content: {got}"
        )
    print(
        f"{archive.name} instead of {entry['version']}: the files that are used are the same", file=sys.stderr
    )


def content(folder: Path) -> str:
    """SHA-256 of all files below a folder and their names; links count as what they point to."""
    lines = [
        f"{sha256(file)} {file.relative_to(folder).as_posix()}\n"
        for file in sorted(folder.rglob("*"), key=lambda file: file.relative_to(folder).as_posix())
        if file.is_file()
    ]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def unpack(archive: Path, folder: Path) -> None:
    """Unpacks a .whl, .zip, .tgz, .tar.* or .deb into a new folder."""
    folder.mkdir()
    if archive.suffix == ".deb":
        run(["dpkg", "-x", str(archive), str(folder)])
    elif archive.suffix in {".whl", ".zip"}:
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(folder)
    else:
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="data")


def run(command: Sequence[str], cwd: Path | None = None) -> None:
    """Runs a client quietly; if it fails, what it printed becomes the error."""
    if shutil.which(command[0]) is None:
        raise FetchError(
            f"{command[0]} is needed to fetch this and is not installed. Install it and run again."
        )
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, "NO_COLOR": "1"}, capture_output=True, text=True
    )
    if done.returncode:
        raise FetchError(f"{' '.join(command)} failed:\n{(done.stderr or done.stdout).strip()}")
