"""`eidophone examples`."""

import argparse
import json
from dataclasses import asdict
from typing import Any

from eidophone.cli.show import table
from eidophone.options.examples import examples


def add_command(commands: Any) -> None:
    """Adds `examples`."""
    about = "list the published examples, which --example makes by name"
    parser = commands.add_parser("examples", help=about, description=about.capitalize() + ".")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Prints all examples."""
    if arguments.json:
        print(json.dumps([asdict(one) for one in examples()], indent=2))
        return 0
    rows = [[one.verb, one.name, str(one.seed), one.image_prompt, one.audio_prompt] for one in examples()]
    headings = ["verb", "example", "seed", "looks like", "sounds like"]
    print(table(headings, rows, [False, False, True, False, False]))
    print("\nRun one with the settings of the paper: eidophone compose --example bell --preset paper")
    return 0
