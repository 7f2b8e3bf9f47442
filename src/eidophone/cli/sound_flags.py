"""Flags of the sound file that is stored beside sound.wav."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eidophone.cli.show import Monitor
from eidophone.options.kinds import flag_of

if TYPE_CHECKING:
    from eidophone.running import Output

#: Short flag, field of `Output`, placeholder, help.
SOUND_FLAGS = (
    (
        "--format",
        "sound_format",
        "{wav,flac,mp3,opus}",
        "also store the sound in this format (default: wav alone)",
    ),
    ("--rate", "sound_rate", "HZ", "sampling rate of that file, such as 48000 (default: the sound's own)"),
    ("--bits", "sound_bits", "{16,24,float}", "sample format of wav and flac (default: 24)"),
    (
        "--loudness",
        "loudness",
        "LUFS",
        "loudness of that file, such as -14, as far as a true peak of -1 dB allows",
    ),
    (
        "--stereo",
        "stereo",
        "{colour,PICTURE}",
        "two channels in that file, panned by the colours of the result's picture or of another one: red is left, "
        "blue is right",
    ),
    (
        "--extend-band",
        "extend_band",
        "",
        "make up sound above the limit of the mel picture in that file, from what lies below it",
    ),
)


def add_sound_flags(parser: argparse.ArgumentParser, full: bool) -> None:
    """Flags of the second sound file; each has a longer name, because a verb may have an option of the short one."""
    group = parser.add_argument_group("sound file beside sound.wav") if full else parser
    for short, name, metavar, help_text in SOUND_FLAGS:
        taken = {flag for action in parser._actions for flag in action.option_strings}
        names = [flag for flag in (short, flag_of(name)) if flag not in taken]
        how: dict[str, Any] = {"metavar": metavar} if metavar else {"action": "store_true", "default": None}
        group.add_argument(
            *dict.fromkeys(names), dest=name, help=help_text if full else argparse.SUPPRESS, **how
        )


def sound_settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """What the flags say, by field of `Output`."""
    return {name: getattr(arguments, name) for _, name, _, _ in SOUND_FLAGS}


def check_sound_file(arguments: argparse.Namespace) -> None:
    """Refuses a sound file that cannot be made, before anything else is done."""
    from eidophone.results.sound_file import SoundFile

    SoundFile.asked(**sound_settings(arguments))


def output_of(out: Path, arguments: argparse.Namespace, watch: Monitor) -> "Output":
    """Where the results go, and who listens."""
    from eidophone.running import Output

    return Output(out, arguments.keep_arrays, watch, **sound_settings(arguments), ahead=True)
