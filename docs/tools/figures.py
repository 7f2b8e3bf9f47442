"""The pictures of the site, made by the program itself: `python -m docs.tools.figures [NAME...]`.

Seeds are fixed and nothing is picked by hand. Everything goes into `docs/images/`.
"""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import eidophone
from docs.tools.material import make

IMAGES = Path(__file__).resolve().parents[1] / "images"
BLACK, INK, GAP = (10, 10, 14), (214, 214, 220), 8
WIDTH = 448

#: What the front page shows: a thing, drawn several times over the canvas, and a sound.
PAIRS = [
    ("castle towers", "bell ringing"),
    ("cute dogs", "dog barking"),
    ("flowers", "birds singing"),
    ("three frogs", "frog croaking"),
    ("sailing ships", "waves"),
    ("violins", "violin playing"),
]
FROGS = ("a painting of three frogs, grayscale, black background", "frog croaking")
CASTLE = ("a painting of castle towers, grayscale, black background", "bell ringing")


def one_canvas() -> Image.Image:
    """Six pairs of prompts, each the best of eight by the embedded embedder."""
    tiles = []
    for thing, sound in PAIRS:
        prompt = f"a painting of {thing}, grayscale, black background"
        (made,) = eidophone.compose(prompt, sound, count=1, from_=8, seed=1)
        tiles.append((image_of(made), f"{thing} + {sound}"))
    return sheet(tiles, columns=2)


def weights() -> Image.Image:
    """One pair and one seed under five shares of the audio model, from drawing alone to sound alone."""
    tiles = []
    for share in (0.0, 0.3, 0.5, 0.7, 1.0):
        (made,) = eidophone.compose(*CASTLE, count=1, seed=4, audio_weight=share)
        tiles.append((image_of(made), f"audio weight {share:g}"))
    return sheet(tiles, columns=1)


def steps() -> Image.Image:
    """The same noise, denoised in 2, 4, 8 and 25 steps."""
    tiles = []
    for number in (2, 4, 8, 25):
        (made,) = eidophone.compose(
            *FROGS, count=1, seed=2, steps=number, guidance_stop_step=number, reuse_steps=1
        )
        tiles.append((image_of(made), f"{number} steps"))
    return sheet(tiles, columns=2)


def methods() -> Image.Image:
    """One pair by the methods that the program has, same seed."""
    made = {
        "compose": eidophone.compose(*CASTLE, count=1, seed=4),
        "imprint": eidophone.imprint(*CASTLE, width=WIDTH, count=1, seed=4),
        "compose --blend lighten": eidophone.compose(*CASTLE, blend="lighten", count=1, seed=4),
    }
    return sheet([(gray_image(results[0].spectrogram), name) for name, results in made.items()], columns=1)


def axes() -> Image.Image:
    """A picture that plays, with its axes: time to the right, frequency in mel steps upwards."""
    (made,) = eidophone.compose(*CASTLE, count=1, seed=4)
    spec = eidophone.MelSpec.from_dict(made.recipe.mel_spec)
    tall = gray_image(made.spectrogram).resize((WIDTH * 2, 256), Image.Resampling.BICUBIC)
    canvas = Image.new("RGB", (tall.width + 90, tall.height + 50), BLACK)
    canvas.paste(tall, (70, 10))
    draw = ImageDraw.Draw(canvas)
    low, high = _mel(spec.f_min), _mel(spec.f_max)
    for hertz in (250, 500, 1000, 2000, 4000, 8000):
        y = 10 + tall.height * (1 - (_mel(hertz) - low) / (high - low))
        draw.line((64, y, 70, y), fill=INK)
        draw.text((60, y), f"{hertz} Hz", fill=INK, font=_font(12), anchor="rm" if y > 16 else "ra")
    for second in range(int(made.clip.duration_s) + 1):
        x = 70 + tall.width * second / made.clip.duration_s
        draw.line((x, 266, x, 272), fill=INK)
        draw.text((x, 276), f"{second} s", fill=INK, font=_font(12), anchor="ma")
    return canvas


def green_frogs() -> Image.Image:
    """A result of `compose`, coloured."""
    with tempfile.TemporaryDirectory() as out:
        eidophone.compose(*FROGS, count=1, seed=1235, out=out)
        (green,) = eidophone.colorize(Path(out, "0000"), "a colorful photo of green frogs", preset="draft")
    return image_of(green)


def bell() -> Image.Image:
    """Three strokes of a bell, drawn by `see`."""
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder))
        return gray_image(eidophone.see(Path(folder, "bell.wav")).spectrogram)


def bell_iterations() -> Image.Image:
    """The pictures that `paint` tries for the bell."""
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder))
        (painted,) = eidophone.paint(Path(folder, "bell.wav"), caption="a bell ringing")
    pixels = painted.extras["iterations"].pixels
    return Image.fromarray(np.round(pixels * 255).astype(np.uint8))


def _mel(hertz: float) -> float:
    """Slaney's mel scale: linear below 1000 Hz, logarithmic above."""
    return hertz / (200 / 3) if hertz < 1000 else 15 + np.log(hertz / 1000) / (np.log(6.4) / 27)


def image_of(result: eidophone.Result) -> Image.Image:
    """What is shown, as 8-bit pixels."""
    return Image.fromarray(np.round(result.picture.pixels * 255).astype(np.uint8))


def gray_image(gray: np.ndarray) -> Image.Image:
    """What is played, as 8-bit pixels."""
    return Image.fromarray(np.round(gray * 255).astype(np.uint8)).convert("RGB")


def sheet(tiles: list[tuple[Image.Image, str]], columns: int) -> Image.Image:
    """Pictures in rows, each with a line below it."""
    wide, high = max(t.width for t, _ in tiles), max(t.height for t, _ in tiles) + 24
    rows = -(-len(tiles) // columns)
    page = Image.new("RGB", (columns * (wide + GAP) + GAP, rows * (high + GAP) + GAP), BLACK)
    draw = ImageDraw.Draw(page)
    for place, (tile, text) in enumerate(tiles):
        x, y = GAP + place % columns * (wide + GAP), GAP + place // columns * (high + GAP)
        page.paste(tile, (x, y))
        draw.text((x + 2, y + high - 20), text, fill=INK, font=_font(14))
    return page


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


FIGURES: dict[str, Callable[[], Image.Image]] = {
    "one-canvas": one_canvas, "weights": weights, "steps": steps, "methods": methods, "axes": axes,
    "green-frogs": green_frogs, "bell": bell, "bell-iterations": bell_iterations,
}  # fmt: skip


if __name__ == "__main__":
    for name in sys.argv[1:] or FIGURES:
        FIGURES[name]().save(IMAGES / f"{name}.png", optimize=True)
        print(IMAGES / f"{name}.png")
