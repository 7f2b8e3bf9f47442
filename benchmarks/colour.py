"""Do colours follow the prompt? `python -m benchmarks.colour` prints a table and keeps a contact sheet.

Stage I of the embedded pair alone, then `colorize` over pictures that play; fixed prompts and seeds, nothing
is picked. Every picture that plays is coloured with two prompts of different colours, so a colour that came
from the picture would be wrong half of the time. The hue is that of the whole picture, where bright and
saturated pixels count most; it is right within 30 degrees of the colour that was asked for.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

import eidophone
from eidophone.core.values import Picture
from eidophone.diffusion.canvas import batch_noise
from eidophone.diffusion.sampler import make_scheduler, sampling_steps
from eidophone.media.picture import write_png
from eidophone.media.sheets import contact_sheet
from eidophone.models.load import Loader
from eidophone.verbs.shared.models import DEFAULT_GUIDANCE
from training.data.captions import ADVISED
from training.data.colours import mean_hue, palette

MODEL = "tiny-pixel"
STEPS, SEED = 20, 1234
RIGHT = 30.0  # degrees
WORDS = ("red", "orange", "yellow", "green", "turquoise", "blue", "purple", "pink")
THINGS = ("fire truck", "tiger", "bus", "frog", "fish", "owl", "butterfly", "flower")
#: What is coloured: a thing, its sound, and the colours that are asked for.
PLAYED = (
    ("frogs", "frog croaking", ("green", "red")),
    ("owls", "birds singing sweetly", ("blue", "orange")),
    ("dogs", "dog barking", ("purple", "yellow")),
    ("roosters", "rooster crowing", ("red", "turquoise")),
    ("castles", "church bell ringing", ("pink", "green")),
)


@dataclass(frozen=True)
class Row:
    """One picture in a colour.

    Attributes:
        title: What was asked for.
        picture: What came.
        away: Degrees between its hue and the one that was asked for.
        gray_error: Mean difference of its grey part from the spectrogram, in 255ths; 0 where there is none.
        seconds: What it took.
    """

    title: str
    picture: Picture
    away: float
    gray_error: float
    seconds: float


def away(picture: Picture, colour: str) -> float:
    """Degrees between the hue of a picture and that of a colour."""
    seen = mean_hue(picture.pixels, np.ones(picture.pixels.shape[:2]))
    return abs((seen - palette()[colour].hue + 180) % 360 - 180)


def alone(colour: str, thing: str, seeds: int, model: str) -> Iterator[Row]:
    """What stage I draws without a picture."""
    began, prompt = time.perf_counter(), f"a colorful photo of a {colour} {thing}"
    stage, told = Loader(torch.device("cpu"), torch.float32).pixel(
        model, {"prompt": prompt, "negative prompt": ""}
    )
    guidance = stage.source.defaults.image_guidance or DEFAULT_GUIDANCE
    denoiser = stage.guided(told["prompt"], told["negative prompt"], guidance)
    noise = batch_noise((3, *stage.canvas), range(SEED, SEED + seeds))
    with torch.inference_mode():
        *_, last = sampling_steps(denoiser, noise, make_scheduler("ddim", stage.schedule, STEPS))
    each = (time.perf_counter() - began) / seeds
    for pixels in (last.latents / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1).numpy():
        picture = Picture(np.ascontiguousarray(pixels))
        yield Row(prompt, picture, away(picture, colour), 0.0, each)


def coloured(things: str, sounds: str, colours: tuple[str, ...], seeds: int, model: str) -> Iterator[Row]:
    """What `colorize` makes of a picture that plays."""
    with tempfile.TemporaryDirectory() as folder:
        (played,) = eidophone.compose(ADVISED.format(things), sounds, count=1, seed=SEED, out=folder)
        assert played.folder is not None
        for colour in colours:
            prompt = f"a colorful painting of {colour} {things}"
            began = time.perf_counter()
            made = eidophone.colorize(played.folder, prompt, count=seeds, seed=SEED, image_model=model)
            each = (time.perf_counter() - began) / seeds
            for result in made:
                error = 255 * float(np.abs(result.picture.gray() - played.spectrogram).mean())
                yield Row(prompt, result.picture, away(result.picture, colour), error, each)


def table(title: str, rows: list[Row], seeds: int) -> None:
    """Prints a line a prompt and one for all."""
    print(f"\n{title}\n\n| prompt | hue right | degrees off, median | grey off, 255ths | s a sample |")
    print("|---|---|---|---|---|")
    parts = [rows[first : first + seeds] for first in range(0, len(rows), seeds)]
    for name, part in [*((part[0].title, part) for part in parts), ("all", rows)]:
        right = sum(row.away <= RIGHT for row in part)
        off = float(np.median([row.away for row in part]))
        gray = float(np.mean([row.gray_error for row in part]))
        cost = float(np.mean([row.seconds for row in part]))
        print(f"| {name} | {right} of {len(part)} | {off:.0f} | {gray:.2f} | {cost:.1f} |")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.colour", description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=8, help="samples a prompt of stage I alone")
    parser.add_argument("--colored", type=int, default=2, help="samples a prompt of colorize")
    parser.add_argument("--model", default=MODEL, help="card")
    parser.add_argument("--out", type=Path, default=Path("colour.png"), help="contact sheet of what plays")
    given = parser.parse_args()
    torch.set_num_threads(1)
    drawn = [
        row
        for colour, thing in zip(WORDS, THINGS, strict=True)
        for row in alone(colour, thing, given.seeds, given.model)
    ]
    table("Stage I alone", drawn, given.seeds)
    played = [row for pair in PLAYED for row in coloured(*pair, given.colored, given.model)]
    table("Coloured pictures that play", played, given.colored)
    write_png(given.out, contact_sheet([r.picture for r in played], [r.title for r in played], 4))
    small = given.out.with_stem(given.out.stem + "-alone")
    write_png(small, contact_sheet([r.picture for r in drawn], [""] * len(drawn), given.seeds))


if __name__ == "__main__":
    main()
