"""Begins a network from a smaller one of the same shape: what fits is copied, new inputs begin at zero."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor


def grow(
    old: Mapping[str, Tensor], new: Mapping[str, Tensor], paired: Sequence[str] = ()
) -> dict[str, Tensor]:
    """The weights of `new`, where there is a place for it those of `old`.

    Outputs that the old network did not have keep their start; inputs that it did not have begin at zero, so
    that the old outputs are what they were.

    Args:
        old: State of the smaller network.
        new: State of the larger one, freshly made.
        paired: Beginnings of names whose channels are two halves (means and log-variances), matched each.

    Raises:
        ValueError: a tensor of the old network is larger than that of the new one.
    """
    return {name: _grown(old[name], start, name.startswith(tuple(paired))) if name in old else start
            for name, start in new.items()}  # fmt: skip


def _grown(old: Tensor, start: Tensor, paired: bool) -> Tensor:
    if old.ndim != start.ndim or any(a > b for a, b in zip(old.shape, start.shape, strict=True)):
        raise ValueError(f"cannot grow {tuple(old.shape)} into {tuple(start.shape)}")
    out = start.clone().float()
    places = [_places(a, b, paired) for a, b in zip(old.shape, start.shape, strict=True)]
    if out.ndim > 1:
        fresh = torch.ones(start.shape[1], dtype=torch.bool)
        fresh[places[1]] = False
        rows = torch.zeros(start.shape[0], dtype=torch.bool)
        rows[places[0]] = True
        out[rows[:, None] & fresh[None, :]] = 0
    out[torch.meshgrid(*places, indexing="ij")] = old.float()
    return out.to(start.dtype)


def _places(have: int, want: int, paired: bool) -> Tensor:
    """Where the old indices lie among the new ones."""
    if not paired or have == want:
        return torch.arange(have)
    half = torch.arange(have // 2)
    return torch.cat([half, want // 2 + half])
