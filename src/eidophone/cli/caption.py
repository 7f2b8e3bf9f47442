"""`eidophone caption SOUND...`: what can be heard, word by word."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eidophone.cli.flags import add_flags, given_settings
from eidophone.cli.show import complain, progress_bar, sentence, table
from eidophone.cli.verbs import files_of
from eidophone.core.errors import BadInput, EidophoneError
from eidophone.core.text import printable
from eidophone.options.commands import CaptionOptions

if TYPE_CHECKING:
    from eidophone.core.values import Caption, Word


def add_command(commands: Any) -> None:
    """Adds `caption`."""
    about = "describe sounds of any length in words, with confidence and time for each word"
    parser = commands.add_parser("caption", help=about, description=about.capitalize() + ".")
    parser.add_argument("sounds", nargs="+", metavar="SOUND", help="sound files, or folders of them")
    add_flags(parser, CaptionOptions)
    parser.add_argument("--json", action="store_true", help="print JSON, with every word, instead of text")
    parser.set_defaults(command=caption)


def caption(arguments: argparse.Namespace) -> int:
    """Prints the caption of every sound; 1 if one of several could not be read."""
    from eidophone.session import Session

    sounds = files_of([Path(given) for given in arguments.sounds])
    options = CaptionOptions.make(**given_settings(arguments, CaptionOptions))
    found: list[tuple[Path, Caption]] = []
    failed: list[str] = []
    with progress_bar() as progress:
        listen = Session().captioner(options)
        for done, sound in enumerate(sounds):
            progress("listening", done, len(sounds))
            try:
                found.append((sound, listen(sound)))
            except EidophoneError as error:
                failed.append(sentence(error))
            except UnicodeEncodeError:
                failed.append(sentence(BadInput(f"{sound}: its name is not valid UTF-8; rename it.")))
    if not found:
        raise BadInput(" ".join(failed))
    if arguments.json:
        print(json.dumps([_row(sound, heard) for sound, heard in found], indent=2))
    else:
        print("\n\n".join(_text(sound, heard) for sound, heard in found))
    for reason in failed:
        complain(reason)
    return int(bool(failed))


def _row(sound: Path, heard: "Caption") -> dict[str, Any]:
    words = [
        {
            "text": word.text,
            "confidence": round(word.confidence, 4),
            "start_s": round(word.start_s, 2),
            "end_s": round(word.end_s, 2),
        }
        for word in heard.words
    ]
    return {"sound": str(sound), "caption": heard.text, "words": words}


def _text(sound: Path, heard: "Caption") -> str:
    """The caption, and a table of its words without filler words such as "and", "a"."""
    rows = [
        [word.text.strip(".,;"), f"{word.confidence:.0%}", f"{word.start_s:.1f} s to {word.end_s:.1f} s"]
        for word in _telling(heard.words)
    ]
    lines = table(["word", "confidence", "heard from"], rows, [False, True]).splitlines()
    return "\n".join([f"{printable(str(sound))}: {printable(heard.text)}", *(f"  {line}" for line in lines)])


def _telling(words: tuple["Word", ...]) -> list["Word"]:
    """The words that carry meaning; all words if none does."""
    from eidophone.models.captioners.nouns import is_function_word

    return [word for word in words if not is_function_word(word.text)] or list(words)
