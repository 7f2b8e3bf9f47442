"""What an embedder is: the role that CLIP, CLAP, AudioCLIP and the embedded one play."""

from collections.abc import Sequence
from typing import Literal, Protocol

from torch import Tensor

Sense = Literal["picture", "sound", "text"]


class Embedder(Protocol):
    """Says where pictures, sounds and phrases lie in one space; what fits together lies close.

    Rows are unit vectors, so a dot product of two rows is their cosine. Each row depends on its own input
    only, whatever else is in the batch. Gradients flow through `picture` and `sound` where the caller has
    them switched on.

    Attributes:
        name: As the card calls it.
        senses: What it can embed; the other methods raise `BadInput`.
        logit_scale: What the published losses multiply a cosine by: AudioCLIP's own of picture and sound, and
            100, the most that it allows, where none was learned.
        sees_whole: Whether wide pictures are its own; others see them in square windows.
        nothing: Phrases that it learned to say of sounds and pictures in which nothing is, if it did.
    """

    name: str
    senses: frozenset[Sense]
    logit_scale: float
    sees_whole: bool = False
    nothing: tuple[str, ...] = ()

    def picture(self, pixels: Tensor) -> Tensor:
        """Pictures of any size, (batch, 3, height, width) in [0, 1] -> (batch, dimensions)."""
        ...

    def sound(self, samples: Tensor, rate_hz: int) -> Tensor:
        """Sounds of any length, (batch, frames), full scale -1 to 1 -> (batch, dimensions)."""
        ...

    def text(self, phrases: Sequence[str]) -> Tensor:
        """Phrases -> (len(phrases), dimensions)."""
        ...
