"""The independent judge of pictures: names which of forty things a canvas shows (the stage `judge`).

It learns from the half `judge` of drawings.py, which neither the generators nor the embedder saw, as drawn
and as the family repaints them. It starts from a pretrained network that the embedder does not use, and is
measured on the half `learn`. It judges results in benchmarks/ and does not ship; nothing learns from its
answers.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eidophone.models.embedders.tiny import ImageEncoder
from training.config import Run
from training.data.repainted import repainted_scenes
from training.data.scenes import Shown, as_light, scenes
from training.loop import Loss, Plan, fit, trained
from training.networks import backbone
from training.networks.embedder import balanced, windows

NETWORK = "lite1"
ROWS = 128  # height of the pictures that it sees
#: How strongly scenes are filled with sound while it learns (see `Shown`): the drawings that it judges consist of
#: sound. Repainted ones are degraded already, so they are filled a little less.
FILLED, FILLED_REPAINTED = 0.8, 0.6
#: The things that it knows: those that most sets of its half have drawings of.
JUDGED = (
    "dog", "cat", "tiger", "cow", "horse", "elephant", "rabbit", "monkey", "frog", "bird", "owl", "duck",
    "rooster", "butterfly", "bee", "whale", "fish", "car", "train", "airplane", "helicopter", "ship",
    "bicycle", "clock", "bell", "telephone", "piano", "guitar", "violin", "trumpet", "drum", "castle",
    "house", "tree", "flower", "star", "moon", "heart", "skull", "fire",
)  # fmt: skip


class Judge(ImageEncoder):
    """Logits of JUDGED for grey pictures (batch, height, width) in [0, 1]."""

    def __init__(self, run: Run) -> None:
        super().__init__(backbone.blocks_of(run, NETWORK), ROWS, len(JUDGED))

    @torch.no_grad()
    def top(self, pixels: Tensor, count: int = 1) -> list[list[str]]:
        """The most likely names of each picture, (batch, 3, height, width) in [0, 1]."""
        found = self(pixels.mean(1)).topk(count).indices.tolist()
        return [[JUDGED[i] for i in row] for row in found]


def drawn(run: Run, half: str, count: int, sounds: np.ndarray) -> Shown:
    """Simple scenes of one half of the drawings."""
    pictures, names = scenes(half, run.work, count, sounds, JUDGED)
    return Shown(pictures, names, np.full(len(pictures), FILLED))


def repainted(run: Run, half: str, count: int, sounds: np.ndarray) -> Shown:
    """Simple scenes, repainted by the family, once alone and once over a sound."""
    pictures, names = repainted_scenes(run, half, count, sounds, JUDGED)
    return Shown(pictures, names, np.full(len(pictures), FILLED_REPAINTED))


def loss_of(shown: Shown, sounds: np.ndarray, count: int, device: torch.device) -> Loss:
    """The loss of one random batch, for `fit`."""
    labels = torch.tensor([JUDGED.index(name) for name in shown.names])

    def loss(judge: nn.Module, rng: np.random.Generator, _: torch.Generator) -> Tensor:
        rows = balanced(rng, labels, count)
        found = judge(shown.varied(rng, rows, sounds).to(device))
        return F.cross_entropy(found, labels[rows].to(device), label_smoothing=0.1)

    return loss


def train(run: Run, stop_after: int | None = None) -> Judge:
    """Trains it: writes judge.pt."""
    torch.manual_seed(run["seed"] + 1)
    settings, sounds = run["judge"], windows(run)[0]
    shown = drawn(run, "judge", settings["scenes"], sounds)
    shown += repainted(run, "judge", settings["repainted"], sounds)
    judge = Judge(run)
    backbone.teach(run, NETWORK, judge)
    plan = Plan(
        steps=settings["steps"], rate=settings["rate"], seed=run["seed"] + 1,
        checkpoint_s=run["checkpoint_s"], average=0.99, stop_after=stop_after,
    )  # fmt: skip
    loss = loss_of(shown, sounds, settings["pictures"], run.device)
    return fit(judge, loss, plan, run.work / "judge.pt", run.device)


def load(work: Path, preset: str = "laptop") -> Judge:
    """The trained judge of a work folder."""
    return trained(Judge(Run.open(preset, work, "cpu")), work / "judge.pt", torch.device("cpu"))


@torch.no_grad()
def measure(run: Run, judge: Judge) -> dict[str, float]:
    """Share of scenes of the other half that it names correctly, first and among the first three."""
    judge = judge.cpu().eval()
    settings, sounds, found = run["judge"], windows(run)[0], {}
    plain = drawn(run, "learn", min(len(JUDGED) * 4, settings["scenes"]), sounds)
    again = repainted(run, "learn", min(len(JUDGED) * 2, settings["repainted"]), sounds)
    for kind, shown in (("as drawn", plain), ("repainted", again)):
        named = [judge.top(as_light(p)[None, None].expand(-1, 3, -1, -1), 3)[0] for p in shown.pictures]
        pairs = list(zip(named, shown.names, strict=True))
        found[f"{kind}, first"] = float(np.mean([name == said[0] for said, name in pairs]))
        found[f"{kind}, top three"] = float(np.mean([name in said for said, name in pairs]))
    return found


def make(run: Run, stop_after: int | None = None) -> None:
    """The stage `judge`: trains and measures it."""
    judge = train(run, stop_after)
    for name, value in measure(run, judge).items():
        print(f"{value:7.1%}  right of {len(JUDGED)}, on scenes of drawings that it never saw: {name}")
