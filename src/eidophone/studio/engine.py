"""What works on jobs: one session, in this process or in a process of its own."""

import contextlib
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from eidophone.core.errors import EidophoneError
from eidophone.core.events import Cancelled, CancelToken
from eidophone.core.text import printable
from eidophone.options.commands import CaptionOptions
from eidophone.options.kinds import Options
from eidophone.studio.messages import caption_message, message_of

if TYPE_CHECKING:
    from eidophone.session import Session

Message = dict[str, Any]
Say = Callable[[Message], None]


@dataclass(frozen=True)
class Order:
    """What an engine is asked for.

    Attributes:
        options: Of a verb, or of `caption`.
        place: The folder for the results of a verb, or the sound to caption.
    """

    options: Options
    place: Path


class Engine(Protocol):
    """Runs one order at a time; its last message is "finished", "cancelled" or "failed"."""

    def start(self, warm_up: bool) -> None:
        """Gets ready; with `warm_up`, loads what most runs need before anybody asks."""

    def run(self, order: Order, say: Say, cancel: CancelToken) -> None:
        """Works on an order and says what happens."""

    def close(self) -> None:
        """Gives everything back."""


class SessionEngine:
    """An engine in this process."""

    def __init__(self) -> None:
        self._session: Session | None = None

    def start(self, warm_up: bool) -> None:
        """See `Engine`."""
        if warm_up:
            self.warm_up(CancelToken())

    def warm_up(self, cancel: CancelToken) -> None:
        """Loads torch and the embedded models; stops early when a real order comes, which loads them itself."""
        from eidophone.running import Output
        from eidophone.verbs.compose.options import ComposeOptions

        options = ComposeOptions.make(
            image_prompt="castle", audio_prompt="bell", preset="draft", count=1, steps=1, judges="tiny"
        )
        with contextlib.suppress(EidophoneError):
            for _ in self._opened().run(options, Output(cancel=cancel)):
                pass

    def run(self, order: Order, say: Say, cancel: CancelToken) -> None:
        """See `Engine`."""
        try:
            if isinstance(order.options, CaptionOptions):
                self._caption(order, say)
            else:
                self._make(order, say, cancel)
        except Cancelled:
            say({"type": "cancelled"})
        except EidophoneError as error:
            say({"type": "failed", "message": printable(str(error))})
        except Exception as error:  # the server outlives any job
            words = f"Unexpected failure ({type(error).__name__}: {error}); the server's terminal shows more."
            say({"type": "failed", "message": printable(words)[:500]})
            traceback.print_exc()

    def close(self) -> None:
        """See `Engine`."""
        if self._session is not None:
            self._session.close()

    def _opened(self) -> "Session":
        from eidophone.session import Session

        self._session = self._session or Session()
        return self._session

    def _make(self, order: Order, say: Say, cancel: CancelToken) -> None:
        from eidophone.running import Output

        finished: Message = {}

        def _listen(event: Any) -> None:
            message = message_of(event)
            if message["type"] == "finished":
                finished.update(message)  # said below, after the folder is complete
            else:
                say(message)

        output = Output(order.place, events=_listen, cancel=cancel, ahead=True)
        for _ in self._opened().run(order.options, output):
            pass
        say(finished)

    def _caption(self, order: Order, say: Say) -> None:
        assert isinstance(order.options, CaptionOptions)
        say({"type": "step", "stage": "listening", "done": 0, "total": 1, "eta_s": None})
        heard = self._opened().captioner(order.options)(order.place)
        say(caption_message(heard))
        say({"type": "finished", "samples": 0, "seconds": 0.0})
