"""`eidophone caption SOUND...`: what can be heard, word by word."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eidophone.cli.flags import add_flags, given_settings
from eidophone.cli.show import progress_bar, sentence
from eidophone.cli.verbs import files_of
from eidophone.core.errors import BadInput, EidophoneError
from eidophone.options.commands import CaptionOptions

if TYPE_CHECKING:
    from eidophone.core.values import Caption


def add_command(commands: Any) -> None:
    """Adds `caption`."""
    about = "say what can be heard in sounds of any length, word by word, how surely and when"
    parser = commands.add_parser("caption", help=about, description=about.capitalize() + ".")
    parser.add_argument("sounds", nargs="+", metavar="SOUND", help="sound files, or folders of them")
    add_flags(parser, CaptionOptions)
    parser.add_argument("--json", action="store_true", help="print a JSON list instead of text")
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
    if not found:
        raise BadInput(" ".join(failed))
    rows = [_row(sound, heard) for sound, heard in found]
    print(json.dumps(rows, indent=2) if arguments.json else "\n\n".join(_text(row) for row in rows))
    for reason in failed:
        print(f"eidophone: {reason}", file=sys.stderr)
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


def _text(row: dict[str, Any]) -> str:
    lines = [
        f"  {word['text']:<16}{word['confidence']:>6.0%}{word['start_s']:>9.1f} s to {word['end_s']:.1f} s"
        for word in row["words"]
    ]
    return "\n".join([f"{row['sound']}: {row['caption']}", *lines])
