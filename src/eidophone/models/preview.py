"""Cheap previews of latents, for looking on while a sample is made."""

from collections.abc import Callable

import torch
from torch import Tensor

from eidophone.models.latent import LatentModel
from eidophone.models.small_decoder import decoded, is_small

#: Least-squares map from Stable Diffusion 1.x latents to RGB in [-1, 1], a figure known in the field.
_SD_RGB = (
    (0.298, 0.207, 0.208),
    (0.187, 0.286, 0.173),
    (-0.158, 0.189, 0.264),
    (-0.184, -0.271, -0.473),
)


def preview(model: LatentModel, latents: Tensor, decode: Callable[[Tensor], Tensor] | None = None) -> Tensor:
    """Pictures of latents, (batch, 3, height, width) in [0, 1], on the CPU.

    A small VAE decodes them itself. For a large one, a decoder in TAESD's layout does, where one is on this machine.
    Else latents of Stable Diffusion's four channels go through a linear map at one pixel per latent cell, and
    others are shown as the mean of their channels.

    Args:
        model: Whose latents they are.
        latents: (batch, channels, rows, columns).
        decode: What decodes them instead of a small VAE, such as one that works in windows.
    """
    with torch.inference_mode():
        if is_small(model.vae):
            return (decode or model.decode)(latents)
        if model.small_decoder is not None:
            return decoded(model.small_decoder, latents)
        cells = latents.float().cpu()
        if cells.shape[1] == len(_SD_RGB):
            return (torch.einsum("bchw,cr->brhw", cells, torch.tensor(_SD_RGB)) / 2 + 0.5).clamp(0, 1)
        gray = cells.mean(1, keepdim=True)
        spread = gray.abs().amax((1, 2, 3), keepdim=True).clamp(min=1e-6)
        return (gray / spread / 2 + 0.5).expand(-1, 3, -1, -1)
