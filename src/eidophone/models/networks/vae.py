"""The VAE of Stable Diffusion (Rombach et al., 2022): pictures to latents, and back."""

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eidophone.core.settings import Settings
from eidophone.models.networks.base import Network
from eidophone.models.networks.config import completed, fits
from eidophone.models.networks.layers import Attention, Double, Half, Residual

DEFAULTS: dict[str, Any] = {
    "in_channels": 3, "out_channels": 3, "block_out_channels": (64,), "layers_per_block": 1, "latent_channels": 4,
    "norm_num_groups": 32, "scaling_factor": 0.18215, "shift_factor": None,
    "down_block_types": ("DownEncoderBlock2D",), "up_block_types": ("UpDecoderBlock2D",),
}  # fmt: skip
_PLAIN: dict[str, Any] = {
    "act_fn": "silu", "use_quant_conv": True, "use_post_quant_conv": True, "mid_block_add_attention": True,
}  # fmt: skip
_EPS = 1e-6


class Gaussian:
    """The distribution of a picture's latents.

    Attributes:
        mean, std: (batch, channels, rows, columns).
    """

    def __init__(self, numbers: Tensor) -> None:
        self.mean, logvar = numbers.chunk(2, 1)
        self.std = torch.exp(0.5 * logvar.clamp(-30.0, 20.0))


class Encoded(NamedTuple):
    """What a VAE makes of pictures."""

    latent_dist: Gaussian


class Decoded(NamedTuple):
    """What a VAE makes of latents, (batch, 3, height, width)."""

    sample: Tensor


class CellAttention(Attention):
    """Attention of all cells to each other, with one head."""

    def __init__(self, width: int, groups: int) -> None:
        super().__init__(width, 1, bias=True)
        self.group_norm = nn.GroupNorm(groups, width, _EPS)

    def forward(self, cells: Tensor, condition: Tensor | None = None) -> Tensor:
        """(batch, width, rows, columns) -> the same."""
        batch, width, rows, columns = cells.shape
        flat = self.group_norm(cells.flatten(2)).transpose(1, 2)
        found = super().forward(flat, condition)
        return found.transpose(-1, -2).reshape(batch, width, rows, columns) + cells


class Middle(nn.Module):
    """Attention between two residual blocks."""

    def __init__(self, width: int, groups: int) -> None:
        super().__init__()
        self.resnets = nn.ModuleList([Residual(width, width, None, groups, _EPS) for _ in range(2)])
        self.attentions = nn.ModuleList([CellAttention(width, groups)])

    def forward(self, cells: Tensor) -> Tensor:
        """(batch, width, rows, columns) -> the same."""
        found: Tensor = self.resnets[1](self.attentions[0](self.resnets[0](cells)))
        return found


class Level(nn.Module):
    """Residual blocks of one size, then half or double that size."""

    def __init__(
        self, given: int, wide: int, count: int, groups: int, *, halve: bool = False, double: bool = False
    ) -> None:
        super().__init__()
        blocks = [Residual(given if n == 0 else wide, wide, None, groups, _EPS) for n in range(count)]
        self.resnets = nn.ModuleList(blocks)
        if halve:
            self.downsamplers = nn.ModuleList([Half(wide, 0)])
        if double:
            self.upsamplers = nn.ModuleList([Double(wide)])

    def forward(self, cells: Tensor) -> Tensor:
        """(batch, channels, rows, columns) -> wider, at another size."""
        for block in self.resnets:
            cells = block(cells)
        for name in ("downsamplers", "upsamplers"):
            if hasattr(self, name):
                cells = getattr(self, name)[0](cells)
        return cells


class Encoder(nn.Module):
    """Pictures to the numbers of a Gaussian, before `quant_conv`."""

    def __init__(self, config: Settings) -> None:
        super().__init__()
        channels, groups, last = (
            config.block_out_channels,
            config.norm_num_groups,
            len(config.block_out_channels) - 1,
        )
        self.conv_in = nn.Conv2d(config.in_channels, channels[0], 3, padding=1)
        self.down_blocks = nn.ModuleList(
            [
                Level(channels[max(0, n - 1)], wide, config.layers_per_block, groups, halve=n < last)
                for n, wide in enumerate(channels)
            ]
        )
        self.mid_block = Middle(channels[-1], groups)
        self.conv_norm_out = nn.GroupNorm(groups, channels[-1], _EPS)
        self.conv_out = nn.Conv2d(channels[-1], 2 * config.latent_channels, 3, padding=1)

    def forward(self, pictures: Tensor) -> Tensor:
        """(batch, 3, height, width) -> (batch, 2 channels, rows, columns)."""
        cells = self.conv_in(pictures)
        for level in self.down_blocks:
            cells = level(cells)
        found: Tensor = self.conv_out(F.silu(self.conv_norm_out(self.mid_block(cells))))
        return found


class Decoder(nn.Module):
    """Latents to pictures, after `post_quant_conv`."""

    def __init__(self, config: Settings) -> None:
        super().__init__()
        channels = config.block_out_channels[::-1]
        groups, last = config.norm_num_groups, len(channels) - 1
        self.conv_in = nn.Conv2d(config.latent_channels, channels[0], 3, padding=1)
        self.mid_block = Middle(channels[0], groups)
        self.up_blocks = nn.ModuleList(
            [
                Level(channels[max(0, n - 1)], wide, config.layers_per_block + 1, groups, double=n < last)
                for n, wide in enumerate(channels)
            ]
        )
        self.conv_norm_out = nn.GroupNorm(groups, channels[-1], _EPS)
        self.conv_out = nn.Conv2d(channels[-1], config.out_channels, 3, padding=1)

    def forward(self, latents: Tensor) -> Tensor:
        """(batch, channels, rows, columns) -> (batch, 3, height, width)."""
        cells = self.mid_block(self.conv_in(latents))
        for level in self.up_blocks:
            cells = level(cells)
        found: Tensor = self.conv_out(F.silu(self.conv_norm_out(cells)))
        return found


class Vae(Network):
    """Pictures in [-1, 1] to latents, and back."""

    DEFAULTS: ClassVar[Mapping[str, Any]] = DEFAULTS

    @classmethod
    def understands(cls, given: Mapping[str, Any]) -> bool:
        """See `Network`."""
        config = completed(given, DEFAULTS)
        count = len(config.block_out_channels)
        return (
            fits(config, _PLAIN)
            and config.down_block_types == ("DownEncoderBlock2D",) * count
            and config.up_block_types == ("UpDecoderBlock2D",) * count
        )

    def __init__(self, given: Mapping[str, Any]) -> None:
        super().__init__()
        self.config = config = completed(given, DEFAULTS)
        channels = config.latent_channels
        self.encoder, self.decoder = Encoder(config), Decoder(config)
        self.quant_conv = nn.Conv2d(2 * channels, 2 * channels, 1)
        self.post_quant_conv = nn.Conv2d(channels, channels, 1)

    def encode(self, pictures: Tensor) -> Encoded:
        """(batch, 3, height, width) -> the distribution of its latents."""
        return Encoded(Gaussian(self.quant_conv(self.encoder(pictures))))

    def decode(self, latents: Tensor) -> Decoded:
        """(batch, channels, rows, columns) -> (batch, 3, height, width)."""
        return Decoded(self.decoder(self.post_quant_conv(latents)))
