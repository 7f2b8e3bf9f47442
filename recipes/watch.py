"""Contact sheets of what the denoisers make so far: `python -m recipes.watch image|audio|blend OUT.png`.

Fixed prompts and seeds, DDIM; the blend mixes the two guided estimates, as Images that Sound does.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from recipes import text, unet, vae
from recipes.config import HERE, Run

IMAGE_PROMPTS = (
    "a painting of castle towers, grayscale",
    "a painting of cute dogs, grayscale",
    "a painting of tigers, grayscale",
    "a painting of furry kittens, grayscale",
    "a painting of a blooming garden with many birds, grayscale",
    "a painting of trains, grayscale",
    "a painting of auto racing game, grayscale",
    "a pond full of water lilies, grayscale, lithograph style",
    "a painting of horse heads, grayscale, black background",
    "a painting of corgis, grayscale, black background",
    "a frog",
    "a bell",
    "two owls",
    "a guitar",
    "three airplanes",
    "a clock",
)
SOUND_PROMPTS = (
    "bell ringing",
    "dog barking",
    "tiger growling",
    "a kitten meowing for attention",
    "birds singing sweetly",
    "train whistling",
    "a race car passing by and disappearing",
    "frog croaking",
    "horse neighing",
    "dog barking",
    "rain falling",
    "rooster crowing",
    "owl hooting",
    "guitar playing",
    "airplane flying over",
    "clock ticking",
)


@dataclass(frozen=True)
class Walk:
    """Settings of a sheet.

    Steps, guidance of both sides, share of the sound, first step that the picture takes part in.
    """

    steps: int = 20
    image_guidance: float = 5.0
    audio_guidance: float = 5.0
    share: float = 0.5
    image_start: int = 0


class Painter:
    """The trained parts of a run, ready to make sheets."""

    def __init__(self, run: Run, names: tuple[str, ...]) -> None:
        self.run = run
        self.codec = vae.load(run)
        self.words = text.load(run)
        self.nets = {name: unet.load(run, name) for name in names}

    def guided(self, name: str, noisy: Tensor, step: Tensor, told: Tensor, guidance: float) -> Tensor:
        """Guided v of one denoiser; `told` holds the empty conditions first."""
        both = self.nets[name](torch.cat([noisy, noisy]), step, told).sample
        without, with_text = both.chunk(2)
        return without + guidance * (with_text - without)

    @torch.no_grad()
    def paint(self, prompts: dict[str, tuple[str, ...]], walk: Walk, seed: int = 0) -> np.ndarray:
        """Pictures float (N, 128, 288) in [0, 1].

        `prompts` has one list for each denoiser that takes part.
        """
        count = len(next(iter(prompts.values())))
        told = {
            name: torch.cat(
                [text.encode(*self.words, [""]).expand(count, -1, -1), text.encode(*self.words, list(given))]
            )
            for name, given in prompts.items()
        }
        levels = unet.schedule()
        levels.set_timesteps(walk.steps)
        x = torch.stack(
            [torch.randn(4, 16, 36, generator=torch.Generator().manual_seed(seed + i)) for i in range(count)]
        )
        for n, step in enumerate(levels.timesteps):
            made = {}
            for name in prompts:
                if name == "audio" or len(prompts) == 1 or n >= walk.image_start:
                    strength = walk.image_guidance if name == "image" else walk.audio_guidance
                    made[name] = self.guided(name, x, step, told[name], strength)
            if len(made) == 2:
                v = (1 - walk.share) * made["image"] + walk.share * made["audio"]
            else:
                v = next(iter(made.values()))
            x = levels.step(v, step, x).prev_sample
        shown = self.codec.decode(x / self.codec.config.scaling_factor).sample.mean(1)
        return (shown / 2 + 0.5).clamp(0, 1).numpy()


def sheet(pictures: np.ndarray, titles: list[str], across: int = 4) -> Image.Image:
    """Pictures with their titles."""
    rows = -(-len(pictures) // across)
    out = Image.new("L", (across * 292, rows * 142), 128)
    pen = ImageDraw.Draw(out)
    for n, (picture, title) in enumerate(zip(pictures, titles, strict=True)):
        at = (n % across * 292, n // across * 142)
        out.paste(Image.fromarray((255 * picture).astype(np.uint8)), (at[0], at[1] + 12))
        pen.text(at, title[:56], fill=255, font_size=10)
    return out


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m recipes.watch", description=__doc__)
    parser.add_argument("what", choices=("image", "audio", "blend"))
    parser.add_argument("out", type=Path)
    parser.add_argument("--config", default="cpu")
    parser.add_argument("--work", type=Path, default=HERE / "work")
    parser.add_argument("--seed", type=int, default=0)
    for name, default in vars(Walk()).items():
        parser.add_argument("--" + name.replace("_", "-"), type=type(default), default=default)
    given = parser.parse_args()
    run = Run.open(given.config, given.work, "cpu")
    torch.set_num_threads(run["threads"])
    every = {"image": IMAGE_PROMPTS, "audio": SOUND_PROMPTS}
    prompts = every if given.what == "blend" else {given.what: every[given.what]}
    walk = Walk(**{name: getattr(given, name) for name in vars(Walk())})
    titles = [" + ".join(pair) for pair in zip(*prompts.values(), strict=True)]
    pictures = Painter(run, tuple(prompts)).paint(prompts, walk, given.seed)
    sheet(pictures, [t.replace("a painting of ", "").replace(", grayscale", "") for t in titles]).save(
        given.out
    )


if __name__ == "__main__":
    main()
