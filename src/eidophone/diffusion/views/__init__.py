"""Views: exact rearrangements between the canvas and what a model sees of it. One module for each view.

A module here defines `VIEW`; its name is the view's name. Another package can bring one by an entry point in the
group "eidophone.views". Importing this package imports no torch.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator

from eidophone.core.catalog import Catalog
from eidophone.core.errors import BadInput

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
        grid: (rows, columns) of equal pieces that it cuts the canvas into.
        collage: Whether `--blend lighten` can use it, which scales and moves the drawing as the model sees it.
    """

    name: str
    apply: "Callable[[Tensor], Tensor]"
    undo: "Callable[[Tensor], Tensor]"
    rows: int = 1
    grid: tuple[int, int] = (1, 1)
    collage: bool = True

    def check(self, rows: int, columns: int, factor: int) -> None:
        """Refuses a canvas that does not divide into the view's pieces.

        Args:
            rows, columns: Of the canvas, in latent cells.
            factor: Pixels per latent cell.

        Raises:
            BadInput: the message names the sizes that would do.
        """
        for flag, cells, pieces in (("--height", rows, self.grid[0]), ("--width", columns, self.grid[1])):
            if cells % pieces:
                block = pieces * factor
                near = sorted({max(block, cells // pieces * block), (cells // pieces + 1) * block})
                raise BadInput(
                    f"{flag} {cells * factor}: --view {self.name} needs a multiple of {block} pixels; the nearest "
                    f"are {' and '.join(map(str, near))}."
                )


VIEWS: Catalog[View] = Catalog("view", package=__name__, attribute="VIEW")
ViewName = Annotated[str, AfterValidator(VIEWS.known)]
