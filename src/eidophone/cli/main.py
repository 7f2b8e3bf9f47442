"""`eidophone VERB ...`: reads arguments, runs a verb, prints where the results are.

Exit codes: 0 all that was asked for was made; 2 bad input, with one sentence; 130 stopped by the user.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from eidophone.cli import caption, data, evaluate, models, paint, score, verbs
from eidophone.cli.flags import Parser, add_flags
from eidophone.cli.show import sentence
from eidophone.core.errors import EidophoneError
from eidophone.verbs import VERBS
from eidophone.version import VERSION

_ABOUT = {
    "compose": "a picture that plays: drawn by one model and played by another",
    "imprint": "a picture pressed into a spectrogram; files of your own may replace either prompt",
    "colorize": "colour a picture that plays; its sound stays",
    "distill": "a picture optimised until both models like it; slow, and it goes on after an interruption",
    "paint": "paint pictures of recorded sounds",
    "hear": "play a spectrogram picture, or any picture",
    "see": "draw a sound as a spectrogram picture",
    "remake": "make a result again, byte for byte, from its PNG, WAV or folder",
}

_COMMANDS = {"remake": verbs.remake, "paint": paint.run}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code."""
    given = build_parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = given.command
    try:
        code = command(given)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # who reads has seen enough, such as `head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except EidophoneError as error:
        print(f"eidophone: {sentence(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("eidophone: stopped.", file=sys.stderr)
        return 130


def build_parser() -> argparse.ArgumentParser:
    """All verbs with their flags."""
    parser = Parser(prog="eidophone", description="Pictures that play, and pictures of sounds.")
    parser.add_argument("--version", action="version", version=f"eidophone {VERSION}")
    commands = parser.add_subparsers(metavar="VERB", required=True)
    for verb in _ABOUT:
        sub = commands.add_parser(verb, help=_ABOUT[verb], description=_ABOUT[verb].capitalize() + ".")
        _positionals(sub, verb)
        if verb in VERBS:
            add_flags(sub, VERBS[verb])
        else:
            verbs.add_remake_flags(sub)
        verbs.add_output_flags(sub)
        sub.set_defaults(command=_COMMANDS.get(verb, verbs.run), verb=verb)
    caption.add_command(commands)
    data.add_commands(commands)
    score.add_command(commands)
    evaluate.add_command(commands)
    models.add_commands(commands)
    return parser


def _positionals(parser: argparse.ArgumentParser, verb: str) -> None:
    if verb in ("compose", "distill"):
        parser.add_argument("image_prompt", metavar="IMAGE_PROMPT", help="what it looks like")
        parser.add_argument("audio_prompt", metavar="AUDIO_PROMPT", help="what it sounds like")
    elif verb == "imprint":
        parser.add_argument(
            "prompts",
            nargs="*",
            metavar="PROMPT",
            help="IMAGE_PROMPT then AUDIO_PROMPT; leave out the one that --picture or --sound replaces",
        )
    elif verb == "colorize":
        parser.add_argument("picture", metavar="RESULT", help="folder of a result, or its picture")
        parser.add_argument("image_prompt", metavar="PROMPT", help="such as 'a colorful photo of dogs'")
    elif verb == "paint":
        parser.add_argument("sounds", nargs="+", metavar="SOUND", help="sound files, or folders of them")
    elif verb == "remake":
        parser.add_argument("path", metavar="FILE", help="PNG, WAV or folder of a result")
    else:
        field = "picture" if verb == "hear" else "sound"
        parser.add_argument(field, metavar=field.upper(), help=f"the {field} file")
