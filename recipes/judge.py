"""The independent judge of pictures: says which of forty things a canvas shows.

`python -m recipes.judge --config cpu|gpu|smoke` trains it on the half `judge` of drawings.py, which neither
the generators nor the embedder saw, as they are and as the family repaints them, through a pretrained
network that the embedder does not use, and measures it on the half `learn`. It judges results in benchmarks/
and does not ship; nothing learned from what it says.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eidophone.models.embedders.efficientnet import FEATURES, EfficientNetLite
from eidophone.models.embedders.tiny import look
from recipes import backbone
from recipes.config import Run, command_line, opened
from recipes.embedder import FORGOTTEN, balanced, settings_of, windows
from recipes.loop import Loss, Plan, fit

#: What may be told apart: things to draw that most of the judge's sets draw.
JUDGED = (
    "dog", "cat", "tiger", "cow", "horse", "elephant", "rabbit", "monkey", "frog", "bird", "owl", "duck",
    "rooster", "butterfly", "bee", "whale", "fish", "car", "train", "airplane", "helicopter", "ship",
    "bicycle", "clock", "bell", "telephone", "piano", "guitar", "violin", "trumpet", "drum", "castle",
    "house", "tree", "flower", "star", "moon", "heart", "skull", "fire",
)  # fmt: skip


class Judge(nn.Module):
    """Logits of JUDGED for features of Lite1."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(FEATURES, len(JUDGED))

    def forward(self, features: Tensor) -> Tensor:
        """(batch, FEATURES) -> (batch, len(JUDGED))."""
        logits: Tensor = self.head(features)
        return logits


@dataclass(frozen=True)
class Eye:
    """The judge with the network that it sees through."""

    sight: EfficientNetLite
    judge: Judge

    @torch.no_grad()
    def top(self, pixels: Tensor, count: int = 1) -> list[list[str]]:
        """The likeliest names for each picture, (batch, 3, height, width) in [0, 1]."""
        found = self.judge(look(self.sight, pixels.mean(1), backbone.HEIGHTS["lite1"]))
        return [[JUDGED[i] for i in row] for row in found.topk(count).indices.tolist()]


def examples(run: Run, half: str, count: int, clean: bool) -> tuple[Tensor, Tensor]:
    """Features of one half's scenes and their labels in JUDGED; others are left out."""
    return labelled(*backbone.seen(run, half, "lite1", count, windows(run)[0], clean=clean, calm=JUDGED))


def repainted(run: Run, half: str, count: int) -> tuple[Tensor, Tensor]:
    """The same of scenes that the family has repainted."""
    return labelled(*backbone.seen_repainted(run, half, "lite1", count, windows(run)[0], JUDGED))


def labelled(features: Tensor, names: list[str]) -> tuple[Tensor, Tensor]:
    """The features of things in JUDGED, and their labels."""
    kept = [i for i, name in enumerate(names) if name in JUDGED]
    return features[kept], torch.tensor([JUDGED.index(names[i]) for i in kept])


def loss_of(features: Tensor, labels: Tensor, count: int, device: torch.device) -> Loss:
    """The loss of one random batch, for `fit`."""

    def loss(judge: nn.Module, rng: np.random.Generator, noise: torch.Generator) -> Tensor:
        rows = balanced(rng, labels, count)
        kept = torch.rand(count, features.shape[1], generator=noise) >= FORGOTTEN
        seen = features[rows] * kept / (1 - FORGOTTEN)
        return F.cross_entropy(judge(seen.to(device)), labels[rows].to(device), label_smoothing=0.1)

    return loss


def train(run: Run, stop_after: int | None = None) -> Judge:
    """work/judge.pt."""
    torch.manual_seed(run["seed"] + 1)
    settings = settings_of(run.name, "judge")
    plain = examples(run, "judge", settings["scenes"], clean=False)
    again = repainted(run, "judge", settings["repainted"])
    features, labels = (torch.cat(pair) for pair in zip(plain, again, strict=True))
    loss = loss_of(features, labels, settings["pictures"], run.device)
    plan = Plan(
        steps=settings["steps"], rate=settings["rate"], seed=run["seed"] + 1,
        checkpoint_s=run["checkpoint_s"], average=0.99, stop_after=stop_after,
    )  # fmt: skip
    return fit(Judge(), loss, plan, run.work / "judge.pt", run.device)  # type: ignore[return-value]


def load(work: Path, config: str = "cpu") -> Eye:
    """The judge that was trained in a work folder."""
    judge = Judge()
    judge.load_state_dict(torch.load(work / "judge.pt", map_location="cpu", weights_only=True)["mean"])
    sight = backbone.pretrained(Run.open(config, work, "cpu"), "lite1")
    return Eye(sight, judge.eval().requires_grad_(False))


@torch.no_grad()
def measure(run: Run, judge: Judge) -> dict[str, float]:
    """Share of the other half's scenes that it names rightly, first and among the first three."""
    judge = judge.cpu().eval()
    settings, found = settings_of(run.name, "judge"), {}
    plain = examples(run, "learn", min(len(JUDGED) * 4, settings["scenes"]), clean=True)
    again = repainted(run, "learn", min(len(JUDGED) * 2, settings["repainted"]))
    for kind, (features, labels) in (("as drawn", plain), ("repainted", again)):
        best = judge(features).topk(3).indices == labels[:, None]
        found[f"{kind}, first"] = float(best[:, 0].float().mean())
        found[f"{kind}, top three"] = float(best.any(1).float().mean())
    return found


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    given = command_line("python -m recipes.judge", __doc__).parse_args(arguments)
    run = opened(given)
    judge = train(run, given.stop_after)
    for name, value in measure(run, judge).items():
        print(f"{value:7.1%}  right of {len(JUDGED)}, scenes of drawings that it never saw: {name}")


if __name__ == "__main__":
    main()
