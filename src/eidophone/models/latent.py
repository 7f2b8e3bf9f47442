"""Adapter over models shaped like Stable Diffusion: U-Net, VAE, text encoder, schedule.

Nothing outside `models` touches a network of diffusers or transformers except through this contract and
that of `pixel`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from eidophone.core.errors import EidophoneError
from eidophone.diffusion.guidance import Guided, Window
from eidophone.models.source import DiffusionFiles
from eidophone.models.text import TextEncoder
from eidophone.models.unet import NoisePredictor, guided_by


@dataclass(eq=False)
class LatentModel(NoisePredictor):
    """One diffusion model over VAE latents, in one role.

    Attributes:
        source: Where it came from, and its advice.
        unet, vae: Networks of diffusers.
        text: Its text encoder.
        schedule: Its `scheduler_config.json`.
        evaluations: U-Net evaluations so far, counted a sample (a batch of 4 counts 4).
    """

    source: DiffusionFiles
    unet: Any
    vae: Any
    text: TextEncoder
    schedule: Mapping[str, Any]
    evaluations: int = 0

    @property
    def vae_scale_factor(self) -> int:
        """Pixels a latent cell, in each direction."""
        return int(2 ** (len(self.vae.config.block_out_channels) - 1))

    def latent_shape(self, height: int, width: int) -> tuple[int, int, int]:
        """(channels, rows, columns) of a canvas in pixels."""
        return (
            int(self.unet.config.in_channels),
            height // self.vae_scale_factor,
            width // self.vae_scale_factor,
        )

    def noise_of(self, latents: Tensor, timestep: Tensor, condition: Tensor) -> Tensor:
        """The noise in the latents, whatever the network predicts; float32, on the latents' device.

        Shape:
            - latents: (batch, channels, rows, columns)
            - timestep: ()
            - condition: (1, tokens, width) for all of them, or (batch, tokens, width)
        """
        return self.predicted(latents, timestep, condition)

    def guided(self, wanted: Tensor, unwanted: Tensor, scale: float, window: Window | None = None) -> Guided:
        """A denoiser with its prompts bound: conditions from `text.encode`."""
        return guided_by(self.noise_of, wanted, unwanted, scale, window)

    def encode(self, pictures: Tensor, noise: Tensor | None = None) -> Tensor:
        """Pictures to latents, with gradients; float32, on the pictures' device.

        Args:
            pictures: In [0, 1], (batch, 3, height, width).
            noise: Draws from what the VAE holds possible: unit normal, as the latents. None: their mean.
        """
        code = self.vae.encode((pictures * 2 - 1).to(self.vae.device, self.vae.dtype)).latent_dist
        raw = code.mean if noise is None else code.mean + code.std * noise.to(code.mean)
        latents: Tensor = (raw - (self.vae.config.shift_factor or 0)) * self.vae.config.scaling_factor
        return latents.to(pictures)

    def decode(self, latents: Tensor) -> Tensor:
        """Latents to pictures in [0, 1], float32, on the CPU.

        Shape:
            - Input: (batch, channels, rows, columns)
            - Output: (batch, 3, height, width)

        Raises:
            EidophoneError: the number format was too narrow and the picture is not finite.
        """
        raw = latents.to(self.vae.device, self.vae.dtype) / self.vae.config.scaling_factor
        picture = self.vae.decode(raw + (self.vae.config.shift_factor or 0), return_dict=False)[0]
        picture = (picture.float() / 2 + 0.5).cpu()
        if not torch.isfinite(picture).all():
            raise EidophoneError(
                f"{self.source.name}: the picture came out as not-a-number in {self.vae.dtype}; "
                "use --dtype float32 or bfloat16."
            )
        clamped: Tensor = picture.clamp(0, 1)
        return clamped
