"""Top to bottom: the picture turned over is what plays, low tones where the high ones were."""

from torch import Tensor

from eidophone.diffusion.views import View


def upside_down(x: Tensor) -> Tensor:
    """Rows in reverse order, (*, height, width); its own inverse."""
    return x.flip(-2)


VIEW = View("flip", upside_down, upside_down)
