"""A run in a notebook: previews as it goes, progress, a button that cancels, and a player for each sample.

Needs the extra `notebook`. The run works in a thread of its own, so that the notebook stays free::

    from eidophone import notebook

    run = notebook.start("compose", "a castle", "bell ringing", count=2)
    run            # shows it
    run.wait()     # the results, once it is over
"""

import io
import threading
from typing import Any

from eidophone.api import default_session
from eidophone.core.errors import EidophoneError
from eidophone.core.events import (
    Cancelled,
    CancelToken,
    Event,
    Finished,
    Iteration,
    Preview,
    SampleFinished,
    Started,
    Step,
    Warned,
)
from eidophone.core.text import printable
from eidophone.core.values import Picture, Result
from eidophone.session import Session
from eidophone.verbs import verb_of

try:
    import ipywidgets
except ModuleNotFoundError as error:
    raise EidophoneError(
        "The notebook widget needs ipywidgets: pip install 'eidophone[notebook]'."
    ) from error

#: One thread at a time may use a session.
_SESSIONS: dict[int, threading.Lock] = {}
_WIDE = ipywidgets.Layout(width="100%")


def start(verb: str, *arguments: Any, session: Session | None = None, **options: Any) -> "Run":
    """Starts a verb in the background.

    Args:
        verb: Its name, such as "compose".
        arguments: Its positional arguments, as on the command line.
        session: Whose models are used; the default session if None. Runs of one session wait for each other.
        options: As in the Python API; `out` stores the results.

    Raises:
        EidophoneError: an unknown verb.
    """
    names = [argument.field for argument in verb_of(verb).arguments]
    if len(arguments) > len(names):
        raise EidophoneError(f"{verb} takes at most {len(names)} positional arguments: {', '.join(names)}.")
    given = dict(zip(names, arguments, strict=False)) | options
    return Run(verb, given, session or default_session())


class Run:
    """A verb at work; a notebook shows it as its widget.

    Attributes:
        verb: Its name.
        results: Finished samples so far.
        widget: What is shown.
    """

    def __init__(self, verb: str, options: dict[str, Any], session: Session) -> None:
        self.verb = verb
        self.results: list[Result] = []
        self._error: BaseException | None = None
        self._cancel = CancelToken()
        self._state = ipywidgets.Label("Waiting…")
        self._bar = ipywidgets.FloatProgress(min=0, max=1, layout=_WIDE)
        self._button = ipywidgets.Button(description="Cancel", tooltip="Finished samples are kept")
        self._button.on_click(lambda _: self.cancel())
        self._samples: dict[int, ipywidgets.VBox] = {}
        self._gallery = ipywidgets.VBox([])
        top = ipywidgets.HBox([self._bar, self._button], layout=_WIDE)
        self.widget = ipywidgets.VBox([top, self._state, self._gallery])
        self._thread = threading.Thread(target=self._work, args=(options, session), daemon=True)
        self._thread.start()

    @property
    def done(self) -> bool:
        """Whether it is over."""
        return not self._thread.is_alive()

    def cancel(self) -> None:
        """Stops it within one step; finished samples are kept."""
        self._cancel.cancel()
        self._button.disabled = True

    def wait(self, timeout: float | None = None) -> list[Result]:
        """Waits for the end, in seconds, and returns the results; those that are finished, if it was cancelled.

        Raises:
            EidophoneError: why it failed.
            TimeoutError: it goes on.
        """
        self._thread.join(timeout)
        if self._thread.is_alive():
            raise TimeoutError(f"{self.verb} goes on after {timeout} seconds.")
        if self._error is not None:
            raise self._error
        return self.results

    def _repr_mimebundle_(self, **more: Any) -> Any:
        return self.widget._repr_mimebundle_(**more)

    # --- at work -------------------------------------------------------------------------------------

    def _work(self, options: dict[str, Any], session: Session) -> None:
        with _SESSIONS.setdefault(id(session), threading.Lock()):
            try:
                made = getattr(session, self.verb)(**options, events=self._listen, cancel=self._cancel)
                for _ in [made] if isinstance(made, Result) else made:
                    pass
            except Cancelled:
                self._end(f"Cancelled. {len(self.results)} finished.")
            except EidophoneError as error:
                self._error = error
                self._end(printable(str(error)))
            except Exception as error:
                self._error = error
                self._end(printable(f"{type(error).__name__}: {error}"))

    def _listen(self, event: Event) -> None:
        match event:
            case Started(verb, samples):
                self._state.value = f"{verb}: {samples} to make"
            case Step(stage, done, total, eta_s):
                self._bar.value = done / max(1, total)
                left = "" if eta_s is None else f", {eta_s:.0f} s left"
                self._state.value = f"{stage} {done}/{total}{left}"
            case Preview(index, picture):
                self._show(index, [_image(picture)])
            case Iteration(index, number, picture, numbers):
                self._add_iteration(index, number, picture, dict(numbers))
            case SampleFinished(result):
                self.results.append(result)
                self._show(result.index, [ipywidgets.HTML(result._repr_html_())])
            case Warned(message):
                self._gallery.children = (*self._gallery.children, ipywidgets.Label(printable(message)))
            case Finished(_, samples, seconds):
                self._end(f"{samples} made in {seconds:.1f} s")
                self._bar.value = 1.0

    def _sample(self, index: int) -> ipywidgets.VBox:
        if index not in self._samples:
            self._samples[index] = ipywidgets.VBox([ipywidgets.VBox([]), ipywidgets.HBox([])])
            self._gallery.children = (*self._gallery.children, self._samples[index])
        return self._samples[index]

    def _show(self, index: int, widgets: list[Any]) -> None:
        self._sample(index).children[0].children = widgets

    def _add_iteration(self, index: int, number: int, picture: Picture, numbers: dict[str, float]) -> None:
        place = self._sample(index).children[1]
        words = ", ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in numbers.items())
        tried = ipywidgets.VBox([_image(picture, 120), ipywidgets.Label(f"{number + 1}: {words}")])
        place.children = (*place.children, tried)

    def _end(self, words: str) -> None:
        self._state.value = words
        self._button.disabled = True


def _image(picture: Picture, height: int | None = None) -> ipywidgets.Image:
    content = io.BytesIO()
    picture.image().save(content, "JPEG", quality=80)
    layout = ipywidgets.Layout(max_width="100%", height=f"{height}px" if height else "auto")
    return ipywidgets.Image(value=content.getvalue(), format="jpeg", layout=layout)
