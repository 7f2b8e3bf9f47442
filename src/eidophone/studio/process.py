"""An engine in a process of its own.

The page stays quick while models load and run, a job that exhausts memory does not take the server with it,
and when the server is killed, the process cancels its job and ends too.
"""

import contextlib
import multiprocessing
import queue
import signal
import threading
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any

from eidophone.core.events import CancelToken
from eidophone.studio.engine import Order, Say, SessionEngine

#: Seconds between two looks at the cancel token while the process is silent.
_LOOK_S = 0.05
#: Seconds that the process gets to store what it works on, before it is ended.
_PATIENCE_S = 20.0
_ENDED = ("finished", "cancelled", "failed")


class ProcessEngine:
    """See `Engine`; a process that ends unexpectedly is replaced at the next order."""

    def __init__(self) -> None:
        self._process: SpawnProcess | None = None
        self._connection: Connection | None = None

    @property
    def pid(self) -> int | None:
        """Of the process, once it was started."""
        return self._process.pid if self._process else None

    def start(self, warm_up: bool) -> None:
        """See `Engine`."""
        self._begin(warm_up)

    def run(self, order: Order, say: Say, cancel: CancelToken) -> None:
        """See `Engine`."""
        if self._process is None or not self._process.is_alive():
            self._begin(False)
        assert self._connection is not None
        try:
            self._connection.send(("run", order))
            self._follow(self._connection, say, cancel)
        except (EOFError, OSError):
            say({"type": "failed", "message": self._why_ended()})

    def close(self) -> None:
        """See `Engine`."""
        if self._connection is not None:
            self._connection.close()  # the process sees it, cancels and ends
        if self._process is not None:
            self._process.join(_PATIENCE_S)
            self._process.kill()
            self._process.join()

    def _begin(self, warm_up: bool) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(
            target=serve_orders, args=(theirs, warm_up), name="eidophone-studio", daemon=True
        )
        self._process.start()
        theirs.close()

    def _follow(self, connection: Connection, say: Say, cancel: CancelToken) -> None:
        asked = False
        while True:
            if cancel.cancelled and not asked:
                connection.send(("cancel", None))
                asked = True
            if not connection.poll(_LOOK_S):
                continue
            message = connection.recv()
            say(message)
            if message["type"] in _ENDED:
                return

    def _why_ended(self) -> str:
        assert self._process is not None
        self._process.join(1.0)
        return (
            f"The process that makes results ended unexpectedly (exit code {self._process.exitcode}), perhaps for "
            "lack of memory; make fewer samples at once, or choose a smaller model. Finished samples are kept."
        )


def serve_orders(connection: Connection, warm_up: bool) -> None:
    """What the process does until the server is gone."""
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C reaches all processes of a terminal; the server decides
    orders: queue.SimpleQueue[tuple[Order, CancelToken] | None] = queue.SimpleQueue()
    warming = CancelToken()
    threading.Thread(target=_listen, args=(connection, orders, warming), daemon=True).start()
    engine = SessionEngine()
    if warm_up:
        engine.warm_up(warming)

    def _say(message: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):  # the server is gone; its job is being cancelled
            connection.send(message)

    while (given := orders.get()) is not None:
        order, cancel = given
        engine.run(order, _say, cancel)
    engine.close()


def _listen(
    connection: Connection,
    orders: "queue.SimpleQueue[tuple[Order, CancelToken] | None]",
    warming: CancelToken,
) -> None:
    """Receives orders and wishes to cancel while the process works."""
    current = warming
    try:
        while True:
            kind, order = connection.recv()
            if kind == "cancel":
                current.cancel()
            else:
                warming.cancel()
                current = CancelToken()
                orders.put((order, current))
    except (EOFError, OSError):
        current.cancel()
        warming.cancel()
        orders.put(None)
