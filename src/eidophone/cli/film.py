"""`eidophone film RESULT`: another film of a finished result, for sharing."""

import argparse
from pathlib import Path
from typing import Any

from eidophone.core.errors import BadInput
from eidophone.core.text import printable

SHAPES = ("picture", "wide", "square", "vertical")
MOST_FPS = 120


def add_command(commands: Any) -> None:
    """Adds `film`."""
    about = "make another film of a result: 60 frames a second, square, vertical, with cover and captions"
    parser = commands.add_parser("film", help=about, description=about.capitalize() + ".")
    parser.add_argument("folder", metavar="RESULT", help="folder of a result")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="the film (default: film.mp4 in the current folder)"
    )
    parser.add_argument("--fps", default="60", metavar="N", help="frames per second, 1 to 120 (default: 60)")
    parser.add_argument(
        "--shape", choices=SHAPES, default="picture",
        help="frame: picture (as large as the picture), wide (1920 x 1080), square or vertical (default: picture)",
    )  # fmt: skip
    parser.add_argument("--spectrogram", action="store_true", help="show the spectrogram below the picture")
    parser.add_argument("--labels", action="store_true", help='label the prompts: "image prompt: ..."')
    parser.add_argument("--cover", action="store_true", help="also write a cover picture, FILE.png")
    parser.add_argument("--track", action="store_true", help="also write the captions as a track, FILE.vtt")
    parser.set_defaults(command=film)


def film(arguments: argparse.Namespace) -> int:
    """Writes the film and prints what was written."""
    from eidophone.results.film import Film

    if not arguments.fps.isdecimal() or not 1 <= int(arguments.fps) <= MOST_FPS:
        raise BadInput(f"--fps {arguments.fps}: give a whole number from 1 to {MOST_FPS}.")
    wanted = Film(
        int(arguments.fps),
        arguments.shape,
        arguments.spectrogram,
        arguments.labels,
        arguments.cover,
        arguments.track,
    )
    for path in wanted.write(Path(arguments.folder), arguments.out or Path("film.mp4")):
        print(printable(str(path)))
    return 0
