"""What a separator is."""

from collections.abc import Sequence
from typing import Protocol

from eidophone.core.values import Floats
from eidophone.models.captioners.sentence import Heard


class Separator(Protocol):
    """Takes the sources of a recording apart.

    Attributes:
        name: As the card calls it.
        rate_hz: Of the sound that it takes apart.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def rate_hz(self) -> int: ...  # noqa: D102

    def separate(self, samples: Floats, heard: Sequence[Heard]) -> Floats:
        """The sound of each source.

        Args:
            samples: Mono at `rate_hz`, full scale -1 to 1, (frames,).
            heard: What was heard, from when to when; at least one.

        Returns:
            (sources, frames), in the order of `heard`.
        """
        ...
