"""One training loop for every stage: warm-up, cosine decay, moving average, checkpoints, exact resume.

A batch is drawn from a generator made of (seed, step), so a run that was stopped and continued sees what an
uninterrupted one would have seen. Started by torchrun, every process takes a batch of its own and gradients
are averaged (for the stages image and audio, once their training_set exists).
"""

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, distributed, nn

Loss = Callable[[nn.Module, np.random.Generator, torch.Generator], Tensor]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How long and how fast to train.

    Attributes:
        steps: Optimizer steps of the whole run; the learning rate ends at a twentieth.
        rate: Highest learning rate.
        warmup: Steps until it is reached.
        average: Largest decay of the moving average of the weights.
        seed: Start of every random choice.
        checkpoint_s: Seconds between checkpoints.
        stop_after: Stop (with a checkpoint) after this step; None is the end.
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
        """Decay of the moving average, small at first so that it forgets the start."""
        return min(self.average, (1 + step) / (10 + step))


def save_whole(state: object, file: Path) -> None:
    """Writes a file under another name first, so that it is never half there."""
    draft = file.with_suffix(".part")
    torch.save(state, draft)
    draft.replace(file)


def share_gradients(module: nn.Module) -> None:
    """Averages gradients over the processes of a run started by torchrun; alone it does nothing."""
    if not distributed.is_initialized():
        return
    grads = [p.grad for p in module.parameters() if p.grad is not None]
    flat = torch.cat([g.flatten() for g in grads])
    distributed.all_reduce(flat)
    flat /= distributed.get_world_size()
    for grad, part in zip(grads, flat.split([g.numel() for g in grads]), strict=True):
        grad.copy_(part.view_as(grad))


def rank() -> int:
    """Number of this process in the run; 0 writes the files."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def fit(module: nn.Module, loss: Loss, plan: Plan, file: Path, device: torch.device) -> nn.Module:
    """Trains a module and returns its moving average; continues from `file` where there is a checkpoint.

    Args:
        module: What to train; moved to the device.
        loss: Called with the module, a numpy and a torch generator (both on the CPU) of this step.
        plan: Length, rate, seed.
        file: NetworkFiles; a log of the same name lies beside it.
        device: Where to train; CUDA computes the loss in bfloat16.
    """
    module = module.to(device).train()
    mean = copy.deepcopy(module).eval().requires_grad_(False)
    decay = torch.optim.AdamW(module.parameters(), lr=plan.rate, betas=(0.9, 0.99), weight_decay=0.01)
    start = 0
    if file.exists():
        state = torch.load(file, map_location=device, weights_only=True)
        module.load_state_dict(state["module"])
        mean.load_state_dict(state["mean"])
        decay.load_state_dict(state["optimizer"])
        start = state["step"]
    end = min(plan.steps, plan.stop_after or plan.steps)
    saved = begun = time.monotonic()
    total, seen = 0.0, 0
    for step in range(start, end):
        value = train_step(module, mean, decay, loss, plan, step, device)
        total, seen, now = total + value, seen + 1, time.monotonic()
        if rank():
            continue
        if step % 25 == 24 or step + 1 == end:
            note(file.with_suffix(".log"), step + 1, total / seen, (now - begun) / (step + 1 - start))
            total, seen = 0.0, 0
        if now - saved > plan.checkpoint_s or step + 1 == end:
            state = {
                "module": module.state_dict(),
                "mean": mean.state_dict(),
                "optimizer": decay.state_dict(),
            }
            save_whole(state | {"step": step + 1}, file)
            saved = now
    return mean


def train_step(
    module: nn.Module, mean: nn.Module, optimizer: torch.optim.Optimizer, loss: Loss, plan: Plan, step: int,
    device: torch.device,
) -> float:  # fmt: skip
    """One optimizer step and one step of the moving average; returns the loss."""
    for group in optimizer.param_groups:
        group["lr"] = plan.rate_at(step)
    own = (plan.seed, step, rank()) if rank() else (plan.seed, step)
    numbers = np.random.default_rng(own)
    noise = torch.Generator().manual_seed(plan.seed * 1_000_003 + step + 499_979 * rank())
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        value = loss(module, numbers, noise)
    optimizer.zero_grad(set_to_none=True)
    value.backward()
    share_gradients(module)
    nn.utils.clip_grad_norm_(module.parameters(), 1.0)
    optimizer.step()
    weight = 1 - plan.average_at(step)
    with torch.no_grad():
        torch._foreach_lerp_(list(mean.parameters()), list(module.parameters()), weight)
    return float(value.detach())


def note(file: Path, step: int, loss: float, seconds: float) -> None:
    """Adds a line to the log: step, mean loss since the last line, seconds a step."""
    with file.open("a") as log:
        log.write(f"{step}\t{loss:.5f}\t{seconds:.3f}\n")
