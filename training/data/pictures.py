"""The pack of drawings: single objects, cut out, with their concept, from permissively licensed sets.

The stage `pictures` writes pictures.npz (grey), colours.npz (in colour, with a few more concepts from
colours.toml) and contact sheets. The same packages always give the same pack: only the drawn variants are
random, and they are seeded.
"""

import io
import json
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from training.config import Run
from training.data import fetch
from training.data.shapes import SHAPES, SIZE

HERE = Path(__file__).parent
PER_SHEET = 22 * 18
MARGIN = 3
DRAWN_VARIANTS = 24
LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)


@dataclass(frozen=True)
class Item:
    """One drawing.

    Attributes:
        concept: A concept of pictures.toml or colours.toml.
        source: The set that it comes from.
        name: Its name there.
        head: Whether it shows only a head.
        colour: uint8 (SIZE, SIZE, 3); 0 where alpha is 0.
        alpha: uint8 (SIZE, SIZE).
    """

    concept: str
    source: str
    name: str
    head: bool
    colour: np.ndarray
    alpha: np.ndarray

    @property
    def grey(self) -> np.ndarray:
        """Its luma, uint8 (SIZE, SIZE)."""
        return eight_bit(self.colour.astype(np.float32) @ LUMA / 255)


def concepts() -> dict[str, dict[str, Any]]:
    """The concepts of pictures.toml by name, in the order of the file."""
    table: dict[str, dict[str, Any]] = tomllib.loads((HERE / "pictures.toml").read_text())["concept"]
    return table


def coloured_concepts() -> dict[str, dict[str, Any]]:
    """The concepts that the coloured pair learns: those of pictures.toml and of colours.toml."""
    return concepts() | tomllib.loads((HERE / "colours.toml").read_text())["concept"]


def fit(image: Image.Image) -> tuple[np.ndarray, np.ndarray] | None:
    """Crops an RGBA image to what is visible and centres it in a square.

    Colours are multiplied by alpha before resizing, so that transparent pixels do not count.

    Returns:
        Colour and alpha, or None if nothing is visible.
    """
    rgba = np.asarray(image.convert("RGBA"), dtype=np.float32) / 255
    alpha = rgba[..., 3]
    rows, columns = np.nonzero((alpha > 0.1).any(1))[0], np.nonzero((alpha > 0.1).any(0))[0]
    if len(rows) < 8 or len(columns) < 8:
        return None
    cut = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    *colours, covered = [place(plane[cut]) for plane in (*np.moveaxis(rgba[..., :3], -1, 0) * alpha, alpha)]
    colour = np.where(covered > 0, np.stack(colours) / np.maximum(covered, 1e-3), 0)
    return eight_bit(np.moveaxis(colour, 0, -1)), eight_bit(covered)


def eight_bit(plane: np.ndarray) -> np.ndarray:
    """A plane in [0, 1] as uint8."""
    return (255 * plane.clip(0, 1)).round().astype(np.uint8)


def place(plane: np.ndarray) -> np.ndarray:
    """Resizes a float plane to fill the square up to a margin, and centres it."""
    inner = SIZE - 2 * MARGIN
    height, width = plane.shape
    scale = inner / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = np.asarray(Image.fromarray(plane).resize(size, Image.Resampling.LANCZOS))
    out = np.zeros((SIZE, SIZE), np.float32)
    top, left = (SIZE - size[1]) // 2, (SIZE - size[0]) // 2
    out[top : top + size[1], left : left + size[0]] = small
    return out


def render(svg: Path) -> Image.Image:
    """Renders an SVG file with rsvg-convert; its longer side becomes 160 pixels."""
    command = ["rsvg-convert", "--width", "160", "--height", "160", "--keep-aspect-ratio", str(svg)]
    done = subprocess.run(command, capture_output=True, timeout=30, check=True)
    return Image.open(io.BytesIO(done.stdout))


def labels() -> dict[str, str]:
    """English labels of emojibase by code points (lower case, joined with -)."""
    entries = json.loads((fetch.npm("emojibase-data", "17.0.0") / "en" / "data.json").read_text())
    return {entry["hexcode"].lower(): entry["label"] for entry in entries}


def emoji_files(code: str, label: str) -> Iterator[tuple[str, Path]]:
    """Possible files of one emoji: (source, file), with and without the variation selector."""
    codes = (code, f"{code}-fe0f")
    slug = (
        label.lower()
        .replace(":", "")
        .replace("’", "")
        .replace("!", "")
        .replace(" ", "-")
        .replace("o-clock", "oclock")
    )
    shaded = fetch.npm("@lobehub/fluent-emoji-3d", "1.1.0") / "assets"
    noto = fetch.npm("emoji-datasource-google", "16.0.0") / "img" / "google" / "64"
    icons = fetch.npm("fluentui-emoji", "1.3.0") / "icons"
    yield from (("fluent3d", shaded / f"{c}.webp") for c in codes)
    yield from (("noto", noto / f"{c}.png") for c in codes)
    for style in ("flat", "modern", "high-contrast"):
        yield from (("fluent-" + style, icons / style / f"{s}.svg") for s in (slug, f"{slug}-default"))


