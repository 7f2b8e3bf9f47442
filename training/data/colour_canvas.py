"""Canvases in colour, with captions that name it: what the coloured pair learns from.

A grey canvas is drawn as for the image model (nearly half of them are filled with spectrograms), and a tint
is laid over it: the drawing's own, its own with rotated hues, or a single hue. The caption names a colour
where one is clear, and says grayscale where there is none.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

from training.data import captions
from training.data.canvas import Layer, Pack, background, choose, row, styled
from training.data.colours import Colour, dominant, painted, palette, pure, tint_of, turned
from training.data.textures import HEIGHT, WIDTH, smooth, texture

STYLES = {"plain": 0.42, "textured": 0.46, "line": 0.04, "silhouette": 0.03, "lithograph": 0.05}
BACKGROUNDS = {"black": 0.74, "gradient": 0.14, "noise": 0.08, "white": 0.04}
DRESSES = {"own": 0.25, "turned": 0.2, "one hue": 0.38, "none": 0.17}
GROUND_TINTS = {"none": 0.45, "the same": 0.2, "another": 0.35}
COUNTS = (0.35, 0.4, 0.25)
SCENES = ("garden", "lilies")  # made of several concepts, so that one colour word would be false
BROWN_LIGHT = 0.5
ANY_TONE = -9.0  # far from every tone, so that objects keep theirs


@dataclass(frozen=True)
class ColourCanvas:
    """A picture (HEIGHT, WIDTH, 3), float32 in [0, 1], its caption, and its colour ("" if none is clear)."""

    picture: np.ndarray
    caption: str
    colour: str


@dataclass(frozen=True)
class ColourPack:
    """The packed drawings in grey, and once for each colour channel."""

    grey: Pack
    channels: tuple[Pack, ...]

    @classmethod
    def load(cls, file: Path, tables: dict[str, dict[str, Any]]) -> "ColourPack":
        """Reads colours.npz."""
        colour = np.load(file)["colour"]
        return cls.of(Pack.load(file, tables), colour)

    @classmethod
    def made_up(cls, tables: dict[str, dict[str, Any]]) -> "ColourPack":
        """The drawn shapes, each in one hue."""
        grey = Pack.made_up(tables)
        tints = pure(np.linspace(0, 300, len(grey.grey)))[:, None, None]
        return cls.of(grey, (255 * painted(grey.grey / 255, tints)).astype(np.uint8))

    @classmethod
    def of(cls, grey: Pack, colour: np.ndarray) -> "ColourPack":
        """From a grey pack and the colours of the same drawings, uint8 (N, SIZE, SIZE, 3)."""
        planes = (np.ascontiguousarray(plane) for plane in np.moveaxis(colour, -1, 0))
        return cls(grey, tuple(replace(grey, grey=plane) for plane in planes))


def one_hue(rng: np.random.Generator, colour: Colour) -> np.ndarray:
    """A tint of one colour that varies a little, (HEIGHT, WIDTH, 3)."""
    waver = [smooth(rng, HEIGHT, WIDTH, (30, 30)) - 0.5 for _ in range(2)]
    strength = rng.uniform(*colour.saturation) * (1 + 0.3 * waver[0])
    return pure(colour.hue + 14 * waver[1]) * strength.clip(0, 1)[..., None]


def dressed(
    rng: np.random.Generator, seen: np.ndarray, alpha: np.ndarray
) -> tuple[np.ndarray, Colour | None, bool]:
    """A tint for a layer of objects, its colour if one is clear, and whether it has any colour.

    Args:
        rng: Makes every choice.
        seen: The objects in their own colours, (HEIGHT, WIDTH, 3).
        alpha: Where they are, (HEIGHT, WIDTH).
    """
    way, own = choose(rng, DRESSES), dominant(seen[::3, ::3], alpha[::3, ::3])
    if way == "none":
        return np.zeros_like(seen), None, False
    if way == "own" and (own or rng.random() < 0.5):
        return tint_of(seen), own and own[0], True
    target = palette()[str(rng.choice(list(palette())))]
    if way == "turned" and own and "brown" not in (own[0].name, target.name):
        return turned(tint_of(seen), target.hue - own[1]), target, True
    return one_hue(rng, target), target, True


def ground_tint(rng: np.random.Generator, own: np.ndarray) -> np.ndarray:
    """A paler tint for the background, or for the sound that shows through there."""
    way = choose(rng, GROUND_TINTS)
    if way == "none":
        return np.zeros_like(own)
    if way == "the same":
        return rng.uniform(0.2, 0.6) * own.mean((0, 1), keepdims=True) * np.ones_like(own)
    return rng.uniform(0.2, 0.7) * one_hue(rng, palette()[str(rng.choice(list(palette())))])


def soft(plane: np.ndarray, radius: float) -> np.ndarray:
    """A plane in [0, 1], blurred."""
    image = Image.fromarray((255 * plane).astype(np.uint8)).filter(ImageFilter.GaussianBlur(radius))
    return np.asarray(image, np.float32) / 255


def heard(rng: np.random.Generator, sounds: np.ndarray | None) -> np.ndarray:
    """A spectrogram to fill a drawing with: mostly a recorded one, if there are any."""
    if sounds is None or rng.random() < 0.2:
        return texture(rng)
    return sounds[rng.integers(len(sounds))].astype(np.float32) / 255


def colour_canvas(
    pack: ColourPack, seed: tuple[int, ...], concept: str, sounds: np.ndarray | None = None
) -> ColourCanvas:
    """One canvas of a concept.

    Args:
        pack: Drawings.
        seed: Seed of the run and number of the canvas.
        concept: A key of the pack's tables, but none of SCENES.
        sounds: Spectrograms, uint8 (N, HEIGHT, WIDTH); generated ones if None.
    """
    rng = np.random.default_rng(seed)
    style, kind = choose(rng, STYLES), choose(rng, BACKGROUNDS)
    if style == "textured" and kind == "white":
        kind = "black"
    ground, count, simple = background(rng, kind), 1 + int(rng.choice(3, p=COUNTS)), bool(rng.random() < 0.8)
    places = int(rng.integers(2**32))

    def objects(of: Pack, behind: float) -> tuple[Layer, bool]:
        return row(of, np.random.default_rng(places), [concept], count, behind, simple)

    layer, head = objects(pack.grey, float(ground.mean()))
    seen = np.stack([objects(channel, ANY_TONE)[0].grey for channel in pack.channels], -1)
    tint, colour, any_colour = dressed(rng, seen, layer.alpha)
    if colour and colour.name == "brown":
        layer = replace(layer, grey=BROWN_LIGHT * layer.grey)
    sound = heard(rng, sounds) if style == "textured" else ground
    grey = styled(rng, style, layer, ground, sound).clip(0, 1).astype(np.float32)
    where = soft(layer.alpha, rng.uniform(0.3, 2.0))[..., None]
    behind = ground_tint(rng, tint) if any_colour else tint
    picture = painted(grey, where * tint + (1 - where) * behind)
    table, word = pack.grey.tables[concept], captions.pick(rng, colour.words) if colour else ""
    words = captions.coloured(rng, table, count, head, word if any_colour else None, kind == "black")
    return ColourCanvas(picture.astype(np.float32), words, colour.name if colour else "")
