"""One process at a time writes into a folder."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from eidophone.core.errors import CannotWrite
from eidophone.media.files import cannot_write, remove_drafts

LOCK_FILE = ".eidophone-lock"


@contextlib.contextmanager
def folder_lock(folder: Path, busy: str, wait_s: float = 0) -> Iterator[None]:
    """Holds the lock of a folder, which is made if it is missing. Removes what killed runs left there.

    The lock goes with the process, however it ends; the file `.eidophone-lock` stays.

    Args:
        folder: Where this process is going to write.
        busy: What another process is doing if it holds the lock, such as "evaluating into DIR".
        wait_s: How many seconds to wait for another process that holds the lock.

    Raises:
        CannotWrite: another process holds the lock, or the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / LOCK_FILE)
        lock.acquire(timeout=wait_s)
    except Timeout:
        raise CannotWrite(f"Another process is {busy}; wait for it, or choose another --out.") from None
    except OSError as error:
        raise cannot_write(folder, error) from error
    except ValueError as error:
        raise CannotWrite(f"Cannot write {folder}: {error}; choose another --out.") from error
    try:
        remove_drafts(folder)
        yield
    finally:
        lock.release()
