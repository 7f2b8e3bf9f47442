"""How the two models share the canvas: one module for each blend, found by its name.

A module here defines `BLEND`, an object with the methods of `Blend`. Another package can bring one by an entry
point in the group "eidophone.blends".
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Protocol

from pydantic import AfterValidator

from eidophone.core.catalog import Catalog

if TYPE_CHECKING:  # torch is slow to import
    from torch import Tensor

    from eidophone.diffusion.guidance import Denoiser
    from eidophone.verbs.compose.run import ComposeRun, Finished, Guides


class Blend(Protocol):
    """One way to share the canvas."""

    def shapes(self, run: "ComposeRun") -> tuple[tuple[int, ...], ...]:
        """Of one sample's latents: one shape (channels, rows, columns) for each canvas, from left to right."""

    def denoiser(self, run: "ComposeRun", guides: "Guides") -> "Denoiser":
        """The denoiser of the canvases, side by side."""

    def read(self, run: "ComposeRun", latents: "Sequence[Tensor]") -> "Finished":
        """Finished latents, one (batch, *) tensor for each canvas, as pictures and as what is played."""


BLENDS: Catalog[Blend] = Catalog("blend", package=__name__, attribute="BLEND")
#: Where neither the user nor a model says: one latent, as published.
DEFAULT_BLEND = "average"

BlendName = Annotated[str, AfterValidator(BLENDS.known)]


def blend_of(name: str) -> Any:
    """A blend by its name."""
    return BLENDS[name]
