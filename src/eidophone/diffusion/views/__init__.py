"""Views: exact rearrangements between the canvas and what a model sees of it. One module for each view.

A module here defines `VIEW`; its name is the view's name. Another package can bring one by an entry point in the
group "eidophone.views". Importing this package imports no torch.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator

from eidophone.core.catalog import Catalog

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class View:
    """A change of coordinates and its exact inverse, for latents and pictures alike.

    Attributes:
        name: As the options call it.
        apply: From the canvas to what the model sees, (*, height, width) -> (*, height', width').
        undo: The inverse of `apply`.
        rows: How many times lower and wider the model's canvas is; the height must divide by it.
    """

    name: str
    apply: "Callable[[Tensor], Tensor]"
    undo: "Callable[[Tensor], Tensor]"
    rows: int = 1


VIEWS: Catalog[View] = Catalog("view", package=__name__, attribute="VIEW")
ViewName = Annotated[str, AfterValidator(VIEWS.known)]
