"""Scenes and sounds in the hand of the family's models: noised, then cleaned up without words.

What the models make is as soft and patchy inside as these, and the drawings are still ones that no generator
saw: who learned from scenes alone names hardly any of its pictures, who learned from these many
(docs/journal.md). Sounds are laid under scenes as `compose` does it for this family.
"""

import numpy as np
import torch

from eidophone.diffusion.sampler import make_scheduler, noised, sampling_steps
from eidophone.models.cards import Role
from eidophone.models.load import Loader
from eidophone.verbs.compose.blends.lighten import lighten
from training.config import Run
from training.kept import kept_arrays
from training.scenes import as_light, scenes

STEPS = 25
#: A sampling_steps of so many steps is entered at one of these: early ones leave little but the outline.
ENTERED = (10, 21)
AT_ONCE = 16
#: Share of a sound laid under a scene, from and to; columns between the moments at which it may begin.
SHARES, STRIDE = (0.4, 0.6), 8
#: Size of a scene over a sound, from and to.
SIZES = (0.65, 1.0)


@torch.inference_mode()
def repainted(pictures: np.ndarray, seed: int, device: torch.device, role: Role = "image") -> np.ndarray:
    """Pictures uint8 (N, height, width) as a model of the package would have painted them.

    Args:
        pictures: What to repaint.
        seed: Of noise and levels.
        device: Where the model is.
        role: Which model.
    """
    model = Loader(device, torch.float32, offline=True).model("tiny", role)
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
    """Pictures, each over one of the sounds, as `lighten` has it; all uint8 (N, height, width)."""
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
    """Calm scenes of some concepts, each repainted twice, the second over a sound; kept in work/.

    uint8 (2 count, HEIGHT, WIDTH) and the concepts.
    """
    pictures, shown = scenes(half, run.work, count, sounds, names)
    file = run.work / f"repainted-{len(names)}-{half}-{count}.npz"

    def _both() -> dict[str, np.ndarray]:
        alone, again = (repainted(pictures, run["seed"] + more, run.device) for more in (6, 8))
        return {"pictures": np.concatenate([alone, laid_over(again, sounds, run["seed"] + 9)])}

    return kept_arrays(file, _both)["pictures"], shown * 2
