"""Fetch public packages by name from PyPI, npm and Debian, check them, unpack them.

Every archive is checked against a SHA-256 recorded in checksums.toml before a byte of it is used. An archive
that is not recorded yet is used all the same, and the line to record is printed. Nothing is installed. (pip
may run the metadata step of a source archive; wheels are only unpacked.)
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

HERE = Path(__file__).parent
CACHE = HERE / "cache"
CHECKSUMS = HERE / "checksums.toml"


class FetchError(RuntimeError):
    """A package could not be had, or is not the one that was recorded."""


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
    """Folder of a Debian package's files, in the version this machine's apt offers."""

    def download(into: Path) -> None:
        # Root's apt hands a download to another user, who cannot write into a temporary folder.
        run(["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", name], cwd=into)

    return obtain("debian", name, download)


def obtain(registry: str, wanted: str, download: Callable[[Path], None]) -> Path:
    """Unpacked folder of one package: the cached one, or a fresh one that passed its check."""
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
                f"{registry} {wanted}: expected one archive; got {sorted(f.name for f in found)}"
            )
        check(registry, wanted, found[0])
        unpack(found[0], fresh)
        if not folder.is_dir():  # another process may have been quicker
            fresh.rename(folder)
    return folder


def check(registry: str, wanted: str, archive: Path) -> None:
    """Compares an archive with the recorded checksum; prints the line to add when there is none."""
    recorded = tomllib.loads(CHECKSUMS.read_text()).get(registry, {}).get(wanted)
    got = sha256(archive)
    if recorded is None:
        print(f'Not in {CHECKSUMS.name} yet; under [{registry}] add\n"{wanted}" = "{got}"', file=sys.stderr)
    elif recorded != got:
        raise FetchError(
            f"{registry} {wanted}: {archive.name} has sha256 {got}, but {CHECKSUMS.name} records {recorded}. "
            "The registry offers another file than the one that was checked; look at it before changing that."
        )


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
    """Runs a client quietly; its own words become the error when it fails."""
    if shutil.which(command[0]) is None:
        raise FetchError(f"{command[0]} is needed to fetch this and is not installed.")
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, "NO_COLOR": "1"}, capture_output=True, text=True
    )
    if done.returncode:
        raise FetchError(f"{' '.join(command)} failed:\n{(done.stderr or done.stdout).strip()}")
