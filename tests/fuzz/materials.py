"""Good files that the generator damages: pictures, sounds, results and the pair of random models."""

import contextlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import soundfile
from PIL import Image

from eidophone.api import compose, hear, see
from eidophone.core.values import Result
from tests.conftest import CANVAS, MEL, make_model

PICTURES = {
    "grey.png": ("L", {}), "rgb.png": ("RGB", {}), "alpha.png": ("RGBA", {}), "wide.png": ("I;16", {}),
    "a.jpg": ("RGB", {}), "a.webp": ("RGB", {}), "a.gif": ("L", {}), "a.bmp": ("RGB", {}),
    "a.tif": ("RGB", {"compression": "tiff_lzw"}), "float.tif": ("F", {}), "a.ppm": ("RGB", {}),
    "a.jp2": ("RGB", {}), "a.avif": ("RGB", {}), "a.ico": ("RGB", {}), "a.dds": ("RGBA", {}),
    "a.eps": ("RGB", {}), "a.tga": ("RGB", {}), "a.pcx": ("RGB", {}), "a.sgi": ("RGB", {}),
}  # fmt: skip
SOUNDS = {
    "a.wav": "PCM_16", "deep.wav": "PCM_24", "float.wav": "FLOAT", "law.wav": "ULAW", "adpcm.wav": "IMA_ADPCM",
    "a.flac": "PCM_16", "a.ogg": "VORBIS", "a.mp3": "MPEG_LAYER_III", "a.aiff": "PCM_16", "a.au": "PCM_16",
    "a.w64": "PCM_16", "a.caf": "PCM_16", "a.rf64": "PCM_16",
}  # fmt: skip
CONTAINERS = {"a.m4a": "aac", "a.mkv": "aac", "opus.ogg": "libopus"}
RATE = 8000


@dataclass(frozen=True)
class Materials:
    """Where the good files are.

    Attributes:
        pictures, sounds: Files of every format that can be written here.
        results: Folders of finished samples, by verb.
        image, audio: The pair of models.
        bait: A folder with a picture, a sound and a secret that no case may open.
    """

    pictures: tuple[Path, ...]
    sounds: tuple[Path, ...]
    results: dict[str, Path]
    image: Path
    audio: Path
    bait: Path


def make_materials(root: Path) -> Materials:
    """Writes all of it; takes seconds."""
    root.mkdir(parents=True)
    image, audio = make_model(root / "image", 1), make_model(root / "audio", 2)
    (audio / "eidophone.json").write_text(json.dumps({"mel_spec": MEL, "canvas": CANVAS}))
    files = root / "files"
    files.mkdir()
    pictures, sounds = tuple(_pictures(files)), tuple(_sounds(files))
    results = {
        "hear": _only(hear(files / "rgb.png", audio_model=audio, out=root / "hear")),
        "see": _only(see(files / "a.wav", audio_model=audio, out=root / "see")),
        "compose": _only(
            compose(
                "frog", "rain", image_model=image, audio_model=audio, steps=1, count=1, judges="none",
                device="cpu", dtype="float32", out=root / "compose",
            )
        ),
    }  # fmt: skip
    bait = root / "bait"
    bait.mkdir()
    shutil.copy(files / "rgb.png", bait / "private.png")
    shutil.copy(files / "a.wav", bait / "private.wav")
    return Materials(pictures, sounds, results, image, audio, bait)


def _only(made: Result | list[Result]) -> Path:
    return (made[0] if isinstance(made, list) else made).folder


def _pictures(folder: Path):
    dice = np.random.default_rng(0)
    for name, (mode, flags) in PICTURES.items():
        pixels = dice.integers(0, 255, (32, 48, 4), np.uint8)
        if mode in ("F", "I;16"):
            made = Image.fromarray(pixels[..., 0].astype(np.float32 if mode == "F" else np.uint16))
        else:
            made = Image.fromarray(pixels).convert(mode)
        with contextlib.suppress(OSError, ValueError, KeyError):  # a format that this Pillow lacks
            made.save(folder / name, **flags)
            yield folder / name


def _sounds(folder: Path):
    wave = 0.5 * np.sin(np.arange(RATE // 2) * 0.3) * np.linspace(1, 0.1, RATE // 2)
    for name, subtype in SOUNDS.items():
        soundfile.write(folder / name, wave, RATE, subtype=subtype)
        yield folder / name
    for name, codec in CONTAINERS.items():
        with av.open(str(folder / name), "w") as file:
            stream = file.add_stream(codec, rate=48_000, layout="mono")
            frame = av.AudioFrame.from_ndarray((wave[None] * 30_000).astype(np.int16), "s16", "mono")
            frame.rate = RATE
            resampler = av.AudioResampler(stream.format, "mono", 48_000, stream.frame_size or None)
            for ready in [*resampler.resample(frame), *resampler.resample(None)]:
                file.mux(stream.encode(ready))
            file.mux(stream.encode(None))
        yield folder / name
