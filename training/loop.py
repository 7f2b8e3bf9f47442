"""The training loop of every network: warm-up, cosine decay, moving average, checkpoints, exact resume.

Each batch is drawn from generators seeded with (seed, step), so a run that stops and goes on sees the batches
that an unbroken run would have seen. Under torchrun each process draws its own batch, and
DistributedDataParallel averages the gradients.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel

from training.cache import save_whole

Loss = Callable[[nn.Module, np.random.Generator, torch.Generator], Tensor]
Network = TypeVar("Network", bound=nn.Module)
LOG_EVERY = 25  # steps


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How long and how fast to train.

    Attributes:
        steps: Optimizer steps of the whole run; the learning rate ends at a twentieth of `rate`.
        rate: Peak learning rate.
        warmup: Steps until the peak.
        average: Largest decay of the moving average of the weights.
        seed: Seed of every random choice.
        checkpoint_s: Seconds between checkpoints.
        stop_after: Stop with a checkpoint after this step; None trains to the end.
    """

    steps: int
    rate: float
    seed: int
    warmup: int = 50
    average: float = 0.998
    checkpoint_s: float = 120.0
    stop_after: int | None = None

    def rate_at(self, step: int) -> float:
        """Learning rate of a step."""
        fall = 0.5 + 0.5 * math.cos(math.pi * min(step / self.steps, 1.0))
        return self.rate * min(1.0, (step + 1) / self.warmup) * (0.05 + 0.95 * fall)

    def average_at(self, step: int) -> float:
        """Decay of the moving average; small at first, so that the average forgets the random start."""
        return min(self.average, (1 + step) / (10 + step))


def averaged(module: Network, plan: Plan, step: int = 0) -> AveragedModel:
    """The moving average of a module's weights, after `step` updates.

    torch counts its updates and copies the weights at update 0. The count starts at 1 here, so that the
    first update, too, is a mean with the initial weights.
    """

    @torch.no_grad()
    def _update(mean: Sequence[Tensor], now: Sequence[Tensor], count: Tensor | int) -> None:
        torch._foreach_lerp_(list(mean), list(now), 1 - plan.average_at(int(count) - 1))

    mean = AveragedModel(module, multi_avg_fn=_update)
    mean.n_averaged.fill_(1 + step)
    return mean.eval().requires_grad_(False)


def rank() -> int:
    """Number of this process in a torchrun; process 0 writes the files. 0 without torchrun."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def made_once(file: Path, make: Callable[[], object]) -> None:
    """Calls `make` to write a file that does not exist yet; in process 0 only, while the others wait."""
    if not rank() and not file.exists():
        make()
    if distributed.is_initialized():
        distributed.barrier()


@dataclass
class Trainer:
    """A module with what training it needs.

    Attributes:
        module: What is trained, on `device`.
        mean: Moving average of its weights.
        optimizer: AdamW.
        plan: Length, rate and seed.
        device: CUDA computes the loss in bfloat16.
        step: Steps done.
    """

    module: nn.Module
    mean: AveragedModel
    optimizer: torch.optim.Optimizer
    plan: Plan
    device: torch.device
    step: int = 0

    @classmethod
    def start(cls, module: nn.Module, plan: Plan, device: torch.device) -> "Trainer":
        """Before the first step."""
        module = module.to(device).train()
        optimizer = torch.optim.AdamW(module.parameters(), lr=plan.rate, betas=(0.9, 0.99), weight_decay=0.01)
        return cls(module, averaged(module, plan), optimizer, plan, device)

    def state(self) -> dict[str, Any]:
        """What a checkpoint holds."""
        return {
            "module": self.module.state_dict(),
            "mean": self.mean.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
        }

    def resume(self, file: Path) -> None:
        """Goes on from a checkpoint."""
        state = torch.load(file, map_location=self.device, weights_only=True)
        self.module.load_state_dict(state["module"])
        self.mean.module.load_state_dict(state["mean"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]
        self.mean.n_averaged.fill_(1 + self.step)

    def train_step(self, network: nn.Module, loss: Loss) -> float:
        """One optimizer step and one update of the moving average; returns the loss.

        Args:
            network: The module, or its DistributedDataParallel.
            loss: See `fit`.
        """
        seed, step = self.plan.seed, self.step
        for group in self.optimizer.param_groups:
            group["lr"] = self.plan.rate_at(step)
        numbers = np.random.default_rng((seed, step, rank()) if rank() else (seed, step))
        noise = torch.Generator().manual_seed(seed * 1_000_003 + step + 499_979 * rank())
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            value = loss(network, numbers, noise)
        self.optimizer.zero_grad(set_to_none=True)
        value.backward()
        nn.utils.clip_grad_norm_(self.module.parameters(), 1.0)
        self.optimizer.step()
        self.mean.update_parameters(self.module)
        self.step += 1
        return float(value.detach())


def fit(module: Network, loss: Loss, plan: Plan, file: Path, device: torch.device) -> Network:
    """Trains a module and returns the moving average of its weights.

    Args:
        module: What to train; it is moved to the device.
        loss: Called with the module, a numpy and a torch generator (both on the CPU) of this step. Under
            torchrun it may call the module, but none of its other methods.
        plan: Length, rate and seed.
        file: Checkpoint. Training goes on from it if it exists; a log of the same name lies beside it.
        device: Where to train.
    """
    trainer = Trainer.start(module, plan, device)
    if file.exists():
        trainer.resume(file)
    network = DistributedDataParallel(module) if distributed.is_initialized() else module
    end, start = min(plan.steps, plan.stop_after or plan.steps), trainer.step
    saved = began = time.monotonic()
    losses: list[float] = []
    while trainer.step < end:
        losses.append(trainer.train_step(network, loss))
        now, last = time.monotonic(), trainer.step == end
        if last or trainer.step % LOG_EVERY == 0:
            if not rank():
                note(file.with_suffix(".log"), trainer.step, losses, (now - began) / (trainer.step - start))
            losses.clear()
        if not rank() and (last or now - saved > plan.checkpoint_s):
            save_whole(trainer.state(), file)
            saved = now
    return cast(Network, trainer.mean.module)


def note(file: Path, step: int, losses: list[float], seconds: float) -> None:
    """Adds a line to the log: step, mean loss since the last line, seconds per step."""
    with file.open("a", encoding="utf-8") as log:
        log.write(f"{step}\t{sum(losses) / len(losses):.5f}\t{seconds:.3f}\n")


def trained(network: Network, file: Path, device: torch.device) -> Network:
    """The network with the moving average of a checkpoint that `fit` wrote, ready for use."""
    network.load_state_dict(torch.load(file, map_location="cpu", weights_only=True)["mean"])
    return network.to(device).eval().requires_grad_(False)
