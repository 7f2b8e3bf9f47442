"""Files on disk: written whole or not at all, named safely, opened only if they are plain files."""

import errno
import hashlib
import os
import re
import secrets
import shutil
import stat
import unicodedata
from collections.abc import Callable
from pathlib import Path

from eidophone.core.errors import BadInput, CannotWrite

LONGEST_SLUG = 40
RESERVED_BY_WINDOWS = re.compile(r"con|prn|aux|nul|(com|lpt)\d")

CHOOSE_ANOTHER_PLACE = "choose another place to write to"
FREE_SPACE = "free some space or choose another disk"
#: Why the operating system refused to write, and what to do about it, by error number.
REASONS = {
    errno.ENOSPC: ("the disk is full", FREE_SPACE),
    errno.EDQUOT: ("your disk quota is used up", FREE_SPACE),
    errno.EFBIG: (
        "the file would be larger than this system allows",
        "make it shorter or choose another disk",
    ),
    errno.EACCES: ("you have no permission to write there", CHOOSE_ANOTHER_PLACE),
    errno.EPERM: ("you have no permission to write there", CHOOSE_ANOTHER_PLACE),
    errno.EROFS: ("the disk is read-only", CHOOSE_ANOTHER_PLACE),
    errno.ENOTDIR: ("a part of the path is a file, not a folder", CHOOSE_ANOTHER_PLACE),
    errno.EEXIST: ("a part of the path is a file, not a folder", CHOOSE_ANOTHER_PLACE),
    errno.EISDIR: ("a folder has this name", "choose another name"),
    errno.ENOTEMPTY: ("another program has just written a result of this name", "choose another folder"),
    errno.EBUSY: ("another program is using it", "close that program or choose another name"),
    errno.ENOENT: ("the folder was removed while the program ran", CHOOSE_ANOTHER_PLACE),
    errno.ELOOP: ("the path is a link that leads back to itself", CHOOSE_ANOTHER_PLACE),
    errno.EMFILE: ("too many files are open", "close other programs and try again"),
    errno.ENFILE: ("too many files are open", "close other programs and try again"),
    errno.EIO: ("the disk reports an error", "choose another disk"),
    errno.ENAMETOOLONG: ("the name is too long", "choose a shorter name"),
}
#: The same for reading.
READ_REASONS = {
    errno.EACCES: ("you have no permission to read it", "change its permissions or copy it elsewhere"),
    errno.EPERM: ("you have no permission to read it", "change its permissions or copy it elsewhere"),
    errno.ENAMETOOLONG: ("its name is too long", "use a shorter name"),
    errno.ENOTDIR: ("a part of the path is a file, not a folder", "check the path"),
    errno.ELOOP: ("it is a link that leads back to itself", "name the file itself"),
    errno.EMFILE: ("too many files are open", "close other programs and try again"),
    errno.ENFILE: ("too many files are open", "close other programs and try again"),
    errno.EIO: ("the disk reports an error", "copy the file from another disk"),
}
_DRAFT = re.compile(r"\.part-[0-9a-f]{12}(\.\w+)?")
_WEB_ADDRESS = re.compile(r"(https?|ftp|s3|gs|hf):/+(?=.)", re.IGNORECASE)


def write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Calls `write` with a temporary name in the same folder, then renames the file to `path`.

    Other programs see either the whole file or nothing. The temporary name keeps the suffix, so an encoder
    that goes by the name picks the right format. Missing parent folders are made. An existing file is
    replaced. If anything fails, Ctrl-C included, the temporary file is removed and the old one stays.

    Raises:
        CannotWrite: The operating system refused; the message says why.
    """
    _check_name(path)
    draft = path.with_name(draft_name(path.suffix))
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


def draft_name(suffix: str = "") -> str:
    """A new name for what is being written; it begins with `.part-`."""
    return f".part-{secrets.token_hex(6)}{suffix}"


def remove_drafts(folder: Path) -> None:
    """Removes what killed runs left in a folder; only for the one process that may write into it.

    Raises:
        CannotWrite: one of them cannot be removed.
    """
    try:
        for leftover in [path for path in folder.iterdir() if _DRAFT.fullmatch(path.name)]:
            if leftover.is_dir() and not leftover.is_symlink():
                shutil.rmtree(leftover, ignore_errors=True)  # which would wait for a pipe
            else:
                leftover.unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error


def write_text(path: Path, text: str) -> None:
    """Writes text as UTF-8, all of it or nothing.

    Raises:
        CannotWrite: As `write_atomically`.
    """

    def _write(draft: Path) -> None:
        draft.write_text(text, encoding="utf-8")

    write_atomically(path, _write)


def slug(text: str) -> str:
    """A short folder name made of a to z, 0 to 9 and dashes; never empty, the same for the same text.

    Accents are dropped. A text without Latin letters or digits becomes eight digits of its checksum.

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
    """Checksum of a file's content, 64 hexadecimal digits; reads in blocks.

    Raises:
        BadInput: The file does not exist, is not a plain file, is empty, or cannot be read.
    """
    check_readable(path, "a file")
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise cannot_read(path, error) from error


