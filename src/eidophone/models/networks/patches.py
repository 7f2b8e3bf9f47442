"""The codec of small families; what it is, and its form for diffusers, is in `models.patches`."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from eidophone.core.settings import Settings
from eidophone.models.networks.base import Network
from eidophone.models.networks.config import completed
from eidophone.models.networks.vae import Decoded, Encoded, Gaussian

NAME = "PatchCodec"
DEFAULTS: dict[str, Any] = {
    "latent_channels": 16, "block_out_channels": (16, 16, 16, 16), "scaling_factor": 1.0, "shift_factor": None,
}  # fmt: skip
_CERTAIN = -30.0  # log-variance of a code that nothing is left to chance in


def layers_of(config: Settings) -> dict[str, nn.Module]:
    """The layers of a codec, by name."""
    apart, features = 2 ** (len(config.block_out_channels) - 1), config.block_out_channels[0]
    size, edge = 2 * apart, apart // 2
    touch_up = nn.Sequential(
        nn.SiLU(), nn.Conv2d(features, features, 3, padding=1),
        nn.SiLU(), nn.Conv2d(features, features, 3, padding=1),
        nn.SiLU(), nn.Conv2d(features, 1, 3, padding=1),
    )  # fmt: skip
    return {
        "analysis": nn.Conv2d(1, config.latent_channels, size, apart, edge),
        "synthesis": nn.ConvTranspose2d(config.latent_channels, features, size, apart, edge),
        "touch_up": touch_up,
    }


class Patches(Network):
    """Grey pictures to latents and back."""

    DEFAULTS: ClassVar[Mapping[str, Any]] = DEFAULTS

    analysis: nn.Module
    synthesis: nn.Module
    touch_up: nn.Module

    def __init__(self, given: Mapping[str, Any]) -> None:
        super().__init__()
        self.config = completed(given, DEFAULTS)
        for name, layer in layers_of(self.config).items():
            self.add_module(name, layer)

    @classmethod
    def understands(cls, given: Mapping[str, Any]) -> bool:
        """See `Network`."""
        return given.get("_class_name") == NAME

    @classmethod
    def from_config(cls, given: Mapping[str, Any]) -> Self:
        """See `Network`."""
        return cls(given)

    def encode(self, pictures: Tensor) -> Encoded:
        """Pictures (batch, 3, height, width) in [-1, 1] to latents; the mean of their channels counts."""
        mean = self.analysis(pictures.mean(1, keepdim=True))
        return Encoded(Gaussian(torch.cat([mean, torch.full_like(mean, _CERTAIN)], 1)))

    def decode(self, latents: Tensor) -> Decoded:
        """Latents to pictures (batch, 3, height, width), about [-1, 1], three equal channels."""
        features = self.synthesis(latents)
        return Decoded((features[:, :1] + self.touch_up(features)).expand(-1, 3, -1, -1))
