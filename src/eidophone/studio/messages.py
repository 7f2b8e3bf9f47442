"""Events of a run as plain JSON values, for the event stream."""

import base64
import io
from typing import Any

from eidophone.core.events import Event, Finished, Iteration, Preview, SampleFinished, Started, Step, Warned
from eidophone.core.text import printable
from eidophone.core.values import Caption, Picture
from eidophone.models.captioners.weights import weigh

#: Longest side of a preview, and of one of many pictures.
PREVIEW_PIXELS, SMALL_PIXELS = 640, 192


def message_of(event: Event) -> dict[str, Any]:
    """An event of a session as JSON; a finished sample is named by its folder."""
    match event:
        case Started(verb, samples):
            return {"type": "started", "verb": verb, "samples": samples}
        case Step(stage, done, total, eta_s):
            return {"type": "step", "stage": stage, "done": done, "total": total, "eta_s": eta_s}
        case Preview(index, picture):
            return {"type": "preview", "index": index, "picture": data_url(picture)}
        case Iteration(index, number, picture, numbers):
            small = data_url(picture, SMALL_PIXELS)
            return {"type": "iteration", "index": index, "number": number, "picture": small, **numbers}
        case SampleFinished(result):
            return {"type": "sample", "index": result.index, "folder": str(result.folder)}
        case Warned(message):
            return {"type": "warning", "message": printable(message)}
        case Finished(verb, samples, seconds):
            return {"type": "finished", "verb": verb, "samples": samples, "seconds": round(seconds, 3)}


def caption_message(heard: Caption) -> dict[str, Any]:
    """A caption: its words with their confidence, their times and the weights that `paint` gives them."""
    weighed = weigh(heard)
    words = [
        {**vars(word), "text": printable(word.text), "weight": round(weight, 4), "noun": round(noun, 4)}
        for word, weight, noun in zip(heard.words, weighed.weights, weighed.noun, strict=True)
    ]
    return {"type": "caption", "text": printable(heard.text), "words": words}


def data_url(picture: Picture, pixels: int = PREVIEW_PIXELS) -> str:
    """A small JPEG of a picture, as an address that holds it."""
    image = picture.image()
    image.thumbnail((pixels, pixels))
    content = io.BytesIO()
    image.save(content, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(content.getvalue()).decode()
