"""`eidophone VERB ...`: reads arguments, runs a verb, prints where the results are.

Exit codes: 0, everything was made. 1, some of several inputs failed, the others are made. 2, bad input or a place
that cannot be written, with one sentence. 3, an unexpected failure, with a log file. 130, stopped by Ctrl-C.
143, stopped by SIGTERM.
"""

import argparse
import contextlib
import os
import signal
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from eidophone.cli import batch, caption, data, evaluate, examples, film, models, score, studio, verbs
from eidophone.cli.flags import Parser
from eidophone.cli.show import complain, sentence
from eidophone.core.errors import EidophoneError
from eidophone.version import VERSION


class Terminated(KeyboardInterrupt):
    """SIGTERM; it ends a run as Ctrl-C does."""

    code = 143


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    full = "--help-all" in given
    given = ["--help" if word == "--help-all" else word for word in given]
    _prepare_streams()
    try:
        parsed = build_parser(full).parse_args(given)
        command: Callable[[argparse.Namespace], int] = parsed.command
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            code = command(parsed)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # whoever reads has seen enough, such as `head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except EidophoneError as error:
        complain(sentence(error))
        return 2
    except KeyboardInterrupt as error:
        complain("stopped.")
        return getattr(error, "code", 130)
    except Exception as error:
        from eidophone.cli.failures import explain

        code, words = explain(error)
        complain(sentence(EidophoneError(words)))
        return code


def _prepare_streams() -> None:
    """Closed streams become /dev/null; characters that a terminal lacks are escaped; SIGTERM stops as Ctrl-C."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    with contextlib.suppress(ValueError):  # not in the main thread
        signal.signal(signal.SIGTERM, _terminate)


def _terminate(_signal: int, _frame: Any) -> None:
    raise Terminated


def _show_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    """Warnings of this program as sentences; those of libraries are for developers."""
    words = str(message)
    if words.startswith("--") or (issubclass(category, UserWarning) and "eidophone" in words.lower()):
        complain(sentence(EidophoneError(words)))


def build_parser(full: bool = True) -> argparse.ArgumentParser:
    """All verbs with their flags; all flags in the help if `full`, otherwise the common ones."""
    about = "Pictures that play, and pictures of sounds."
    parser = Parser(
        prog="eidophone", description=about, epilog="`eidophone VERB --help` explains a verb and its flags."
    )
    parser.add_argument("--version", action="version", version=f"eidophone {VERSION}")
    parser.add_argument(
        "--print-completion", metavar="SHELL", choices=("bash", "zsh", "tcsh"), action=_Completion,
        help="print a completion script for bash, zsh or tcsh, and exit",
    )  # fmt: skip
    commands = parser.add_subparsers(metavar="VERB", required=True)
    verbs.add_verbs(commands, full)
    for command in (examples, caption, score, film, evaluate, batch, studio):
        command.add_command(commands)
    data.add_commands(commands)
    models.add_commands(commands)
    return parser


class _Completion(argparse.Action):
    """Prints a completion script."""

    def __call__(self, parser: argparse.ArgumentParser, _: Any, values: Any, __: str | None = None) -> None:
        """See argparse."""
        import shtab

        print(shtab.complete(parser, shell=str(values)))
        parser.exit()
