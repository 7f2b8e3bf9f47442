"""Packs of drawings that no generator sees: one half for the embedder, the other for the judge.

The stage `drawings` writes drawings-learn.npz and drawings-judge.npz, in the form of pictures.npz, and
contact sheets. drawings.toml says which sets belong to which half, with their licences.
"""

import json
import re
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from training.config import Run
from training.data import fetch
from training.data.pictures import Item, concepts, fit, labels, render, save, sheets

HALVES = ("learn", "judge")
ICONS = {"streamline-emojis": "1.2.4", "fxemoji": "1.2.2", "game-icons": "1.2.4", "emojione": "1.2.3",
         "emojione-v1": "1.2.3", "noto-v1": "1.2.5", "mdi": "1.2.3"}  # fmt: skip


def table() -> dict[str, dict[str, Any]]:
    """The contents of drawings.toml."""
    return tomllib.loads(Path(__file__).with_name("drawings.toml").read_text())


def slugs(label: str) -> list[str]:
    """Names in icon sets for what emojibase calls `label`.

    >>> slugs("dog face")
    ['dog-face', 'dog-face-1', 'dog-face-2', 'dog-face-face']
    """
    plain = re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-")
    return [plain, f"{plain}-1", f"{plain}-2", f"{plain}-face"]


class IconSet:
    """One of Iconify's icon sets."""

    def __init__(self, name: str) -> None:
        file = fetch.npm(f"@iconify-json/{name}", ICONS[name]) / "icons.json"
        self.icons: dict[str, Any] = json.loads(file.read_text())
        self.name = name

    def __contains__(self, icon: str) -> bool:
        return icon in self.icons["icons"] or icon in self.icons.get("aliases", {})

    def draw(self, icon: str) -> Image.Image:
        """Draws an icon, RGBA."""
        while icon not in self.icons["icons"]:
            icon = self.icons["aliases"][icon]["parent"]
        found = self.icons["icons"][icon]
        wide, high = (found.get(side, self.icons.get(side, 16)) for side in ("width", "height"))
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "icon.svg"
            file.write_text(
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}">{found["body"]}</svg>'
            )
            return render(file)


def by_code(codes: list[str]) -> Iterator[tuple[str, str, Image.Image]]:
    """Drawings from the two sets that name emoji by code point: (set, code, picture)."""
    twemoji = fetch.npm("emoji-datasource-twitter", "16.0.0") / "img" / "twitter" / "64"
    openmoji = fetch.npm("openmoji", "17.0.0")
    for code in codes:
        for spelt in (code, f"{code}-fe0f"):
            if (file := twemoji / f"{spelt}.png").is_file():
                yield "twemoji", code, Image.open(file)
            for way in ("color", "black"):
                if (file := openmoji / way / "svg" / f"{spelt.upper()}.svg").is_file():
                    yield "openmoji", f"{code}-{way}", render(file)


def by_name(concept: str, codes: list[str], names: dict[str, str]) -> Iterator[tuple[str, str, Image.Image]]:
    """Drawings from the icon sets: (set, name, picture)."""
    heard = {slug: None for code in codes for slug in slugs(names.get(code, names.get(f"{code}-fe0f", code)))}
    for which in ICONS:
        icons = IconSet(which)
        for icon in table().get(which, {}).get(concept, heard if which not in table() else ()):
            if icon in icons:
                yield which, icon, icons.draw(icon)


def stamps(concept: str) -> Iterator[tuple[str, str, Image.Image]]:
    """Tux Paint's stamps of a concept: (set, path, picture)."""
    folder = fetch.debian("tuxpaint-stamps-default") / "usr/share/tuxpaint/stamps"
    for path in table()["stamps"].get(concept, ()):
        file = folder / path
        yield "stamps", path, render(file) if file.suffix == ".svg" else Image.open(file)


def collect(half: str) -> list[Item]:
    """Every drawing of one half."""
    wanted, names, items = table()[half], labels(), []
    for concept, entry in concepts().items():
        codes, heads = entry.get("emoji", []), entry.get("heads", [])
        for source, name, image in [*by_code(codes), *by_name(concept, codes, names), *stamps(concept)]:
            if source in wanted and (pixels := fit(image)):
                items.append(Item(concept, source, name, name.split("-")[0] in heads, *pixels))
    return items


def make(run: Run) -> None:
    """The stage `drawings`: a pack of each half in the work folder, and contact sheets."""
    if not run.packs:
        print("drawings: a smoke run uses drawn shapes instead")
        return
    for half in HALVES:
        items = collect(half)
        save(items, run.work / f"drawings-{half}.npz", list(concepts()))
        sheets(items, run.work, f"drawings-{half}")
        print(f"{half}: {len(items)} drawings of {len({i.concept for i in items})} concepts", flush=True)
