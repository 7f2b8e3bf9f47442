"""Scenes: canvases of drawings that no generator saw (drawings.py), for the embedder and the judge.

A scene is drawn once. `Shown.varied` mixes it with spectrograms and degrades it differently in every batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from training.data.canvas import (
    BACKGROUNDS,
    SIMPLE_BACKGROUNDS,
    SIMPLE_STYLES,
    STYLES,
    Pack,
    background,
    choose,
    row,
    styled,
)
from training.data.pictures import concepts
from training.data.textures import HEIGHT, WIDTH, texture

ROWS, COLUMNS = HEIGHT // 2, WIDTH // 2
COUNTS = (0.22, 0.42, 0.28, 0.08)  # share of canvases with one to four objects
UNDRAWN = ("garden", "lilies")
#: How strongly scenes and repainted scenes are degraded (see `Shown`).
MIXED, MIXED_REPAINTED = 0.5, 0.1


def halved(pictures: np.ndarray) -> np.ndarray:
    """Means of two by two pixels, uint8 (N, HEIGHT, WIDTH) -> (N, ROWS, COLUMNS)."""
    means = pictures.reshape(-1, ROWS, 2, COLUMNS, 2).mean((2, 4))
    return means.round().astype(np.uint8)


def scene(
    pack: Pack, seed: tuple[int, int], concept: str, sounds: np.ndarray, simple: bool = False
) -> np.ndarray:
    """One canvas of one concept, uint8 (HEIGHT, WIDTH).

    Args:
        pack: Drawings.
        seed: Seed and number of the scene.
        concept: A key of `pack.tables`.
        sounds: Spectrograms for textures, uint8 (N, HEIGHT, WIDTH).
        simple: Whether the canvas is simple, as in canvas.py.
    """
    rng = np.random.default_rng(seed)
    style = choose(rng, SIMPLE_STYLES if simple else STYLES)
    kind = choose(rng, SIMPLE_BACKGROUNDS if simple else BACKGROUNDS)
    ground = background(rng, kind)
    sound = sounds[rng.integers(len(sounds))].astype(np.float32) / 255
    count = int(rng.choice(len(COUNTS), p=COUNTS)) + 1
    simple = simple or bool(rng.random() < 0.6)
    layer, _ = row(pack, rng, [concept], min(count, 3) if simple else count, float(ground.mean()), simple)
    picture = styled(rng, style, layer, ground, sound)
    return (255 * picture.clip(0, 1)).round().astype(np.uint8)


def scenes(
    half: str, work: Path, count: int, sounds: np.ndarray, simple: Sequence[str] = (), seed: int = 3
) -> tuple[np.ndarray, list[str]]:
    """Scenes of one half of the drawings, uint8 (count, HEIGHT, WIDTH), and their concepts.

    Cached in the work folder. With `simple`, they are simple canvases of the concepts in it; otherwise all
    kinds of canvases of all concepts.
    """
    names = list(simple) or [name for name in concepts() if name not in UNDRAWN]
    kind = f"simple-{len(simple)}-whole" if simple else "scenes-whole"
    shown = [names[n % len(names)] for n in range(count)]
    file = work / f"{kind}-{half}.npz"
    if file.exists() and len(kept := np.load(file)["pictures"]) >= count:
        return kept[:count], shown
    source = work / f"drawings-{half}.npz"
    pack = Pack.load(source, concepts()) if source.exists() else Pack.made_up(concepts())
    made = np.stack([scene(pack, (seed, n), c, sounds, bool(simple)) for n, c in enumerate(shown)])
    draft = work / f"{kind}-{half}.part.npz"
    np.savez(draft, pictures=made)
    draft.replace(file)
    return made, shown


def made_up_sounds(count: int) -> np.ndarray:
    """Generated textures in place of spectrograms, uint8 (count, HEIGHT, WIDTH), for smoke runs."""
    return np.stack([(255 * texture(np.random.default_rng(n))).astype(np.uint8) for n in range(count)])


@dataclass(frozen=True)
class Shown:
    """Pictures to learn from.

    Attributes:
        pictures: uint8 (N, HEIGHT, WIDTH).
        names: The concept of each; empty if nothing is drawn.
        strengths: How strongly each is degraded, (N,): 1 mixes four of five with sounds and blurs half of
            them, 0 does neither.
    """

    pictures: np.ndarray
    names: list[str]
    strengths: np.ndarray

    def __add__(self, other: "Shown") -> "Shown":
        """Both, one after the other."""
        return Shown(
            np.concatenate([self.pictures, other.pictures]), self.names + other.names,
            np.concatenate([self.strengths, other.strengths]),
        )  # fmt: skip

    def varied(self, rng: np.random.Generator, rows: Tensor, sounds: np.ndarray) -> Tensor:
        """Some of the pictures, degraded at random: mirrored, mixed with sounds, blurred, darkened, grainy.

        Args:
            rng: Makes every choice.
            rows: Indices of the pictures.
            sounds: uint8 (M, HEIGHT, WIDTH).

        Returns:
            float32 (len(rows), HEIGHT, WIDTH) in [0, 1].
        """
        out = []
        for n in rows.tolist():
            beside = as_light(sounds[rng.integers(len(sounds))])
            out.append(one_varied(rng, as_light(self.pictures[n]), beside, float(self.strengths[n])))
        return torch.stack(out)


def as_light(pictures: np.ndarray) -> Tensor:
    """uint8 pictures of any shape as float32 in [0, 1]."""
    return torch.from_numpy(pictures).float() / 255


def one_varied(rng: np.random.Generator, picture: Tensor, sound: Tensor, strength: float) -> Tensor:
    """One picture of `Shown.varied`; picture and sound are float (rows, columns) in [0, 1]."""
    if rng.random() < 0.5:
        picture = picture.flip(-1)
    if rng.random() < 0.3:
        picture = picture.roll(int(rng.integers(picture.shape[-1])), -1)
    kind = rng.random()
    if kind < 0.25 * strength:
        picture = sound * (1 - rng.uniform(0.5, 1.0) * (1 - picture))
    elif kind < 0.55 * strength:
        share = rng.uniform(0.15, 0.5)
        picture = (1 - share) * picture + share * sound
    elif kind < 0.8 * strength:
        picture = torch.maximum(float(rng.uniform(0.8, 1.0)) * picture, sound)
    if rng.random() < 0.5 * strength:
        picture = blurred(picture, float(rng.uniform(1.3, 3.5)))
    picture = picture.clamp(0, 1) ** float(rng.uniform(0.6, 1.6))
    picture = (picture - 0.5) * float(rng.uniform(0.6, 1.3)) + 0.5 + float(rng.uniform(-0.12, 0.12))
    if rng.random() < 0.06:
        picture = 1 - picture
    grain = torch.from_numpy(rng.standard_normal(picture.shape, np.float32))
    return (picture + float(rng.uniform(0, 0.06)) * grain).clamp(0, 1)


def blurred(picture: Tensor, factor: float) -> Tensor:
    """A picture made `factor` times smaller, then large again."""
    small = F.interpolate(picture[None, None], scale_factor=1 / factor, mode="bilinear", antialias=True)
    return F.interpolate(small, picture.shape, mode="bilinear")[0, 0]
