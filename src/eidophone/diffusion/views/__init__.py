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
        square: Whether only a canvas as high as wide fits.
        moves: Whether `apply` moves places; `negate` only changes what is there.
        on_pictures: What becomes of a picture in [0, 1], where that is not `apply`.
        with_seed: The same view with another random order, where it has one.
        steps: The views that it applies one after another; empty, if it is one view.
    """

    name: str
    apply: "Callable[[Tensor], Tensor]"
    undo: "Callable[[Tensor], Tensor]"
    rows: int = 1
    grid: tuple[int, int] = (1, 1)
    collage: bool = True
    square: bool = False
    moves: bool = True
    on_pictures: "Callable[[Tensor], Tensor] | None" = None
    with_seed: "Callable[[int], View] | None" = None
    steps: "tuple[View, ...]" = ()

    def seen(self, pictures: "Tensor") -> "Tensor":
        """Pictures in [0, 1] as this view shows them, (*, height, width) -> (*, height', width')."""
        return (self.on_pictures or self.apply)(pictures)

    def check(self, rows: int, columns: int, factor: int, flag: str = "") -> None:
        """Refuses a canvas that does not divide into the view's pieces.

        Args:
            rows, columns: Of the canvas, in latent cells.
            factor: Pixels per latent cell.
            flag: What asks for the view, for messages; empty for `--view NAME`.

        Raises:
            BadInput: the message names the sizes that would do.
        """
        asked = flag or f"--view {self.name}"
        if self.square and rows != columns:
            raise BadInput(f"{asked} needs a square canvas; use --width {rows * factor}.")
        for size, cells, pieces in (("--height", rows, self.grid[0]), ("--width", columns, self.grid[1])):
            if cells % pieces:
                block = pieces * factor
                near = sorted({max(block, cells // pieces * block), (cells // pieces + 1) * block})
                raise BadInput(
                    f"{size} {cells * factor}: {asked} needs a multiple of {block} pixels; the nearest "
                    f"are {' and '.join(map(str, near))}."
                )


#: All views by name.
VIEWS: Catalog[View] = Catalog("view", package=__name__, attribute="VIEW")
ViewName = Annotated[str, AfterValidator(VIEWS.known)]
