"""The command line. Importing it imports no torch: `--help` and `models list` answer at once."""

from eidophone.cli.main import main

__all__ = ["main"]
