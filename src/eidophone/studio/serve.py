"""Runs the server until it is stopped."""

import contextlib
import errno
import socket
import threading
import webbrowser
from collections.abc import Callable

import uvicorn

from eidophone.core.errors import BadInput
from eidophone.media.files import cannot_write
from eidophone.studio.app import create_app
from eidophone.studio.settings import StudioSettings


def serve(settings: StudioSettings, browser: bool, say: Callable[[str], None]) -> None:
    """Serves until Ctrl-C or SIGTERM; the running job is then cancelled, finished samples stay.

    Args:
        settings: See `StudioSettings`.
        browser: Open the page.
        say: Receives the address.

    Raises:
        BadInput: the port or host cannot be used.
        CannotWrite: the output folder cannot be made.
    """
    try:
        settings.private.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(settings.out, error) from error
    listening = _listen(settings.host, settings.port)
    address = address_of(settings, listening.getsockname()[1])
    say(address)
    config = uvicorn.Config(
        create_app(settings), log_level="warning", access_log=False, timeout_graceful_shutdown=2,
        server_header=False, h11_max_incomplete_event_size=64 * 1024,
    )  # fmt: skip
    if browser:
        threading.Timer(0.5, lambda: webbrowser.open(address)).start()
    with contextlib.closing(listening), contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run([listening])


def address_of(settings: StudioSettings, port: int) -> str:
    """The address to open, with the token if one is needed."""
    host = {"0.0.0.0": socket.gethostname(), "::": socket.gethostname()}.get(settings.host, settings.host)
    host = f"[{host}]" if ":" in host else host
    return f"http://{host}:{port}/" + (f"?token={settings.token}" if settings.token else "")


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        found = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        raise BadInput(f"--host {host}: no such host ({error}); use 127.0.0.1.") from error
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind(place)
        found.listen(128)
    except OSError as error:
        found.close()
        if error.errno == errno.EADDRINUSE:
            raise BadInput(
                f"--port {port}: another program uses it; choose another, or 0 for any."
            ) from error
        raise BadInput(f"--host {host} --port {port}: cannot listen there ({error.strerror}).") from error
    return found
