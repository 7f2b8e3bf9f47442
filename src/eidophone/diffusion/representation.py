"""Canvases that can be optimised: modules that draw from their parameters, without any input."""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from eidophone.diffusion.canvas import start_noise


class ImplicitPicture(nn.Module):
    """A picture as a function of position: Fourier features, then 1x1 convolutions.

    The scale of the random frequencies (Tancik et al., 2020, arXiv:2006.10739) decides which details are easy
    to learn. Images that Sound optimises such a picture (section 4.1). BatchNorm always normalises over the
    picture itself.

    Args:
        channels, height, width: Of the picture.
        seed: For frequencies and weights.
        frequencies: Number of random frequencies; each gives a sine and a cosine.
        scale: Standard deviation of the frequencies, in periods per side.
        features: Width of the three hidden convolutions.
    """

    grid: Tensor

    def __init__(
        self,
        channels: int,
        height: int,
        width: int,
        seed: int,
        frequencies: int = 128,
        scale: float = 10.0,
        features: int = 256,
    ) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            drawn = scale * torch.randn(2, frequencies)
            widths = (2 * frequencies, features, features, features)
            hidden = [_convolved(a, b) for a, b in pairwise(widths)]
            self.layers = nn.Sequential(*hidden, nn.Conv2d(features, channels, 1), nn.Sigmoid())
        self.register_buffer("grid", _fourier_features(drawn, height, width), persistent=False)

    def forward(self) -> Tensor:
        """The picture, (1, channels, height, width) in [0, 1]."""
        drawn: Tensor = self.layers(self.grid)
        return drawn


def _convolved(before: int, after: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(before, after, 1), nn.ReLU(), nn.BatchNorm2d(after, track_running_stats=False)
    )


def _fourier_features(frequencies: Tensor, height: int, width: int) -> Tensor:
    """Sines and cosines of (y, x) in [0, 1) at (2, n) frequencies: (1, 2 n, height, width)."""
    rows, columns = torch.arange(height) / height, torch.arange(width) / width
    places = torch.stack(torch.meshgrid(rows, columns, indexing="ij"), -1)
    phases = 2 * math.pi * places @ frequencies
    features = torch.cat([phases.sin(), phases.cos()], -1).permute(2, 0, 1)[None]
    return features.contiguous()  # BatchNorm on a CPU is off by 1e-3 where channels are last in memory


class PixelGrid(nn.Module):
    """One number per pixel and channel, through a sigmoid; starts mid-grey with a little noise."""

    def __init__(self, channels: int, height: int, width: int, seed: int, spread: float = 0.1) -> None:
        super().__init__()
        self.levels = nn.Parameter(spread * start_noise((1, channels, height, width), seed))

    def forward(self) -> Tensor:
        """The picture, (1, channels, height, width) in [0, 1]."""
        return self.levels.sigmoid()


class LatentGrid(nn.Module):
    """One number per latent cell and channel; starts at zero."""

    def __init__(self, channels: int, rows: int, columns: int) -> None:
        super().__init__()
        self.latents = nn.Parameter(torch.zeros(1, channels, rows, columns))

    def forward(self) -> Tensor:
        """The latents, (1, channels, rows, columns)."""
        return self.latents
