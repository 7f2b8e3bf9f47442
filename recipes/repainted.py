"""Scenes and sounds in the hand of the family's models, one or both: noised, then cleaned up without words.

What the models make is as soft and patchy inside as these, and the drawings are still ones that no generator
saw: who learned from scenes alone names hardly any of its pictures, who learned from these many
(docs/journal.md).
"""

import numpy as np
import torch

from eidophone.diffusion.guidance import Blend, Part
from eidophone.diffusion.walk import make_scheduler, noised, walk
from eidophone.models.load import Loader
from recipes.config import Run
from recipes.kept import kept_arrays
from recipes.scenes import scenes

STEPS = 25
#: A walk of so many steps is entered at one of these: early ones leave little but the outline.
ENTERED = (10, 21)
AT_ONCE = 16
#: Share of the audio model where both paint, from and to.
BLENDED = (0.2, 0.5)


@torch.inference_mode()
def repainted(
    pictures: np.ndarray, seed: int, device: torch.device, share: tuple[float, float] = (0.0, 0.0)
) -> np.ndarray:
    """Pictures uint8 (N, height, width) as the models of the package would have painted them.

    Args:
        pictures: What to repaint.
        seed: Of noise, levels and shares.
        device: Where the models are.
        share: Smallest and largest share of the audio model; the image model has the rest.
    """
    image, audio = Loader(device, torch.float32, offline=True).pair("tiny", "tiny")
    silent = image.text.encode("", "prompt")
    hands = [model.guided(silent, silent, 1.0) for model in (image, audio)]
    rng, out = np.random.default_rng(seed), []
    for first in range(0, len(pictures), AT_ONCE):
        gray = torch.from_numpy(pictures[first : first + AT_ONCE]).to(device).float() / 255
        clean = image.encode(gray[:, None].expand(-1, 3, -1, -1))
        noise = torch.from_numpy(rng.standard_normal(clean.shape, np.float32)).to(device)
        scheduler = make_scheduler("ddim", image.schedule, STEPS)
        entered, loud = int(rng.integers(*ENTERED)), float(rng.uniform(*share))
        painter = Blend((Part(hands[0], 1 - loud), Part(hands[1], loud)))
        latents = noised(clean, noise, image.signals[int(scheduler.timesteps[entered])])
        for state in walk(painter, latents, scheduler, done=entered):
            latents = state.latents
        out.append((255 * image.decode(latents).mean(1)).round().to(torch.uint8).numpy())
    return np.concatenate(out)


def repainted_scenes(
    run: Run, half: str, count: int, sounds: np.ndarray, names: tuple[str, ...]
) -> tuple[np.ndarray, list[str]]:
    """Calm scenes of some concepts, each repainted twice, by the image model and by both; kept in work/.

    uint8 (2 count, HEIGHT, WIDTH) and the concepts.
    """
    pictures, shown = scenes(half, run.work, count, sounds, names, whole=True)
    file = run.work / f"repainted-{len(names)}-{half}-{count}.npz"

    def _both() -> dict[str, np.ndarray]:
        alone = repainted(pictures, run["seed"] + 6, run.device)
        together = repainted(pictures, run["seed"] + 8, run.device, BLENDED)
        return {"pictures": np.concatenate([alone, together])}

    return kept_arrays(file, _both)["pictures"], shown * 2
