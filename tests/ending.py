"""How a command ends, whether its arguments or its work are at fault."""

from eidophone.cli import main


def exit_code(arguments: list[str]) -> int:
    """The exit code of a command; arguments that the parser refuses end it with an exception."""
    try:
        return main(arguments)
    except SystemExit as stop:
        return int(stop.code or 0)
