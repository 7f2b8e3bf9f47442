"""Half a turn: the picture plays when it stands on its head."""

from torch import Tensor

from eidophone.diffusion.views import View


def half_turn(x: Tensor) -> Tensor:
    """Rows and columns in reverse order, (*, height, width); its own inverse."""
    return x.flip(-2, -1)


VIEW = View("rotate", half_turn, half_turn)
