"""What every U-Net here predicts: v of Salimans and Ho (2022), at noise levels spread evenly over a batch.

The weight of a noise level is the square root of min(SNR, 5) / (SNR + 1). Without the root, high noise levels
would hardly count, and they decide what goes where.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

LARGEST_SNR = 5.0


def levels(rng: np.random.Generator, batch: int, count: int) -> Tensor:
    """Timesteps (batch,): one from each of `batch` equal parts of the `count` levels, in random order."""
    at = (rng.permutation(batch) + rng.random(batch)) * count / batch
    return torch.from_numpy(at.astype(np.int64))


@dataclass(frozen=True)
class Task:
    """Noisy examples, the v to predict from them, shape (batch, *), and the weight of each, (batch,)."""

    mixed: Tensor
    goal: Tensor
    weight: Tensor

    @classmethod
    def of(cls, clean: Tensor, step: Tensor, alphas: Tensor, noise: torch.Generator) -> "Task":
        """Adds noise to clean examples at their timesteps; alphas are cumulative products."""
        share = alphas[step][:, None, None, None]
        dirt = torch.randn(clean.shape, generator=noise)
        snr = (share / (1 - share)).flatten()
        return cls(
            share.sqrt() * clean + (1 - share).sqrt() * dirt,
            share.sqrt() * dirt - (1 - share).sqrt() * clean,
            (snr.clamp(max=LARGEST_SNR) / (snr + 1)).sqrt(),
        )

    def mean(self, losses: Tensor) -> Tensor:
        """The weighted mean of the losses of all samples, shape ()."""
        weight = self.weight.to(losses.device)
        return (losses * weight).mean() / weight.mean()
