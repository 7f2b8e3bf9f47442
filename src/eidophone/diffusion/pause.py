"""Walks that stop on the way: samples can leave a batch, join another, and walk on."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from eidophone.diffusion.guidance import Denoiser
from eidophone.diffusion.walk import State, walk


@dataclass(frozen=True)
class Paused:
    """Samples somewhere on the noise ladder.

    Attributes:
        latents: Shape (batch, *); unit noise at the start.
        scheduler: As the walk left it; what it remembers of its last steps has a row a sample.
        step: Finished steps.
    """

    latents: Tensor
    scheduler: Any
    step: int = 0

    def walk_on(self, denoiser: Denoiser, until: int, watch: Callable[[int], None]) -> tuple["Paused", State]:
        """The samples `until` steps from the start, and the last state; tells `watch` every step.

        The scheduler that comes back is this one, moved on: walk on from what comes back only.
        """
        _, visits = self.scheduler.timesteps.unique_consecutive(return_counts=True)
        done, last = int(visits[: self.step].sum()), int(visits[:until].sum())
        states = walk(denoiser, self.latents, self.scheduler, done)
        for _ in range(last - done):
            state = next(states)
            watch(state.step)
        return Paused(state.latents, self.scheduler, until), state

    def take(self, rows: Sequence[int]) -> "Paused":
        """These samples alone, in this order; a row may be taken several times."""

        def _rows(held: Sequence[Tensor]) -> Tensor:
            return held[0][list(rows)]

        return _changed([self], _rows)


def joined(parts: Sequence[Paused]) -> Paused:
    """Several in one batch. All must have walked equally far, by schedulers of one kind."""
    assert len({part.step for part in parts}) == 1, "samples that walk together stand on one step"
    return _changed(parts, lambda held: torch.cat(list(held)))


def _changed(parts: Sequence[Paused], change: Callable[[Sequence[Tensor]], Tensor]) -> Paused:
    """Changes latents, and everything of their form that the scheduler remembers; never the parts."""
    form = parts[0].latents.ndim
    scheduler = copy.copy(parts[0].scheduler)
    for name in vars(scheduler):
        setattr(scheduler, name, _mapped([vars(part.scheduler)[name] for part in parts], change, form))
    return Paused(change([part.latents for part in parts]), scheduler, parts[0].step)


def _mapped(values: list[Any], change: Callable[[Sequence[Tensor]], Tensor], form: int) -> Any:
    first = values[0]
    if isinstance(first, list):
        return [_mapped(list(held), change, form) for held in zip(*values, strict=True)]
    if isinstance(first, Tensor) and first.ndim == form:
        return change(values)
    return first
