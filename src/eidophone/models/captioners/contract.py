"""What a captioner is: the role that the embedded tagger, ACT and the models of transformers play."""

from collections.abc import Iterable
from typing import Protocol

from eidophone.core.values import Caption, Floats


class Captioner(Protocol):
    """Says what can be heard.

    Attributes:
        name: As the card calls it.
        rate_hz: Of the sound that it listens to.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def rate_hz(self) -> int: ...  # noqa: D102

    def caption(self, blocks: Iterable[Floats]) -> Caption:
        """One caption for a whole sound of any length.

        Args:
            blocks: The sound in parts of any size, each of shape (frames,): mono at `rate_hz`, full scale
                -1 to 1. `media.stream.mono_blocks` reads them from a file. They are heard once, in order,
                and never kept.
        """
        ...
