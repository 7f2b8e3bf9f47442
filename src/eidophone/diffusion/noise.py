"""Start noise: an argument, not a state."""

from collections.abc import Sequence

import torch
from torch import Tensor


def start_noise(shape: tuple[int, ...], seed: int) -> Tensor:
    """Unit normal noise that depends on shape and seed and on nothing else.

    Drawn on the CPU in float32 and moved by the caller, so that one seed starts the same sample on
    every device. Equal to a fresh `torch.manual_seed(seed)` followed by `torch.randn(shape)`.
    """
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def batch_noise(shape: tuple[int, ...], seeds: Sequence[int]) -> Tensor:
    """One sample's noise a seed, stacked: (len(seeds), *shape). Row i does not depend on the other seeds."""
    return torch.cat([start_noise((1, *shape), seed) for seed in seeds])
