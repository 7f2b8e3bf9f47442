"""The words of a captioner: a text file with a word a line, or a pickled list of words, read safely."""

import io
import pickle
from pathlib import Path

from eidophone.core.errors import BadInput

NAMES = (
    "words_list.txt",
    "words_list.p",
    "words_list.pkl",
    "vocabulary.txt",
    "vocabulary.p",
    "vocabulary.pkl",
)
_LARGEST_BYTES = 64 << 20


class _PlainOnly(pickle.Unpickler):
    """Reads numbers, texts and their lists; refuses whatever would import or call something."""

    def find_class(self, module_name: str, global_name: str) -> object:
        raise pickle.UnpicklingError(f"it names {module_name}.{global_name}, which could run code")

    def persistent_load(self, pid: object) -> object:
        raise pickle.UnpicklingError(f"it refers to {pid!r} outside of it")


def find_vocabulary(folder: Path) -> Path:
    """The vocabulary in a checkpoint's folder.

    Raises:
        BadInput: there is none of the usual names.
    """
    found = next((folder / name for name in NAMES if (folder / name).is_file()), None)
    if found is None:
        raise BadInput(
            f"{folder}: the captioner's words are missing; put its words_list.p, or a words_list.txt with a "
            "word a line, beside the checkpoint."
        )
    return found


def read_vocabulary(path: Path) -> tuple[str, ...]:
    """Words by their number.

    Raises:
        BadInput: it is no list of words, or wants to run code.
    """
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise BadInput(f"{path}: far too large for a vocabulary; name the file with the words.")
        raw = path.read_bytes()
        plain = path.suffix == ".txt"
        words = raw.decode("utf-8").split("\n") if plain else _PlainOnly(io.BytesIO(raw)).load()
    except BadInput:
        raise
    except Exception as error:  # a damaged pickle raises nearly anything
        raise BadInput(
            f"{path}: not readable as words ({error}); write them into words_list.txt, one a line."
        ) from error
    return _checked(words, path)


def _checked(given: object, path: Path) -> tuple[str, ...]:
    if isinstance(given, dict) and all(isinstance(n, int) for n in given.values()):
        given = [word for word, _ in sorted(given.items(), key=lambda item: item[1])]
    if not isinstance(given, list | tuple) or not all(isinstance(word, str) for word in given):
        raise BadInput(f"{path}: is no list of words; write its words into words_list.txt, one a line.")
    words = [word.strip("\r") for word in given]
    while words and not words[-1]:
        words.pop()
    return tuple(words)
