"""Scenes and sounds in the hand of the family's models: noised, then cleaned up without a prompt.

What the models make is as soft and patchy inside as these, and the drawings are still ones that no generator
saw: who learned from scenes alone names hardly any of its pictures, who learned from these many
(docs/journal.md).
"""

from pathlib import Path
from typing import Literal

import numpy as np
import torch

from eidophone.diffusion.walk import cumulative_alphas, make_scheduler, noised, walk
from eidophone.models.load import Loader
from recipes.config import Run
from recipes.scenes import scenes

STEPS = 25
#: A walk of so many steps is entered at one of these: early ones leave little but the outline.
ENTERED = (10, 21)
AT_ONCE = 16


@torch.inference_mode()
def repainted(
    pictures: np.ndarray, seed: int, device: torch.device, role: Literal["image", "audio"] = "image"
) -> np.ndarray:
    """Pictures uint8 (N, height, width) as that model of the package would have painted them."""
    model = Loader(device, torch.float32, offline=True).model("tiny", role)
    silent = model.text.encode("", "prompt")
    painter = model.guided(silent, silent, 1.0)
    alphas = cumulative_alphas(model.schedule)
    rng, out = np.random.default_rng(seed), []
    for first in range(0, len(pictures), AT_ONCE):
        gray = torch.from_numpy(pictures[first : first + AT_ONCE]).to(device).float() / 255
        clean = model.encode(gray[:, None].expand(-1, 3, -1, -1))
        noise = torch.from_numpy(rng.standard_normal(clean.shape, np.float32)).to(device)
        scheduler = make_scheduler("ddim", model.schedule, STEPS)
        entered = int(rng.integers(*ENTERED))
        latents = noised(clean, noise, alphas[int(scheduler.timesteps[entered])])
        for state in walk(painter, latents, scheduler, done=entered):
            latents = state.latents
        out.append((255 * model.decode(latents).mean(1)).round().to(torch.uint8).numpy())
    return np.concatenate(out)


def repainted_scenes(
    run: Run, half: str, count: int, sounds: np.ndarray, names: tuple[str, ...]
) -> tuple[np.ndarray, list[str]]:
    """Calm scenes of some concepts, repainted: uint8 (count, HEIGHT, WIDTH), concepts; kept in work/."""
    pictures, shown = scenes(half, run.work, count, sounds, names, whole=True)
    file = run.work / f"repainted-{len(names)}-{half}-{count}.npz"
    if not file.exists():
        draft = file.with_suffix(".part.npz")
        np.savez(draft, pictures=repainted(pictures, run["seed"] + 6, run.device))
        Path(draft).replace(file)
    found: np.ndarray = np.load(file)["pictures"]
    return found, shown
