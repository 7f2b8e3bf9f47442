"""Repainted scenes and sounds: noised, then denoised by a model of the family without a prompt.

They look like what the models make, soft and patchy inside, but show drawings that no generator saw. An
embedder or judge that learned from scenes alone recognizes hardly any of the models' pictures; one that
learned from these recognizes many (docs/journal.md). Scenes are laid over sounds as `compose` does it.
"""

from pathlib import Path

import numpy as np
import torch

from eidophone.diffusion.sampler import make_scheduler, noised, sampling_steps
from eidophone.models.cards import Role, package_folder
from eidophone.models.load import Loader
from eidophone.verbs.compose.blends.lighten import lighten
from training.cache import cached_arrays
from training.config import Run
from training.data.scenes import as_light, scenes

STEPS = 25
#: Denoising starts at one of these steps of STEPS; early ones leave little more than the outline.
ENTERED = (10, 21)
AT_ONCE = 16
#: Weight of a sound under a scene, lowest and highest; columns between the positions it may be rotated to.
SHARES, STRIDE = (0.4, 0.6), 8
#: Size of a scene over a sound, smallest and largest.
SIZES = (0.65, 1.0)


@torch.inference_mode()
def repainted(
    pictures: np.ndarray, seed: int, device: torch.device, role: Role = "image", family: Path | None = None
) -> np.ndarray:
    """Pictures as a model of a family would have painted them, uint8 (N, height, width).

    Args:
        pictures: What to repaint, uint8 (N, height, width).
        seed: Seed of noise and noise levels.
        device: Where the model runs.
        role: image or audio.
        family: Folder of an exported family; the package's if None.
    """
    model = Loader(device, torch.float32, offline=True).model(
        str((family or package_folder("tiny")) / role), role
    )
    silent = model.text.encode("", "prompt")
    painter = model.guided(silent, silent, 1.0)
    rng, out = np.random.default_rng(seed), []
    for first in range(0, len(pictures), AT_ONCE):
        gray = as_light(pictures[first : first + AT_ONCE]).to(device)
        clean = model.encode(gray[:, None].expand(-1, 3, -1, -1))
        noise = torch.from_numpy(rng.standard_normal(clean.shape, np.float32)).to(device)
        scheduler = make_scheduler("ddim", model.schedule, STEPS)
        entered = int(rng.integers(*ENTERED))
        latents = noised(clean, noise, model.alphas_cumprod[int(scheduler.timesteps[entered])])
        for state in sampling_steps(painter, latents, scheduler, done=entered):
            latents = state.latents
        out.append((255 * model.decode(latents).mean(1)).round().to(torch.uint8).numpy())
    return np.concatenate(out)


def laid_over(pictures: np.ndarray, sounds: np.ndarray, seed: int) -> np.ndarray:
    """Pictures, each laid over a random sound by `lighten`; all uint8 (N, height, width)."""
    rng, out = np.random.default_rng(seed), []
    for picture in pictures:
        planes = (picture, sounds[rng.integers(len(sounds))])
        drawing, sound = (as_light(plane)[None, None] for plane in planes)
        made = lighten(drawing, sound, float(rng.uniform(*SHARES)), STRIDE, float(rng.uniform(*SIZES)))
        out.append((255 * made[0, 0]).round().to(torch.uint8).numpy())
    return np.stack(out)


def repainted_scenes(
    run: Run, half: str, count: int, sounds: np.ndarray, names: tuple[str, ...]
) -> tuple[np.ndarray, list[str]]:
    """Simple scenes, repainted by the run's image model: all of them alone, then all of them over sounds.

    Cached in the work folder.

    Args:
        run: Its family is exported.
        half: `learn` or `judge`, see drawings.py.
        count: Number of scenes.
        sounds: uint8 (M, HEIGHT, WIDTH).
        names: Concepts.

    Returns:
        uint8 (2 * count, HEIGHT, WIDTH), and the concept of each.
    """
    pictures, shown = scenes(half, run.work, count, sounds, names)
    file = run.work / f"repainted-{len(names)}-{half}-{count}.npz"

    def _both() -> dict[str, np.ndarray]:
        alone, again = (
            repainted(pictures, run["seed"] + more, run.device, "image", run.family) for more in (6, 8)
        )
        return {"pictures": np.concatenate([alone, laid_over(again, sounds, run["seed"] + 9)])}

    return cached_arrays(file, _both)["pictures"], shown * 2
