"""`eidophone data mix`: mixtures of two labelled recordings, to test captioners and pictures with."""

import argparse
from pathlib import Path
from typing import Any

from eidophone.cli.flags import add_flags, given_settings, out_folder
from eidophone.cli.show import progress_bar
from eidophone.core.text import printable
from eidophone.options.commands import MixOptions


def add_commands(commands: Any) -> None:
    """Adds `data` and its verb."""
    parser = commands.add_parser("data", help="make test data", description="Make test data.")
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    about = "mix recordings of two classes, with both labels (Multi-ESC50; works with ESC-10 too)"
    mixing = verbs.add_parser("mix", help=about, description=about[0].upper() + about[1:] + ".")
    mixing.add_argument(
        "folder",
        type=Path,
        metavar="FOLDER",
        help="ESC-50, or a folder with one folder of sounds for each class",
    )
    mixing.add_argument(
        "--out", type=out_folder, required=True, metavar="DIR", help="new folder for the mixtures"
    )
    add_flags(mixing, MixOptions)
    mixing.set_defaults(command=mix)


def mix(arguments: argparse.Namespace) -> int:
    """Writes the mixtures and their manifest; prints where they are."""
    from eidophone.data.mixtures import MANIFEST, draw, write_mixtures
    from eidophone.data.recordings import read_esc

    options = MixOptions.make(**given_settings(arguments, MixOptions))
    recordings = [r for r in read_esc(arguments.folder) if options.fold in (None, r.fold)]
    drawn = draw(recordings, options.count, options.seed, (options.lowest_db, options.highest_db))
    with progress_bar() as progress:
        for done, _ in enumerate(write_mixtures(drawn, arguments.out)):
            progress("mixing", done + 1, len(drawn))
    print(f"{printable(str(arguments.out))}: {len(drawn)} mixtures and {MANIFEST}")
    return 0
