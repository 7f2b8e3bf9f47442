"""The independent judge of pictures: says which of forty things a canvas shows.

`python -m recipes.judge --config cpu|gpu|smoke` trains it on the half `judge` of drawings.py, which neither
the generators nor the embedder saw, and measures it on the half `learn`. It judges results in benchmarks/ and
does not ship; nothing that is generated was trained on it.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eidophone.models.embedders.tiny import Tower, seen_rows
from recipes.config import HERE, Run
from recipes.embedder import balanced, settings_of, windows
from recipes.loop import Loss, Plan, fit
from recipes.scenes import halved, scenes, varied

#: What may be told apart: things to draw that most of the four judged sets draw.
JUDGED = (
    "dog", "cat", "tiger", "cow", "horse", "elephant", "rabbit", "monkey", "frog", "bird", "owl", "duck",
    "rooster", "butterfly", "bee", "whale", "fish", "car", "train", "airplane", "helicopter", "ship",
    "bicycle", "clock", "bell", "telephone", "piano", "guitar", "violin", "trumpet", "drum", "castle",
    "house", "tree", "flower", "star", "moon", "heart", "skull", "fire",
)  # fmt: skip
SHARPNESS = 12.0


class Judge(nn.Module):
    """Logits of JUDGED for grey pictures of any size; it looks at half the rows that the embedder sees."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.tower = Tower(widths, 128)
        self.head = nn.Linear(128, len(JUDGED))

    def forward(self, gray: Tensor) -> Tensor:
        """(batch, ROWS, columns) -> (batch, len(JUDGED))."""
        logits: Tensor = self.head(SHARPNESS * self.tower(F.avg_pool2d(gray[:, None], 2)[:, 0]))
        return logits

    @torch.no_grad()
    def top(self, pixels: Tensor, count: int = 1) -> list[list[str]]:
        """The likeliest names for each picture, (batch, 3, height, width) in [0, 1]."""
        return [[JUDGED[i] for i in row] for row in self(seen_rows(pixels)).topk(count).indices.tolist()]


def examples(run: Run, half: str, settings: dict[str, Any]) -> tuple[Tensor, Tensor]:
    """Scenes uint8 (N, ROWS, COLUMNS) of one half and their labels in JUDGED; others are left out."""
    pictures, names = scenes(half, run.work, settings["scenes"], windows(run)[0])
    kept = [i for i, name in enumerate(names) if name in JUDGED]
    return torch.from_numpy(pictures[kept]), torch.tensor([JUDGED.index(names[i]) for i in kept])


def loss_of(pictures: Tensor, labels: Tensor, sounds: Tensor, count: int, device: torch.device) -> Loss:
    """The loss of one random batch, for `fit`."""

    def loss(judge: nn.Module, rng: np.random.Generator, _: torch.Generator) -> Tensor:
        rows = balanced(rng, labels, count)
        beside = torch.from_numpy(rng.integers(len(sounds), size=count))
        seen = varied(rng, pictures[rows].float() / 255, sounds[beside].float() / 255)
        return F.cross_entropy(judge(seen.to(device)), labels[rows].to(device), label_smoothing=0.1)

    return loss


def train(run: Run, stop_after: int | None = None) -> Judge:
    """work/judge.pt."""
    torch.manual_seed(run["seed"] + 1)
    settings = settings_of(run.name, "judge")
    sounds = torch.from_numpy(halved(windows(run)[0]))
    loss = loss_of(*examples(run, "judge", settings), sounds, settings["pictures"], run.device)
    plan = Plan(
        steps=settings["steps"], rate=settings["rate"], seed=run["seed"] + 1,
        checkpoint_s=run["checkpoint_s"], average=0.99, stop_after=stop_after,
    )  # fmt: skip
    return fit(Judge(settings["widths"]), loss, plan, run.work / "judge.pt", run.device)  # type: ignore[return-value]


def load(work: Path, config: str = "cpu") -> Judge:
    """The judge that was trained in a work folder."""
    judge = Judge(settings_of(config, "judge")["widths"])
    judge.load_state_dict(torch.load(work / "judge.pt", map_location="cpu", weights_only=True)["mean"])
    return judge.eval().requires_grad_(False)


@torch.no_grad()
def measure(run: Run, judge: Judge) -> dict[str, float]:
    """Share of the other half's scenes that it names rightly: as they are, and mixed with sounds."""
    pictures, labels = examples(run, "learn", settings_of(run.name, "embedder"))
    pictures, labels = pictures[:800].float() / 255, labels[:800]
    sounds = torch.from_numpy(halved(windows(run)[0])).float() / 255
    rng = np.random.default_rng(5)
    beside = torch.from_numpy(rng.integers(len(sounds), size=len(pictures)))
    seen = {"plain": pictures, "mixed with sounds and spoilt": varied(rng, pictures, sounds[beside])}
    judge = judge.cpu().eval()
    found = {name: torch.cat([judge(part) for part in shown.split(64)]) for name, shown in seen.items()}
    return {name: float((row.argmax(1) == labels).float().mean()) for name, row in found.items()}


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m recipes.judge", description=__doc__)
    parser.add_argument("--config", default="cpu", help="a preset of embedder.toml")
    parser.add_argument("--work", type=Path, default=HERE / "work")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--stop-after", type=int, help="stop after this step; a later call goes on")
    given = parser.parse_args(arguments)
    run = Run.open(given.config, given.work, given.device)
    torch.set_num_threads(run["threads"])
    judge = train(run, given.stop_after)
    for name, value in measure(run, judge).items():
        print(f"{value:7.1%}  right of {len(JUDGED)}, drawings that it never saw, {name}")


if __name__ == "__main__":
    main()
