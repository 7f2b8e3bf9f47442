"""Teaches stage I which colour a caption names, before it learns to draw.

A noisy picture mostly shows its own colour, so stage I would learn only slowly what words have to do with
colour. Therefore the part that pools the text is trained first, with a linear map that is dropped afterwards:
it predicts the tint that a caption names, and whether the caption says grey.
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


class ColourReader(nn.Module):
    """Pools a text as stage I does, and predicts FACTS of it."""

    def __init__(self, width: int, channels: int, heads: int) -> None:
        super().__init__()
        self.pool = TextTimeEmbedding(width, 4 * channels, heads)
        self.out = nn.Linear(4 * channels, FACTS)

    def forward(self, conditions: Tensor) -> Tensor:
        """(batch, FACTS) of conditions (batch, length, width)."""
        facts: Tensor = self.out(self.pool(conditions))
        return facts


def build(run: Run) -> ColourReader:
    """An untrained network."""
    return ColourReader(run["text"]["width"], run["pixel"]["channels"][0], run["pixel"]["heads"])


def said(run: Run, number: int) -> tuple[str, np.ndarray]:
    """A random caption and its facts, float32 (FACTS,)."""
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


def train(run: Run) -> ColourReader:
    """Trains it: writes words.pt."""
    settings = run["words"]
    pairs = [said(run, number) for number in range(settings["count"])]
    conditions = text.encode(*text.load(run), [caption for caption, _ in pairs])
    facts = torch.from_numpy(np.stack([fact for _, fact in pairs])).to(run.device)

    def loss(reader: nn.Module, rng: np.random.Generator, _: torch.Generator) -> Tensor:
        rows = torch.from_numpy(rng.integers(len(pairs), size=settings["batch"])).to(run.device)
        return F.mse_loss(reader(conditions[rows]), facts[rows])

    torch.manual_seed(run["seed"])
    plan = Plan(
        steps=settings["steps"], rate=settings["rate"], seed=run["seed"], checkpoint_s=run["checkpoint_s"],
        average=0.99,
    )  # fmt: skip
    return fit(build(run), loss, plan, run.work / "words.pt", run.device)
