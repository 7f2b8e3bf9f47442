"""Stage I's first training_set: which colour a caption names, before it draws.

Left alone, it learns slowly what words have to do with colours, because a noisy picture mostly tells its
colour itself. So the part that pools the text first learns, through a linear map that is thrown away, the
tint that each of many captions names, and whether it says grey.
"""

import numpy as np
import torch
from diffusers.models.embeddings import TextTimeEmbedding
from torch import Tensor, nn
from torch.nn import functional as F

from training.config import Run
from training.data import captions
from training.data.colours import palette, pure
from training.data.pictures import coloured_concepts
from training.loop import Plan, fit
from training.networks import text

GREY_SHARE, NO_COLOUR_SHARE = 0.15, 0.15
FACTS = 4  # red, green and blue of the tint, and whether the caption says grey


class Teller(nn.Module):
    """Pools a text as stage I does, and tells FACTS of it."""

    def __init__(self, width: int, channels: int, heads: int) -> None:
        super().__init__()
        self.pool = TextTimeEmbedding(width, 4 * channels, heads)
        self.out = nn.Linear(4 * channels, FACTS)

    def forward(self, conditions: Tensor) -> Tensor:
        """(batch, FACTS) of conditions (batch, length, width)."""
        told: Tensor = self.out(self.pool(conditions))
        return told


def build(run: Run) -> Teller:
    """An untrained teller."""
    return Teller(run["text"]["width"], run["pixel"]["channels"][0], run["pixel"]["heads"])


def said(run: Run, number: int) -> tuple[str, np.ndarray]:
    """A caption of any concept and its facts, float32 (FACTS,)."""
    rng, tables = np.random.default_rng((run["seed"], number, 7)), coloured_concepts()
    table, way = tables[str(rng.choice(list(tables)))], rng.random()
    colour = palette()[str(rng.choice(list(palette())))]
    facts = np.append(np.mean(colour.saturation) * pure(colour.hue), 0)
    word: str | None = captions.pick(rng, colour.words)
    if way < GREY_SHARE:
        facts, word = np.array([0, 0, 0, 1]), None
    elif way < GREY_SHARE + NO_COLOUR_SHARE:
        facts, word = np.zeros(FACTS), ""
    caption = captions.coloured(rng, table, 1 + int(rng.integers(3)), False, word, bool(rng.random() < 0.5))
    return caption, facts.astype(np.float32)


def train(run: Run) -> Teller:
    """Teaches the pooled text: work/words.pt."""
    settings = run["words"]
    pairs = [said(run, number) for number in range(settings["count"])]
    conditions = text.encode(*text.load(run), [caption for caption, _ in pairs])
    facts = torch.from_numpy(np.stack([fact for _, fact in pairs])).to(run.device)

    def loss(teller: nn.Module, rng: np.random.Generator, _: torch.Generator) -> Tensor:
        rows = torch.from_numpy(rng.integers(len(pairs), size=settings["batch"])).to(run.device)
        return F.mse_loss(teller(conditions[rows]), facts[rows])

    torch.manual_seed(run["seed"])
    plan = Plan(
        steps=settings["steps"], rate=settings["rate"], seed=run["seed"], checkpoint_s=run["checkpoint_s"],
        average=0.99,
    )  # fmt: skip
    return fit(build(run), loss, plan, run.work / "words.pt", run.device)
