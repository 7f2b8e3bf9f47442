"""An unfinished sample of a distillation, and its way into a checkpoint and back."""

import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from eidophone.diffusion.draws import Draws


@dataclass
class Sample:
    """An unfinished sample; everything that a checkpoint stores.

    Attributes:
        canvas: Draws without any input.
        optimiser: Of its parameters.
        draws: The sample's random numbers.
        done: Finished iterations.
        frames: Previews in 8 bits, (height, width, 3), each with the number of its iteration.
        evaluations, seconds: Cost in earlier processes.
    """

    canvas: nn.Module
    optimiser: torch.optim.Optimizer
    draws: Draws
    done: int = 0
    frames: list[tuple[int, Tensor]] = field(default_factory=list)
    evaluations: int = 0
    seconds: float = 0.0

    def state(self, costs: tuple[int, float]) -> dict[str, Any]:
        """For a checkpoint; `costs` are the evaluations and seconds of this process."""
        return {
            "canvas": self.canvas.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "generator": self.draws.generator.get_state(),
            "done": self.done,
            "frames": self.frames,
            "costs": (self.evaluations + costs[0], self.seconds + costs[1]),
        }

    def take_up(self, state: dict[str, Any], iterations: int) -> None:
        """Continues from the state of a checkpoint of a run with this many iterations.

        A checkpoint may come from a stranger, and PyTorch checks little of one, so every part is compared with
        what this run would have stored.

        Raises:
            Exception: of several kinds; a part is missing, or is not what `state` gives.
        """
        self.canvas.load_state_dict(state["canvas"])
        _require(all(value.isfinite().all() for value in self.canvas.state_dict().values()))
        _require(_fits(self.optimiser, state["optimiser"]))
        self.optimiser.load_state_dict(state["optimiser"])
        self.draws.generator.set_state(state["generator"])
        (evaluations, seconds), done, frames = state["costs"], state["done"], state["frames"]
        _require(_amount(done) and 1 <= done <= iterations)
        _require(isinstance(frames, list) and all(_amount(at) and _is_picture(frame) for at, frame in frames))
        _require(len({frame.shape for _, frame in frames}) <= 1 and bool(frames or done < iterations))
        _require(_amount(evaluations) and isinstance(seconds, float) and 0 <= seconds < math.inf)
        self.done, self.frames, self.evaluations, self.seconds = done, frames, evaluations, seconds


def _require(right: bool) -> None:
    if not right:
        raise ValueError("a part of the state is not what a run stores")


def _amount(value: object) -> bool:
    return type(value) is int and value >= 0


def _is_picture(value: object) -> bool:
    return (
        isinstance(value, Tensor) and value.dtype == torch.uint8 and value.ndim == 3 and value.shape[2] == 3
    )


def _fits(optimiser: torch.optim.Optimizer, stored: dict[str, Any]) -> bool:
    """Whether a state has the settings of an optimiser, and a number or a tensor of its shape for each parameter."""
    parameters = [one for group in optimiser.param_groups for one in group["params"]]
    shapes = {number: {torch.Size(), one.shape} for number, one in enumerate(parameters)}
    kept = stored["state"]
    return (
        stored["param_groups"] == optimiser.state_dict()["param_groups"]
        and kept.keys() == shapes.keys()
        and all(value.shape in shapes[number] for number in kept for value in kept[number].values())
    )
