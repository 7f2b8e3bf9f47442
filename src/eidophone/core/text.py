"""Text from strangers (file names, prompts, recipes), made safe to print."""

import os
import re
from typing import Any

# C0 and C1 control characters, line and paragraph separators, characters that turn the reading
# direction, and lone surrogates (bytes of a file name that are not UTF-8).
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

#: What spreadsheets take for a formula, also behind blanks.
_FORMULA = re.compile(r"\s*[=+\-@\t\r]")

#: The folders of an absolute path in quote marks, which may hold blanks.
_QUOTED = re.compile(r"""(['"])(?:[A-Za-z]:|~)?[\\/][^'"\n]*[\\/](?=[^\\/'"\n]+\1)""")
#: The folders of an absolute path: a blank or a quote mark begins a new word.
_FOLDERS = re.compile(r"(?<![\w/.:~-])(?:[A-Za-z]:(?=[\\/])|~(?=/))?(?:[\\/][^\\/\s'\"]+)*[\\/](?=[^\\/\s])")


def printable(text: str) -> str:
    r"""Escapes every character that could act on a terminal or fake another line.

    Letters of all scripts, emoji and plain spaces stay as they are. The result has one line, encodes as
    UTF-8 and is unchanged by a second call.

    >>> printable("bell\x1b[31m\n.wav")
    'bell\\x1b[31m\\n.wav'
    """
    return _UNPRINTABLE.sub(_escaped, text)


def shortened(text: str, longest: int = 600) -> str:
    """Cuts the middle out of every word that is longer than any usual path, so that a message stays readable.

    >>> shortened("the flag " + "a" * 5000 + ".png is unknown", 8)
    'the flag aaaa....png is unknown'
    """
    half = longest // 2
    return re.sub(rf"(\S{{{half}}})\S+(\S{{{half}}})", r"\1...\2", text)


def without_folders(text: str) -> str:
    r"""Keeps the last part of every absolute path, so that a file that is passed on does not say who made it.

    >>> without_folders("/home/al/bell.wav does not exist; 3/4 of C:\\Users\\al\\frog.png, s3://bucket/runs")
    'bell.wav does not exist; 3/4 of frog.png, s3://bucket/runs'
    """
    for known in (os.path.expanduser("~"), os.getcwd()):  # noqa: PTH109, PTH111 - which may hold blanks
        if len(known) > 3:
            text = text.replace(known + os.sep, "")
    return _FOLDERS.sub("", _QUOTED.sub(r"\1", text))


def without_formulas(cells: dict[str, Any]) -> dict[str, Any]:
    """A row of a CSV file, with a quote mark before what a spreadsheet would calculate.

    >>> without_formulas({"image_prompt": "=1+1", "seed": -3, "method": "compose"})
    {'image_prompt': "'=1+1", 'seed': -3, 'method': 'compose'}
    """
    return {
        name: f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value
        for name, value in cells.items()
    }


def _escaped(match: re.Match[str]) -> str:
    character = match[0]
    if "\udc80" <= character <= "\udcff":  # how Python keeps a byte that is not UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")
