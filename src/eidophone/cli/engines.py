"""Flags that say where work runs: workers and engines."""

import argparse
import re
from typing import TYPE_CHECKING, Any

from eidophone.core.errors import BadInput

if TYPE_CHECKING:  # torch is slow to import
    from eidophone.batch.engines import EngineSettings


def add_engine_flags(parser: Any) -> None:
    """Adds --workers, --engine and --engine-option."""
    parser.add_argument(
        "--workers", type=_count, default=1, metavar="N", help="processes, actors or jobs (default: 1)"
    )
    parser.add_argument(
        "--engine", default="local", metavar="NAME", help="local, ray or slurm (default: local)"
    )
    parser.add_argument(
        "--engine-option", action="append", default=[], metavar="NAME=VALUE", dest="engine_options",
        help="an option of the engine, such as address=HOST:PORT or slurm_partition=gpu; may be repeated",
    )  # fmt: skip


def engine_settings(arguments: argparse.Namespace) -> "EngineSettings":
    """What the flags say.

    Raises:
        BadInput: there is no such engine, or an option of it is not NAME=VALUE.
    """
    from eidophone.batch.engines import EngineSettings, engine_of

    engine_of(arguments.engine)
    found = {}
    for text in arguments.engine_options:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise BadInput(f"--engine-option {text!r}: write NAME=VALUE.")
        found[name] = value
    return EngineSettings(arguments.workers, found)


def _count(text: str) -> int:
    if not re.fullmatch(r"[1-9]\d{0,4}", text):
        raise argparse.ArgumentTypeError(f"give a number from 1 to 99999; got {text!r}")
    return int(text)
