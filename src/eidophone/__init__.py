"""Eidophone: pictures that play, and pictures of sounds.

>>> import eidophone
>>> eidophone.compose  # doctest: +ELLIPSIS
<function compose at ...>
"""

from typing import TYPE_CHECKING, Any

from eidophone._threads import let_threads_sleep
from eidophone.version import VERSION

if TYPE_CHECKING:
    from eidophone.api import (
        caption,
        colorize,
        compose,
        distill,
        hear,
        imprint,
        load,
        paint,
        remake,
        score,
        see,
    )
    from eidophone.core.errors import EidophoneError
    from eidophone.core.values import Caption, Clip, Picture, Result, Score
    from eidophone.evaluation.evaluate import evaluate
    from eidophone.media.mel import MelSpec

let_threads_sleep()

__version__ = VERSION
__all__ = [
    "Caption", "Clip", "EidophoneError", "MelSpec", "Picture", "Result", "Score",
    "caption", "colorize", "compose", "distill", "evaluate", "hear", "imprint", "load", "paint", "remake",
    "score", "see",
]  # fmt: skip

_HOMES = {
    "Caption": "core.values",
    "Clip": "core.values",
    "EidophoneError": "core.errors",
    "MelSpec": "media.mel",
    "evaluate": "evaluation.evaluate",
    "Picture": "core.values",
    "Result": "core.values",
    "Score": "core.values",
}


def __getattr__(name: str) -> Any:
    # Public names are looked up when they are used, so that importing the package costs nothing.
    if name not in __all__:
        raise AttributeError(f"module 'eidophone' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"eidophone.{_HOMES.get(name, 'api')}"), name)
