"""`eidophone studio`: opens the Studio in the browser."""

import argparse
from pathlib import Path
from typing import Any

from eidophone.cli.flags import out_folder
from eidophone.cli.show import complain
from eidophone.cli.verbs import DEFAULT_ROOT
from eidophone.core.errors import EidophoneError
from eidophone.core.text import printable

_ABOUT = "open the Studio: a web page to make, play and sort results"


def add_command(commands: Any) -> None:
    """Adds `studio`."""
    parser = commands.add_parser("studio", help=_ABOUT, description=f"{_ABOUT[0].upper()}{_ABOUT[1:]}.")
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on (default: 127.0.0.1, which only this computer can reach)",
    )
    parser.add_argument("--port", type=int, default=8765, help="port; 0 takes any free one (default: 8765)")
    parser.add_argument(
        "--out", type=out_folder, metavar="DIR", default=DEFAULT_ROOT,
        help=f"folder for the results; the library shows all of it (default: {DEFAULT_ROOT})",
    )  # fmt: skip
    parser.add_argument(
        "--token",
        default="",
        help="visitors need this token (default: none on this computer, a random one on other hosts)",
    )
    parser.add_argument("--no-browser", action="store_true", help="do not open a browser")
    parser.set_defaults(command=studio)


def studio(arguments: argparse.Namespace) -> int:
    """Serves until Ctrl-C."""
    try:
        from eidophone.studio.serve import serve
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in ("fastapi", "uvicorn", "starlette"):
            raise EidophoneError(
                "The Studio needs more packages: pip install 'eidophone[studio]'."
            ) from error
        raise
    from eidophone.studio.settings import StudioSettings, is_loopback

    settings = StudioSettings.make(arguments.out, arguments.host, arguments.port, arguments.token)
    if not is_loopback(arguments.host):
        complain("the connection is not encrypted: use --host in networks that you trust.")
    serve(settings, not arguments.no_browser, _announce(settings.out))
    return 0


def _announce(out: Path) -> Any:
    def _say(address: str) -> None:
        print(
            f"Eidophone Studio  {address}\nresults           {printable(str(out))}\nCtrl-C stops it",
            flush=True,
        )

    return _say
