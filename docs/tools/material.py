"""A picture and a sound for tutorials and examples: `python -m docs.tools.material DIR`.

Both are made by formula, so no recording and no photograph needs a licence.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

RATE_HZ = 44_100


def make(folder: Path) -> None:
    """Writes `photo.jpg`, a harbour at night, and `bell.wav`, three strokes of a bell."""
    folder.mkdir(parents=True, exist_ok=True)
    photo().save(folder / "photo.jpg", quality=92)
    write_bell(folder / "bell.wav")


def photo() -> Image.Image:
    """A moon over two boats, 1200 x 800 pixels."""
    size = (1200, 800)
    down = np.linspace(0, 1, size[1])[:, None, None]
    sky = np.array([12, 16, 38]) * (1 - down) + np.array([58, 52, 88]) * down
    picture = Image.fromarray(np.repeat(sky, size[0], axis=1).astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((840, 90, 1010, 260), fill=(250, 244, 214))
    for left, top, scale in ((170, 230, 1.0), (640, 380, 0.6)):
        at = [(left + x * scale, top + y * scale) for x, y in ((150, 0), (150, 300), (0, 300))]
        draw.polygon(at, fill=(236, 236, 228))
        at = [(left + x * scale, top + y * scale) for x, y in ((165, 40), (165, 300), (300, 300))]
        draw.polygon(at, fill=(196, 80, 62))
        at = [(left + x * scale, top + y * scale) for x, y in ((-30, 320), (330, 320), (270, 390), (30, 390))]
        draw.polygon(at, fill=(120, 86, 60))
    for row in range(640, 800, 18):
        draw.line((0, row, 1200, row), fill=(96, 110, 150), width=3)
    return picture.filter(ImageFilter.GaussianBlur(2))


def bell() -> np.ndarray:
    """Three strokes, two seconds apart: inharmonic partials that decay, mono, -1 to 1."""
    time = np.arange(2 * RATE_HZ) / RATE_HZ
    partials = (
        (0.5, 0.6, 1.1),
        (1.0, 1.0, 0.8),
        (1.19, 0.7, 0.6),
        (1.5, 0.5, 0.5),
        (2.0, 0.6, 0.4),
        (2.67, 0.3, 0.25),
    )
    stroke = sum(
        loud * np.exp(-time / long_s) * np.sin(2 * np.pi * 440 * ratio * time)
        for ratio, loud, long_s in partials
    )
    strokes = np.tile(stroke, 3)
    scaled: np.ndarray = 0.8 * strokes / np.abs(strokes).max()
    return scaled


def write_bell(path: Path) -> None:
    """The bell as a 16-bit WAV file."""
    import wave

    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes((bell() * 32767).astype("<i2").tobytes())


if __name__ == "__main__":
    make(Path(sys.argv[1]))
