"""Left to right: the sound runs backwards through the picture."""

from torch import Tensor

from eidophone.diffusion.views import View


def mirrored(x: Tensor) -> Tensor:
    """Columns in reverse order, (*, height, width); its own inverse."""
    return x.flip(-1)


VIEW = View("mirror", mirrored, mirrored)
