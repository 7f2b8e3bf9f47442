"""A picture codec for small families: overlapping patches to a few numbers, and back with a touch-up.

It stands where Stable Diffusion has its VAE, with the same calls. The principal components of patches keep
more of a spectrogram than a small convolutional VAE of the same compression does (docs/journal.md), cost next
to nothing, and pass gradients unbent. This is its form for diffusers' pipelines and for training; runs read it as
`networks.patches.Patches`, without importing diffusers.
"""

from typing import Any

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.autoencoders.vae import DecoderOutput, DiagonalGaussianDistribution
from diffusers.models.modeling_outputs import AutoencoderKLOutput
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor, nn

from eidophone.core.settings import Settings
from eidophone.models.networks.patches import layers_of

_CERTAIN = -30.0  # log-variance of a code that nothing is left to chance in


class PatchCodec(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """Grey pictures to latents and back.

    Args:
        latent_channels: Numbers a patch.
        block_out_channels: As in AutoencoderKL: the first is the width of the touch-up at full resolution,
            and their number says how far apart patches lie, 2 to the power of (number - 1) pixels. Patches
            are twice as large as that.
        scaling_factor, shift_factor: As in AutoencoderKL.
    """

    analysis: nn.Conv2d
    synthesis: nn.ConvTranspose2d
    touch_up: nn.Sequential

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        latent_channels: int = 16,  # noqa: ARG002 (kept in the config)
        block_out_channels: tuple[int, ...] = (16, 16, 16, 16),  # noqa: ARG002
        scaling_factor: float = 1.0,  # noqa: ARG002
        shift_factor: float | None = None,  # noqa: ARG002
    ) -> None:
        super().__init__()
        for name, layer in layers_of(Settings(self.config)).items():
            self.add_module(name, layer)

    def encode(self, pictures: Tensor, return_dict: bool = True) -> Any:
        """Pictures (batch, 3, height, width) in [-1, 1] to latents; the mean of their channels counts."""
        mean = self.analysis(pictures.mean(1, keepdim=True))
        code = DiagonalGaussianDistribution(torch.cat([mean, torch.full_like(mean, _CERTAIN)], 1))
        return AutoencoderKLOutput(latent_dist=code) if return_dict else (code,)

    def decode(self, latents: Tensor, return_dict: bool = True, generator: object = None) -> Any:  # noqa: ARG002
        """Latents to pictures (batch, 3, height, width), about [-1, 1], three equal channels."""
        features = self.synthesis(latents)
        gray = (features[:, :1] + self.touch_up(features)).expand(-1, 3, -1, -1)
        return DecoderOutput(sample=gray) if return_dict else (gray,)
