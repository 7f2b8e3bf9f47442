"""Text from strangers (file names, prompts, recipes), made safe to print."""

import re
from typing import Any

# C0 and C1 control characters, line and paragraph separators, characters that turn the reading
# direction, and lone surrogates (bytes of a file name that are not UTF-8).
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

#: What spreadsheets take for a formula, also behind blanks.
_FORMULA = re.compile(r"\s*[=+\-@\t\r]")


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
