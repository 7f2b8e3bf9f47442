"""Events of a run as plain JSON values, for the event stream."""

import base64
import io
from collections.abc import Callable
from typing import Any

from eidophone.core.events import Event, Finished, Preview, SampleFinished, Started, Step, Warned
from eidophone.core.text import printable
from eidophone.core.values import Picture, Result

#: Longest side of a preview.
PREVIEW_PIXELS = 640


def message_of(event: Event, add: Callable[[Result], dict[str, Any]]) -> dict[str, Any]:
    """An event as JSON.

    Args:
        event: Of a session.
        add: Puts a finished sample into the library and returns its entry.
    """
    match event:
        case Started(verb, samples):
            return {"type": "started", "verb": verb, "samples": samples}
        case Step(stage, done, total, eta_s):
            return {"type": "step", "stage": stage, "done": done, "total": total, "eta_s": eta_s}
        case Preview(index, picture):
            return {"type": "preview", "index": index, "picture": data_url(picture)}
        case SampleFinished(result):
            return {"type": "sample", "index": result.index, "result": add(result)}
        case Warned(message):
            return {"type": "warning", "message": printable(message)}
        case Finished(verb, samples, seconds):
            return {"type": "finished", "verb": verb, "samples": samples, "seconds": round(seconds, 3)}


def data_url(picture: Picture) -> str:
    """A small JPEG of a picture, as an address that holds it."""
    image = picture.image()
    image.thumbnail((PREVIEW_PIXELS, PREVIEW_PIXELS))
    content = io.BytesIO()
    image.save(content, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(content.getvalue()).decode()
