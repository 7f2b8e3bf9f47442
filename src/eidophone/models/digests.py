"""Checksums of weights: of those that ship with the package, and of downloaded ones.

`python -m eidophone.models.digests` writes them again after the weights have changed.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path

from eidophone.core.errors import BadInput
from eidophone.models.cards import package_folder

SHIPPED = "tiny"
DIGESTS_FILE = "digests.json"
#: The folder of a hub's cache that holds its files; large ones are named by their SHA-256.
_BLOBS, _DIGEST = "blobs", re.compile("[0-9a-f]{64}")


def digests_of(root: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder, by its path there."""
    files = sorted(path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(root).as_posix(): _sha256(path) for path in files}


def pinned() -> dict[str, str]:
    """SHA-256 of every shipped file, by its path below `models/tiny`."""
    found: dict[str, str] = json.loads(package_folder(DIGESTS_FILE).read_text(encoding="utf-8"))
    return found


def check_shipped(folder: Path, root: Path | None = None) -> None:
    """Compares the files in a shipped model's folder with their pinned checksums.

    Args:
        folder: Of the model, below `root`.
        root: Of all shipped weights; by default where the package is.

    Raises:
        BadInput: a file differs or is missing; the message names it.
    """
    root = (root or package_folder(SHIPPED)).resolve()
    inside = folder.resolve().relative_to(root).as_posix()
    for name, digest in pinned().items():
        if not name.startswith(f"{inside}/"):
            continue
        file = root / name
        if not file.is_file():
            raise BadInput(f"{file}: is missing; reinstall the package.")
        if _sha256(file) != digest:
            raise BadInput(f"{file}: differs from the file that this version ships; reinstall the package.")


def check_downloaded(paths: Iterable[Path]) -> None:
    """Compares files in a hub's cache with their checksums, which are their names there.

    Small files have names of another kind, and so has every file outside such a cache; they pass.

    Raises:
        BadInput: a file is not the one that was downloaded; the message names it.
    """
    for path in paths:
        blob = path.resolve()
        if blob.parent.name == _BLOBS and _DIGEST.fullmatch(blob.name) and _sha256(blob) != blob.name:
            raise BadInput(
                f"{path}: differs from the file that the hub has; delete {blob} and fetch the model again."
            )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write() -> Path:
    """Writes the checksums of the weights as they are now; returns the file."""
    target = package_folder(DIGESTS_FILE)
    draft = target.with_suffix(".part")
    draft.write_text(json.dumps(digests_of(package_folder(SHIPPED)), indent=1) + "\n", encoding="utf-8")
    return draft.replace(target)


if __name__ == "__main__":
    print(write())