def read_limited(path: Path, kind: str, most_bytes: int) -> bytes:
    """The content of a small file.

    Args:
        path: The file.
        kind: What it should be, with its article: "a JSON file".
        most_bytes: A larger file is refused before it is read.

    Raises:
        BadInput: As `check_readable`, or the file is too large.
    """
    check_readable(path, kind)
    try:
        with path.open("rb") as file:
            content = file.read(most_bytes + 1)
    except OSError as error:
        raise cannot_read(path, error) from error
    if len(content) > most_bytes:
        raise BadInput(f"{path} is larger than {most_bytes:,} bytes, too large for {kind}; check the path.")
    return content


def is_plain_file(path: Path) -> bool:
    """Whether the path leads to a plain file, not a folder, pipe or device; never raises."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def check_no_link(path: Path) -> None:
    """Refuses a link among the files of a result, which could lead to a file that nobody named.

    Raises:
        BadInput: it is a link.
    """
    if path.is_symlink():
        raise BadInput(f"{path}: is a link; bring the original file back.")


def check_readable(path: Path, kind: str) -> None:
    """Refuses a path that no decoder should open: missing, a folder, a pipe, a device, empty, not permitted.

    No other exception than `BadInput` leaves this function, whatever the path holds.

    Args:
        path: The file to look at.
        kind: What it should be, with its article: "a sound".

    Raises:
        BadInput: Says which of these it is, and what to do.
    """
    try:
        mode = path.stat().st_mode  # follows links
        if stat.S_ISDIR(mode):
            raise BadInput(f"{path} is a folder, not {kind}; name one file in it.")
        if not stat.S_ISREG(mode):
            raise BadInput(f"{path} is a device or a pipe, not {kind}; name a file.")
        with path.open("rb") as file:
            empty = not file.read(1)
    except FileNotFoundError as error:
        raise BadInput(_missing(path)) from error
    except OSError as error:
        raise cannot_read(path, error) from error
    except ValueError as error:  # NUL, or a character that no file name can hold
        raise BadInput(f"{path} contains a character that no file name can hold; check the path.") from error
    if empty:
        raise BadInput(f"{path} is empty (0 bytes); copy or download it again.")


def cannot_read(path: Path, error: OSError) -> BadInput:
    """The message for a file that the operating system refused to read."""
    unknown = (error.strerror or type(error).__name__, "check the path")
    reason, remedy = READ_REASONS.get(error.errno or 0, unknown)
    return BadInput(f"{path} cannot be read: {reason}; {remedy}.")


def cannot_write(path: Path, error: OSError) -> CannotWrite:
    """The message for a file that the operating system refused to write."""
    unknown = (error.strerror or type(error).__name__, CHOOSE_ANOTHER_PLACE)
    reason, remedy = REASONS.get(error.errno or 0, unknown)
    return CannotWrite(f"Cannot write {path}: {reason}; {remedy}.")


def _missing(path: Path) -> str:
    # `Path` turns the two slashes of an address into one.
    address, found = _WEB_ADDRESS.subn(r"\1://", str(path), count=1)
    if found and _WEB_ADDRESS.match(str(path)):
        return f"{address} is a web address; download the file first, then name the downloaded file."
    if path.is_symlink():
        return f"{path} is a link to a file that does not exist; name the file itself."
    return f"{path} does not exist; check the path."


def _check_name(path: Path) -> None:
    try:
        valid = b"\0" not in os.fsencode(path)
    except ValueError:
        valid = False
    if not valid:
        raise CannotWrite(
            f"Cannot write {path}: the name contains a character that no file name can hold; "
            "choose another name."
        )


def _remove(draft: Path) -> None:
    try:
        draft.unlink(missing_ok=True)
    except OSError:
        # Its folder was never made, so there is nothing to remove.
        return
