"""Generated spectrogram textures, for canvases that look like sound and for smoke runs.

Rows are mel bands, the lowest at the bottom; columns are time. Values are in [0, 1], and white is loud.
"""

import numpy as np

HEIGHT, WIDTH = 128, 288


def smooth(rng: np.random.Generator, height: int, width: int, cells: tuple[float, float]) -> np.ndarray:
    """Soft noise in [0, 1] whose blobs are about `cells` pixels high and wide."""
    from PIL import Image

    coarse = rng.random((max(2, round(height / cells[0])), max(2, round(width / cells[1])))).astype(
        np.float32
    )
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)).clip(0, 1)


def mel_row(hz: np.ndarray, height: int = HEIGHT, high_hz: float = 8000.0) -> np.ndarray:
    """Row of a frequency, counted from the top, on Slaney's mel scale from 0 Hz to `high_hz`."""

    def mel(f: np.ndarray) -> np.ndarray:
        log = 15 + 27 * np.log(np.maximum(f, 1e-9) / 1000) / np.log(6.4)
        return np.where(f < 1000, 3 * f / 200, log)

    return height - 1 - (height - 1) * mel(np.asarray(hz)) / mel(np.asarray(high_hz))


def harmonics(rng: np.random.Generator) -> np.ndarray:
    """A tone with overtones and vibrato that decays again and again."""
    time = np.arange(WIDTH)
    base = rng.uniform(90, 900) * (1 + rng.uniform(0, 0.06) * np.sin(time * rng.uniform(0.03, 0.3)))
    base = base * np.exp(rng.uniform(-0.4, 0.4) * time / WIDTH)
    period, fade = rng.uniform(20, 288), rng.uniform(0.002, 0.05)
    loud = np.exp(-fade * ((time + rng.uniform(0, period)) % period))
    rows = np.arange(HEIGHT)[:, None]
    out = np.zeros((HEIGHT, WIDTH), np.float32)
    for n in range(1, int(rng.integers(6, 28))):
        pitch = base * n * (1 + rng.uniform(0, 0.02) * (n > 1))
        line = np.exp(-(((rows - mel_row(pitch)) / rng.uniform(0.8, 1.6)) ** 2))
        out = np.maximum(out, line * np.where(pitch < 8000, loud ** (1 + 0.1 * n), 0) * rng.uniform(0.5, 1))
    return out.clip(0, 1)


def strokes(rng: np.random.Generator) -> np.ndarray:
    """Clicks and bursts: bright columns that fade, over all or part of the height."""
    out = np.zeros((HEIGHT, WIDTH), np.float32)
    shape = smooth(rng, HEIGHT, 1, (rng.uniform(10, 60), 1))
    for start in rng.integers(0, WIDTH, int(rng.integers(2, 14))):
        length = int(rng.integers(4, 70))
        tail = np.exp(-np.arange(WIDTH - start) / length)
        out[:, start:] = np.maximum(out[:, start:], shape * tail * rng.uniform(0.5, 1))
    return out * (0.6 + 0.4 * rng.random((HEIGHT, WIDTH), dtype=np.float32))


def hiss(rng: np.random.Generator) -> np.ndarray:
    """Noise that comes and goes, louder in some bands."""
    grain = rng.random((HEIGHT, WIDTH), dtype=np.float32)
    blur = (grain + np.roll(grain, 1, 1) + np.roll(grain, 1, 0)) / 3
    return (blur * 0.6 + 0.5 * smooth(rng, HEIGHT, WIDTH, (rng.uniform(20, 90), rng.uniform(15, 150)))).clip(
        0, 1
    )


def texture(rng: np.random.Generator) -> np.ndarray:
    """A random texture, (HEIGHT, WIDTH) float32 in [0, 1]."""
    kinds = (harmonics, harmonics, strokes, hiss)
    out = kinds[rng.integers(len(kinds))](rng)
    if rng.random() < 0.4:
        out = np.maximum(out, rng.uniform(0.3, 0.9) * kinds[rng.integers(len(kinds))](rng))
    return out.astype(np.float32)
