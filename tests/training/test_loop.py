"""The training loop: its moving average, and gradients averaged over processes."""

import socket
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from training.loop import Plan, averaged, fit

PLAN = Plan(steps=6, rate=1e-2, seed=3, warmup=2, average=0.6)


def squares(module: nn.Module, rng: np.random.Generator, noise: torch.Generator) -> torch.Tensor:
    """A loss that depends on both generators."""
    given = torch.from_numpy(rng.standard_normal((4, 3), np.float32)) + torch.randn(4, 3, generator=noise)
    return (module(given) - 1).square().mean()


def linear() -> nn.Module:
    torch.manual_seed(0)
    return nn.Linear(3, 2)


def test_the_moving_average_is_the_one_that_the_plan_describes() -> None:
    module, expected = linear(), None
    mean = averaged(module, PLAN)
    expected = module.weight.detach().clone()
    for step in range(6):
        with torch.no_grad():
            module.weight.add_(step + 1)
        mean.update_parameters(module)
        decay = min(0.6, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * module.weight.detach()
        torch.testing.assert_close(mean.module.weight, expected)


def test_a_stopped_run_ends_where_an_unbroken_one_does(tmp_path: Path) -> None:
    whole = fit(linear(), squares, PLAN, tmp_path / "whole.pt", torch.device("cpu"))
    for stop in (2, 5, None):
        plan = Plan(**vars(PLAN) | {"stop_after": stop})
        parts = fit(linear(), squares, plan, tmp_path / "parts.pt", torch.device("cpu"))
    assert torch.equal(whole.weight, parts.weight)
    states = [torch.load(tmp_path / f"{name}.pt", weights_only=True) for name in ("whole", "parts")]
    assert states[0]["step"] == states[1]["step"] == 6
    assert torch.equal(states[0]["module"]["weight"], states[1]["module"]["weight"])
    assert (tmp_path / "parts.log").read_text().count("\n") == 3


def one_of_two(number: int, port: int, folder: str) -> None:
    torch.distributed.init_process_group(
        "gloo", init_method=f"tcp://127.0.0.1:{port}", rank=number, world_size=2
    )
    fit(linear(), squares, PLAN, Path(folder) / "both.pt", torch.device("cpu"))
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_learn_from_the_mean_of_their_gradients(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torch.multiprocessing.spawn(one_of_two, (port, str(tmp_path)), 2)

    step = 0

    def both(module: nn.Module, rng: np.random.Generator, noise: torch.Generator) -> torch.Tensor:
        """What the two processes see, from the seeds that loop.py documents for them."""
        nonlocal step
        second = np.random.default_rng((PLAN.seed, step, 1))
        other = torch.Generator().manual_seed(PLAN.seed * 1_000_003 + step + 499_979)
        step += 1
        return (squares(module, rng, noise) + squares(module, second, other)) / 2

    fit(linear(), both, PLAN, tmp_path / "alone.pt", torch.device("cpu"))
    alone, together = (torch.load(tmp_path / f"{n}.pt", weights_only=True) for n in ("alone", "both"))
    torch.testing.assert_close(alone["module"], together["module"])
    torch.testing.assert_close(alone["mean"], together["mean"])
