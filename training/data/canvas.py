"""Canvases: random wide pictures with captions, made from the packed drawings.

Every choice comes from a numpy generator seeded for that canvas, so canvas i of a seed is always the same.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

from training.data import captions
from training.data.textures import HEIGHT, WIDTH, smooth, texture

BACKGROUNDS = {"black": 0.68, "white": 0.08, "gradient": 0.13, "noise": 0.11}
SIMPLE_BACKGROUNDS = {"black": 0.86, "white": 0.04, "gradient": 0.10}
SIMPLE_STYLES = {"plain": 0.88, "line": 0.03, "silhouette": 0.03, "lithograph": 0.06}
#: Sources of shaded drawings in one style, for simple canvases. A small network learns those first.
SIMPLE_SOURCES = ("fluent3d", "noto", "fluent-flat", "drawn")
STYLES = {
    "plain": 0.52,
    "textured": 0.28,
    "line": 0.06,
    "silhouette": 0.03,
    "lithograph": 0.08,
    "contrast": 0.03,
}


#: Share of canvases with one to five objects. Simple ones often show one, which leaves a sound most room.
COUNTS, SIMPLE_COUNTS = (0.28, 0.36, 0.27, 0.07, 0.02), (0.5, 0.3, 0.2, 0, 0)


@dataclass(frozen=True)
class Canvas:
    """A picture of shape (HEIGHT, WIDTH), float32 in [0, 1], its caption and its concept."""

    picture: np.ndarray
    caption: str
    concept: str


@dataclass(frozen=True)
class Pack:
    """The packed drawings (see pictures.py).

    Attributes:
        grey, alpha: uint8 (N, SIZE, SIZE).
        head: Whether a drawing shows only a head, (N,).
        weight: How often a drawing is chosen among those of its concept, (N,).
        simple: The same for simple canvases, (N,).
        form: Emoji of a drawing, (N,) strings; "drawn" or a path if it has none.
        members: Indices of each concept's drawings.
        tables: The concepts' tables of pictures.toml.
    """

    grey: np.ndarray
    alpha: np.ndarray
    head: np.ndarray
    weight: np.ndarray
    simple: np.ndarray
    form: np.ndarray
    members: dict[str, np.ndarray]
    tables: dict[str, dict[str, Any]]

    @classmethod
    def load(cls, file: Path, tables: dict[str, dict[str, Any]]) -> "Pack":
        """Reads pictures.npz. Drawn variants, clip art and outlines get less weight than shaded emoji."""
        data = np.load(file)
        names = [str(n) for n in data["concepts"]]
        source = data["source"]
        weight = np.where(source == "drawn", 0.2, np.where(source == "fluent-high-contrast", 0.3, 1.0))
        weight = np.where(source == "clipart", 0.3, weight)
        simple = np.isin(source, SIMPLE_SOURCES) * np.where(source == "drawn", 0.2, 1.0)
        form = np.where(source == "drawn", "drawn", data["name"])
        members = {name: np.nonzero(data["concept"] == i)[0] for i, name in enumerate(names)}
        return cls(data["grey"], data["alpha"], data["head"], weight, simple, form, members, tables)

    @classmethod
    def made_up(cls, tables: dict[str, dict[str, Any]]) -> "Pack":
        """A pack without downloads: the drawn shapes, assigned to the concepts in turn."""
        from training.data.shapes import SHAPES

        rng = np.random.default_rng(0)
        drawn = [draw(rng) for draw in SHAPES.values()]
        grey, alpha = (np.stack([(255 * d[i]).astype(np.uint8) for d in drawn]) for i in (0, 1))
        members = {name: np.array([i % len(drawn)]) for i, name in enumerate(tables)}
        ones = np.ones(len(drawn))
        form = np.full(len(drawn), "drawn")
        return cls(grey, alpha, np.zeros(len(drawn), bool), ones, ones, form, members, tables)

    def one(self, rng: np.random.Generator, concept: str, simple: bool = False) -> int:
        """Index of a random drawing of a concept; `simple` chooses among those for simple canvases."""
        among = self.members[concept]
        weight = self.weight[among]
        if simple and self.simple[among].any():
            weight = self.simple[among]
        return int(rng.choice(among, p=weight / weight.sum()))


def legible(grey: np.ndarray, alpha: np.ndarray, behind: float) -> np.ndarray:
    """An object's tones, inverted or shifted if they are too close to the background's tone `behind`."""
    inside = alpha > 0.5
    if not inside.any():
        return grey
    tone = float(grey[inside].mean())
    if abs(tone - behind) >= 0.22:
        return grey
    if abs(1 - tone - behind) > 0.4:
        return 1 - grey
    return (grey + (0.35 if behind < 0.5 else -0.35)).clip(0, 1)


@dataclass(frozen=True)
class Layer:
    """Objects on a transparent ground.

    Attributes:
        grey, alpha: float32 (HEIGHT, WIDTH) in [0, 1].
        behind: Tone of the background, from which the objects must differ.
    """

    grey: np.ndarray
    alpha: np.ndarray
    behind: float

    @classmethod
    def empty(cls, behind: float) -> "Layer":
        """An empty layer for a background with the mean tone `behind`."""
        return cls(np.zeros((HEIGHT, WIDTH), np.float32), np.zeros((HEIGHT, WIDTH), np.float32), behind)

    def add(
        self, pack: Pack, item: int, rng: np.random.Generator, size: int, centre: tuple[int, int],
        upright: bool = False,
    ) -> None:  # fmt: skip
        """Draws an object over the layer, `size` pixels high and wide, centred at (x, y).

        It may be mirrored and rotated a little, unless it must stay `upright`.
        """
        flip, turn = rng.random() < 0.5, rng.uniform(-8, 8) if rng.random() < 0.6 else 0.0
        if upright:
            flip, turn = False, 0.0
        planes = []
        for plane in (pack.grey[item] * (pack.alpha[item] > 0), pack.alpha[item]):
            image = Image.fromarray(plane).resize((size, size), Image.Resampling.BILINEAR)
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if flip else image
            planes.append(np.asarray(image.rotate(turn, Image.Resampling.BILINEAR), dtype=np.float32) / 255)
        left, top = centre[0] - size // 2, centre[1] - size // 2
        x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + size, WIDTH), min(top + size, HEIGHT)
        if x1 <= x0 or y1 <= y0:
            return
        here, cut = np.s_[y0:y1, x0:x1], np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
        tones, shape = planes
        grey, alpha = legible(tones, shape, self.behind)[cut], shape[cut]
        self.grey[here] = self.grey[here] * (1 - alpha) + grey * alpha
        self.alpha[here] = np.maximum(self.alpha[here], alpha)


def row(
    pack: Pack, rng: np.random.Generator, concepts: list[str], count: int, behind: float, simple: bool = False
) -> tuple[Layer, bool]:
    """Large objects side by side, and whether all of them show only heads.

    Simple: one drawing per concept, upright, in even places and never mirrored. If half of the dogs looked
    left, a small network would start with a dog that looks both ways, and keep the two heads.
    """
    if simple:
        return _simple_row(pack, rng, concepts, count, behind)
    layer, heads = Layer.empty(behind), []
    same = rng.random() < 0.35
    first = [pack.one(rng, c) for c in concepts]
    slot = WIDTH / count
    height = rng.uniform(0.78, 1.06) * min(HEIGHT, slot * rng.uniform(1.0, 1.25))
    for place in range(count):
        which = place % len(concepts)
        item = first[which] if same or place < len(concepts) else pack.one(rng, concepts[which])
        size = int(height * rng.uniform(0.88, 1.08))
        x = int(slot * (place + 0.5) + rng.normal(0, slot * (0.14 if count == 1 else 0.06)))
        x = int(np.clip(x, 0.42 * size, WIDTH - 0.42 * size))
        y = int(HEIGHT / 2 + rng.normal(0, 4) + max(0, (HEIGHT - size) / 2 - 4) * rng.uniform(-0.3, 0.8))
        layer.add(pack, item, rng, size, (x, y))
        heads.append(bool(pack.head[item]))
    return layer, all(heads)


def _simple_row(
    pack: Pack, rng: np.random.Generator, concepts: list[str], count: int, behind: float
) -> tuple[Layer, bool]:
    layer, slot = Layer.empty(behind), WIDTH / count
    items = [pack.one(rng, c, simple=True) for c in concepts]
    size = int(min(118, slot) * rng.uniform(0.94, 1.06))
    for place in range(count):
        x, y = (int(n) for n in rng.integers(-3, 4, 2))
        centre = (int(slot * (place + 0.5)) + x, HEIGHT // 2 + y)
        layer.add(pack, items[place % len(items)], rng, size, centre, upright=True)
    return layer, all(bool(pack.head[i]) for i in items)


def garden(pack: Pack, rng: np.random.Generator, behind: float) -> Layer:
    """Flowers along the bottom, birds and insects above."""
    layer = Layer.empty(behind)
    for kind, count, sizes, rows in (
        ("bird", rng.integers(2, 6), (36, 64), (18, 56)),
        ("butterfly", rng.integers(0, 3), (24, 40), (20, 60)),
        ("flower", rng.integers(6, 12), (40, 72), (78, 112)),
    ):
        for x in rng.permutation(np.linspace(14, WIDTH - 14, int(count))):
            at = (int(x + rng.normal(0, 8)), int(rng.integers(*rows)))
            layer.add(pack, pack.one(rng, kind), rng, int(rng.integers(*sizes)), at)
    return layer


def pond(pack: Pack, rng: np.random.Generator) -> tuple[Layer, np.ndarray]:
    """Water lilies, smaller towards the top, and the water: (layer, background)."""
    layer = Layer.empty(0.2)
    rows = np.sort(rng.uniform(26, 108, int(rng.integers(4, 10))))
    for y in rows:
        size = int(34 + 62 * (y / HEIGHT) * rng.uniform(0.8, 1.15))
        layer.add(pack, pack.one(rng, "lilies"), rng, size, (int(rng.uniform(10, WIDTH - 10)), int(y)))
    depth = np.linspace(0.6, 1.6, HEIGHT)[:, None]
    swell = np.sin(
        np.arange(HEIGHT)[:, None] / depth * rng.uniform(0.6, 1.1) + 4 * smooth(rng, HEIGHT, WIDTH, (20, 30))
    )
    water = rng.uniform(0.02, 0.3) + rng.uniform(0.05, 0.2) * (0.5 + 0.5 * swell) * smooth(
        rng, HEIGHT, WIDTH, (8, 40)
    )
    return layer, water.astype(np.float32)


def background(rng: np.random.Generator, kind: str) -> np.ndarray:
    """Black, white, a soft gradient or soft noise."""
    if kind in ("black", "white"):
        level = rng.uniform(0, 0.03) if kind == "black" else rng.uniform(0.93, 1.0)
        return np.full((HEIGHT, WIDTH), level, np.float32)
    if kind == "gradient":
        ends = rng.uniform(0.05, 0.8, 2)
        ramp = np.linspace(0, 1, HEIGHT)[:, None] if rng.random() < 0.7 else np.linspace(0, 1, WIDTH)[None]
        return np.broadcast_to(ends[0] + (ends[1] - ends[0]) * ramp, (HEIGHT, WIDTH)).astype(np.float32)
    cells = (rng.uniform(6, 50), rng.uniform(6, 80))
    return (rng.uniform(0, 0.4) + rng.uniform(0.15, 0.5) * smooth(rng, HEIGHT, WIDTH, cells)).clip(0, 1)


def edges(plane: np.ndarray, width: float) -> np.ndarray:
    """Strength of edges in [0, 1]; lines are `width` pixels wide."""
    image = Image.fromarray((255 * plane.clip(0, 1)).astype(np.uint8)).filter(ImageFilter.GaussianBlur(width))
    soft = np.asarray(image, dtype=np.float32) / 255
    dy, dx = np.gradient(soft)
    return (np.hypot(dx, dy) * 7 * width).clip(0, 1)


def hatched(rng: np.random.Generator, grey: np.ndarray) -> np.ndarray:
    """The picture as printed hatching: lines in one or two directions, thicker where it is lighter."""
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    wobble = 3 * smooth(rng, HEIGHT, WIDTH, (24, 24))
    angle, pitch = rng.uniform(0, np.pi), rng.uniform(3.2, 6.0)
    out = np.zeros_like(grey)
    for turn, share in ((0.0, 1.0), (rng.uniform(0.7, 1.6), 0.75)):
        along = (x * np.cos(angle + turn) + y * np.sin(angle + turn) + wobble) * (2 * np.pi / pitch)
        line = ((0.5 + 0.5 * np.cos(along)) - (1.2 - grey * share)) * 3.0 + 0.5
        out = np.maximum(out, line.clip(0, 1))
        if rng.random() < 0.5:
            break
    return np.maximum(out * (0.35 + 0.65 * grey), 0.9 * edges(grey, 0.8))


def loudest(sound: np.ndarray) -> np.ndarray:
    """A spectrogram, scaled so that its loudest parts are 1."""
    loud: np.ndarray = (sound / max(0.3, float(np.quantile(sound, 0.97)))).clip(0, 1)
    return loud


def textured(rng: np.random.Generator, picture: np.ndarray, sound: np.ndarray) -> np.ndarray:
    """The picture filled with a spectrogram: its tones gate the sound, and some of it may show through."""
    keep = rng.uniform(0.0, 0.65) if rng.random() < 0.8 else 0.85
    loud = loudest(sound) ** rng.uniform(0.5, 1.2)
    out = picture * (keep + (1 - keep) * loud)
    if rng.random() < 0.35:
        out = np.maximum(out, rng.uniform(0.2, 0.7) * edges(picture, 1.0))
    if rng.random() < 0.4:
        out = np.maximum(out, rng.uniform(0.1, 0.45) * loud * (1 - picture))
    return (out * rng.uniform(0.85, 1.25)).clip(0, 1)


def styled(
    rng: np.random.Generator, style: str, layer: Layer, ground: np.ndarray, sound: np.ndarray
) -> np.ndarray:
    """A layer on a background, drawn in a style (a key of STYLES)."""
    grey, alpha = layer.grey ** rng.uniform(0.75, 1.25), layer.alpha
    light = ground.mean() > 0.5
    if style == "line":
        lines = np.maximum(edges(grey * alpha, 0.9), edges(alpha, 0.9))
        return (ground * (1 - lines) if light else np.maximum(ground * (1 - 0.7 * alpha), lines)).clip(0, 1)
    if style == "silhouette":
        return ground * (1 - alpha) + alpha * (0.05 if light else rng.uniform(0.7, 1.0))
    out = ground * (1 - alpha) + grey * alpha
    if style == "contrast":
        return ((out - 0.5) * rng.uniform(2, 4) + 0.5).clip(0, 1)
    if style == "lithograph":
        return 1 - hatched(rng, 1 - out) if light else hatched(rng, out)
    if style == "textured":
        return textured(rng, out, sound)
    return out


def choose(rng: np.random.Generator, shares: dict[str, float]) -> str:
    """A random key; each is as likely as its share."""
    names = list(shares)
    weight = np.array([shares[n] for n in names])
    return names[rng.choice(len(names), p=weight / weight.sum())]


def canvas(
    pack: Pack, seed: tuple[int, int], concept: str, sounds: np.ndarray | None = None, simple: bool = False
) -> Canvas:
    """One canvas of a concept.

    Args:
        pack: Drawings.
        seed: Seed of the run and number of the canvas.
        concept: A key of `pack.tables`.
        sounds: Spectrograms for textures, uint8 (N, HEIGHT, WIDTH); generated ones if None.
        simple: Whether the canvas is simple: one drawing in even places, mostly shaded, on black.
    """
    rng = np.random.default_rng(seed)
    style = choose(rng, SIMPLE_STYLES if simple else STYLES)
    kind = choose(rng, SIMPLE_BACKGROUNDS if simple else BACKGROUNDS)
    if style == "textured" and kind == "white":
        kind = "black"
    ground, table = background(rng, kind), pack.tables[concept]
    if style == "textured" and sounds is not None and rng.random() < 0.8:
        sound = sounds[rng.integers(len(sounds))].astype(np.float32) / 255
    else:
        sound = texture(rng)
    counts = SIMPLE_COUNTS if simple else COUNTS
    names, count, head = [concept], int(rng.choice(5, p=counts)) + 1, False
    if concept == "garden":
        layer, count = garden(pack, rng, float(ground.mean())), 2
    elif concept == "lilies":
        layer, ground = pond(pack, rng)
        kind, count = "noise", 2
    else:
        if count in (2, 3) and rng.random() < (0.0 if simple else 0.12):
            names.append(str(rng.choice([c for c in pack.tables if c not in (concept, "garden", "lilies")])))
        layer, head = row(pack, rng, names, count, float(ground.mean()), simple)
    picture = styled(rng, style, layer, ground, sound)
    if len(names) == 2:
        shares = [(count + 1) // 2, count // 2]
        things = [captions.thing(rng, pack.tables[n], c) for n, c in zip(names, shares, strict=True)]
    else:
        things = [captions.thing(rng, table, count, head)]
    words = captions.caption(rng, things, table["doing"], style, kind == "black")
    return Canvas(picture.astype(np.float32).clip(0, 1), words, concept)
