"""The command line. Importing it imports no torch: `--help` and `models list` answer at once."""

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code. Ctrl-C ends it with one line, even while modules load."""
    try:
        from eidophone.cli.program import main as run
    except KeyboardInterrupt:
        import sys

        print("eidophone: stopped.", file=sys.stderr)
        return 130
    return run(arguments)


__all__ = ["main"]