def emoji_items(concept: str, table: dict[str, Any], names: dict[str, str]) -> Iterator[Item]:
    """All drawings of a concept's emoji."""
    for code in table.get("emoji", []):
        for source, file in emoji_files(code, names.get(code, names.get(f"{code}-fe0f", code))):
            if not file.is_file():
                continue
            image = render(file) if file.suffix == ".svg" else Image.open(file)
            if pixels := fit(image):
                yield Item(concept, source, code, code in table.get("heads", []), *pixels)


def clipart_items(concept: str, table: dict[str, Any]) -> Iterator[Item]:
    """A concept's Openclipart pictures."""
    root = fetch.debian("openclipart-svg") / "usr" / "share" / "openclipart" / "svg"
    for name in table.get("clipart", []):
        try:
            image = render(next(root.glob(f"{name}.svg*")))
        except (StopIteration, subprocess.SubprocessError, OSError):
            print(f"{concept}: {name} cannot be rendered")
            continue
        if pixels := fit(image):
            yield Item(concept, "clipart", name, False, *pixels)


def drawn_items(concept: str, table: dict[str, Any]) -> Iterator[Item]:
    """A concept's drawn variants."""
    for number in range(DRAWN_VARIANTS if "drawn" in table else 0):
        grey, alpha = SHAPES[table["drawn"]](np.random.default_rng(number))
        colour = np.repeat(eight_bit(grey)[..., None], 3, -1)
        yield Item(concept, "drawn", f"{table['drawn']}-{number}", False, colour, eight_bit(alpha))


def collect(tables: dict[str, dict[str, Any]]) -> list[Item]:
    """Every drawing of every concept in the tables."""
    names, items = labels(), []
    for concept, table in tables.items():
        found = [
            *emoji_items(concept, table, names),
            *clipart_items(concept, table),
            *drawn_items(concept, table),
        ]
        print(f"{concept}: {len(found)}", flush=True)
        items += found
    return items


def save(items: list[Item], file: Path, names: list[str], colour: bool = False) -> None:
    """Writes a pack.

    Its arrays: grey and alpha, uint8 (N, SIZE, SIZE); concept, indices into concepts (the `names`); source,
    name and head, (N,); with `colour` also colour, uint8 (N, SIZE, SIZE, 3).
    """
    coloured: dict[str, Any] = {"colour": np.stack([i.colour for i in items])} if colour else {}
    np.savez_compressed(
        file,
        grey=np.stack([i.grey for i in items]),
        alpha=np.stack([i.alpha for i in items]),
        concept=np.array([names.index(i.concept) for i in items], np.int32),
        concepts=np.array(names),
        source=np.array([i.source for i in items]),
        name=np.array([i.name for i in items]),
        head=np.array([i.head for i in items]),
        **coloured,
    )


def sheet(items: list[Item], across: int = 22, size: int = 56) -> Image.Image:
    """All drawings on mid grey, numbered."""
    rows = -(-len(items) // across)
    out = Image.new("RGB", (across * size, rows * (size + 10)), (90, 90, 90))
    pen = ImageDraw.Draw(out)
    for n, item in enumerate(items):
        at = (n % across * size, n // across * (size + 10))
        tile = Image.fromarray(item.colour).resize((size, size))
        out.paste(tile, (at[0], at[1] + 10), Image.fromarray(item.alpha).resize((size, size)))
        pen.text(at, f"{n} {item.concept[:7]}", fill="white", font_size=9)
    return out


def sheets(items: list[Item], work: Path, name: str) -> None:
    """Writes contact sheets of all drawings: NAME-0.png and so on."""
    for start in range(0, len(items), PER_SHEET):
        sheet(items[start : start + PER_SHEET]).save(work / f"{name}-{start // PER_SHEET}.png")


def make(run: Run) -> None:
    """The stage `pictures`: pictures.npz, colours.npz and contact sheets in the work folder."""
    if not run.packs:
        print("pictures: a smoke run uses drawn shapes instead")
        return
    items = collect(coloured_concepts())
    grey = [item for item in items if item.concept in concepts()]
    save(grey, run.work / "pictures.npz", list(concepts()))
    save(items, run.work / "colours.npz", list(coloured_concepts()), colour=True)
    sheets(items, run.work, "pictures")
    print(f"{len(items)} drawings, {len(grey)} of them in grey, too")
