"""Iconic drawings: those that are recognized at once, which a small network should learn.

A concept's drawings come in forms (a dog's face, a dog, a guide dog). A small network that learns all of them
draws what they have in common. So forms that people recognize at once (`iconic` in pictures.toml) count most,
and among them drawings that the earlier family's embedder recognizes, as drawn and as repainted by its image
model. That embedder learned from other drawings.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from eidophone.models.embedders.contract import Embedder
from eidophone.models.embedders.tiny import load_tiny
from training.cache import cached_arrays
from training.config import Run
from training.data import captions
from training.data.canvas import Layer, Pack
from training.data.pictures import concepts
from training.data.repainted import repainted
from training.data.scenes import UNDRAWN, as_light
from training.data.textures import HEIGHT, WIDTH

#: How often a drawing is repeated on the canvases that the embedder looks at, and its size there in pixels.
COUNTS, SIZE = (1, 2), 116
TEMPERATURE = 0.1
AT_ONCE = 16
#: Share of a concept's canvases with other forms than the iconic ones; also the smallest weight of a drawing,
#: relative to the best recognized one.
REST = 0.03
#: Smallest mean tone of a drawing: on a black ground darker ones are hardly visible.
TONE = 0.6


def canvas_of(pack: Pack, item: int, count: int) -> np.ndarray:
    """One drawing, `count` times side by side on black, uint8 (HEIGHT, WIDTH)."""
    layer, slot = Layer.empty(0.0), WIDTH / count
    for place in range(count):
        centre = (int(slot * (place + 0.5)), HEIGHT // 2)
        layer.add(pack, item, np.random.default_rng(0), SIZE, centre, upright=True)
    drawn: np.ndarray = (255 * layer.grey * layer.alpha).round().astype(np.uint8)
    return drawn


@torch.no_grad()
def likelihood(
    embedder: Embedder, pictures: np.ndarray, wanted: Sequence[str], names: Sequence[str]
) -> np.ndarray:
    """How likely each picture, uint8 (N, height, width), shows its wanted name, and not another one: (N,)."""
    tables = concepts()
    things = [captions.article(tables[name]["one"][0]) for name in names]
    phrases = embedder.text([f"a painting of {thing}" for thing in things])
    light = as_light(pictures)[:, None].expand(-1, 3, -1, -1)
    seen = torch.cat([embedder.picture(part) for part in light.split(AT_ONCE)])
    share = (seen @ phrases.T / TEMPERATURE).softmax(-1)
    found: np.ndarray = share[range(len(wanted)), [list(names).index(n) for n in wanted]].numpy()
    return found


def iconic_scores(run: Run, pack: Pack) -> np.ndarray:
    """How well the embedder recognizes each drawing, 0 to 1, (N,); 0 if no simple canvas shows it.

    Cached in iconic.npz.
    """

    def _judged() -> dict[str, np.ndarray]:
        embedder = load_tiny(run.earlier("embedder"), torch.device("cpu"))
        names = [name for name in pack.tables if name not in UNDRAWN]
        items = [(i, name) for name in names for i in pack.members[name] if pack.simple[i] > 0]
        wanted, found = [name for _, name in items], np.zeros(len(pack.simple))
        drawn = [np.stack([canvas_of(pack, i, count) for i, _ in items]) for count in COUNTS]
        looks = [*drawn, repainted(drawn[0], run["seed"] + 11, run.device, "image", run.earlier(""))]
        found[[i for i, _ in items]] = np.mean([likelihood(embedder, p, wanted, names) for p in looks], 0)
        return {"iconic": found}

    return cached_arrays(run.work / "iconic.npz", _judged)["iconic"]


def favour_iconic(pack: Pack, scores: np.ndarray) -> Pack:
    """A pack whose simple canvases show mostly iconic forms, and among these mostly recognized drawings.

    Args:
        pack: Drawings; its tables name the iconic forms.
        scores: From `iconic_scores`.
    """
    weight = np.zeros(len(scores))
    for name, members in pack.members.items():
        items = members[pack.simple[members] > 0]
        weight[items] = np.maximum(scores[items], max(scores[items].max(initial=0) * REST, 1e-3))
        if forms := pack.tables[name].get("iconic"):
            iconic = np.isin(pack.form[items], forms)
            for part, share in ((items[iconic], 1 - REST), (items[~iconic], REST)):
                weight[part] *= share / (pack.simple[part] * weight[part]).sum().clip(1e-9)
    return replace(pack, simple=pack.simple * weight)


def brightened(pack: Pack) -> Pack:
    """A pack in which no drawing has a mean tone below TONE: a power brightens it and keeps black black."""
    grey = pack.grey.copy()
    for n, (plane, alpha) in enumerate(zip(pack.grey, pack.alpha, strict=True)):
        inside = alpha > 127
        tone = float(plane[inside].mean()) / 255 if inside.any() else 1.0
        if 0 < tone < TONE:
            grey[n] = (255 * (plane / 255) ** (np.log(TONE) / np.log(tone))).round()
    return replace(pack, grey=grey)
