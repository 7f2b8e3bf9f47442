"""Which file it is, without reading it: path, size and time of the last change."""

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from eidophone.core.errors import BadInput


@dataclass(frozen=True)
class FileId:
    """A file as it is now; it differs from an earlier one if the file has changed since.

    Attributes:
        path: Of the file, links resolved.
        size: In bytes.
        changed_ns: Time of the last change, in nanoseconds since 1970.
        inode: Number of the file on its disk.
    """

    path: str
    size: int
    changed_ns: int
    inode: int


def file_id(path: Path) -> FileId:
    """The identity of a plain file.

    Raises:
        BadInput: it is missing, cannot be read, or is no plain file (a folder, a pipe, a device).
    """
    try:
        facts = path.stat()
    except FileNotFoundError:
        how = "is a link to a file that is missing" if path.is_symlink() else "is missing"
        raise BadInput(f"{path}: {how}; fetch the model again.") from None
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}); check its permissions.") from error
    except ValueError as error:
        raise BadInput(f"{path}: contains a character that no file name can hold; check the path.") from error
    if not stat.S_ISREG(facts.st_mode):
        raise BadInput(f"{path}: is not a plain file; fetch the model again.")
    return FileId(os.path.realpath(path), facts.st_size, facts.st_mtime_ns, facts.st_ino)


def file_ids(paths: Iterable[Path]) -> tuple[FileId, ...]:
    """The identities of several files; see `file_id`."""
    return tuple(file_id(path) for path in paths)
