"""The independent judge of pictures: says which of forty things a canvas shows.

`python -m recipes.judge --config cpu|gpu|smoke` trains it on the half `judge` of drawings.py, which neither
the generators nor the embedder saw, as they are and as the family repaints them, from a pretrained network
that the embedder does not use, and measures it on the half `learn`. It judges results in benchmarks/ and does
not ship; nothing learned from what it says.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eidophone.models.embedders.tiny import Sight
from recipes import backbone
from recipes.config import Run, command_line, opened
from recipes.embedder import balanced, settings_of, windows
from recipes.loop import Loss, Plan, fit
from recipes.repainted import repainted_scenes
from recipes.scenes import Shown, as_light, scenes

NETWORK = "lite1"
ROWS = 128  # of what it looks at
#: How much scenes are filled with sounds while it learns (see `Shown`), because the drawings that it judges
#: are made of sound. Repainted ones are spoiled already, so they are filled a little less.
FILLED, FILLED_REPAINTED = 0.8, 0.6
#: What may be told apart: things to draw that most of the judge's sets draw.
JUDGED = (
    "dog", "cat", "tiger", "cow", "horse", "elephant", "rabbit", "monkey", "frog", "bird", "owl", "duck",
    "rooster", "butterfly", "bee", "whale", "fish", "car", "train", "airplane", "helicopter", "ship",
    "bicycle", "clock", "bell", "telephone", "piano", "guitar", "violin", "trumpet", "drum", "castle",
    "house", "tree", "flower", "star", "moon", "heart", "skull", "fire",
)  # fmt: skip


class Judge(Sight):
    """Logits of JUDGED for grey pictures (batch, height, width) in [0, 1]."""

    def __init__(self, run: Run) -> None:
        super().__init__(backbone.blocks_of(run, NETWORK), ROWS, len(JUDGED))

    @torch.no_grad()
    def top(self, pixels: Tensor, count: int = 1) -> list[list[str]]:
        """The likeliest names for each picture, (batch, 3, height, width) in [0, 1]."""
        found = self(pixels.mean(1)).topk(count).indices.tolist()
        return [[JUDGED[i] for i in row] for row in found]


def drawn(run: Run, half: str, count: int, sounds: np.ndarray) -> Shown:
    """Calm scenes of one half's drawings."""
    pictures, names = scenes(half, run.work, count, sounds, JUDGED)
    return Shown(pictures, names, np.full(len(pictures), FILLED))


def repainted(run: Run, half: str, count: int, sounds: np.ndarray) -> Shown:
    """The same as the family has repainted them, once alone and once over a sound."""
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
    """work/judge.pt."""
    torch.manual_seed(run["seed"] + 1)
    settings, sounds = settings_of(run.name, "judge"), windows(run)[0]
    shown = drawn(run, "judge", settings["scenes"], sounds)
    shown += repainted(run, "judge", settings["repainted"], sounds)
    judge = Judge(run)
    backbone.teach(run, NETWORK, judge)
    plan = Plan(
        steps=settings["steps"], rate=settings["rate"], seed=run["seed"] + 1,
        checkpoint_s=run["checkpoint_s"], average=0.99, stop_after=stop_after,
    )  # fmt: skip
    loss = loss_of(shown, sounds, settings["pictures"], run.device)
    return fit(judge, loss, plan, run.work / "judge.pt", run.device)  # type: ignore[return-value]


def load(work: Path, config: str = "cpu") -> Judge:
    """The judge that was trained in a work folder."""
    judge = Judge(Run.open(config, work, "cpu"))
    judge.load_state_dict(torch.load(work / "judge.pt", map_location="cpu", weights_only=True)["mean"])
    return judge.eval().requires_grad_(False)


@torch.no_grad()
def measure(run: Run, judge: Judge) -> dict[str, float]:
    """Share of the other half's scenes that it names rightly, first and among the first three."""
    judge = judge.cpu().eval()
    settings, sounds, found = settings_of(run.name, "judge"), windows(run)[0], {}
    plain = drawn(run, "learn", min(len(JUDGED) * 4, settings["scenes"]), sounds)
    again = repainted(run, "learn", min(len(JUDGED) * 2, settings["repainted"]), sounds)
    for kind, shown in (("as drawn", plain), ("repainted", again)):
        named = [judge.top(as_light(p)[None, None].expand(-1, 3, -1, -1), 3)[0] for p in shown.pictures]
        pairs = list(zip(named, shown.names, strict=True))
        found[f"{kind}, first"] = float(np.mean([name == said[0] for said, name in pairs]))
        found[f"{kind}, top three"] = float(np.mean([name in said for said, name in pairs]))
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
