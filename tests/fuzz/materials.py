"""Good files that the generator damages: pictures, sounds, results and the pair of random models."""

import contextlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import soundfile
import torch
from PIL import Image
from safetensors.torch import save_file
from transformers import CLIPConfig, CLIPModel

from eidophone.api import compose, distill, hear, see
from eidophone.core.values import Result
from eidophone.media.vocoder import HiFiGan, read_vocoder_config
from eidophone.models.cards import package_folder
from tests.cascade import make_cascade
from tests.conftest import CANVAS, MEL, make_model
from tests.models.test_families import make_transformer
from tests.models.test_single_file import original

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
#: The mel settings of the models, and a small HiFi-GAN for them.
VOCODER = {
    "num_mels": 32, "upsample_rates": [8, 8], "upsample_kernel_sizes": [16, 16], "upsample_initial_channel": 16,
    "resblock_kernel_sizes": [3], "resblock_dilation_sizes": [[1, 3]], "sampling_rate": 8000, "hop_size": 64,
    "n_fft": 256, "win_size": 256, "fmin": 0, "fmax": 4000, "resblock": "1",
}  # fmt: skip


@dataclass(frozen=True)
class Materials:
    """Where the good files are.

    Attributes:
        pictures, sounds: Files of every format that can be written here.
        results: Folders of finished samples, by verb.
        image, audio: The pair of models.
        networks: Folders of models of every kind, and a single file; by kind.
        files: Where pictures and sounds are.
        data: A small data set in ESC-50's layout.
        stopped: The folder of a distillation that was stopped after two of four steps.
        bait: A folder with a picture and a sound that no case may open.
    """

    pictures: tuple[Path, ...]
    sounds: tuple[Path, ...]
    results: dict[str, Path]
    image: Path
    audio: Path
    networks: dict[str, Path]
    files: Path
    data: Path
    stopped: Path
    bait: Path

    @property
    def distill(self) -> list[str]:
        """The command that was stopped, without its flags for the output."""
        models = ["--image-model", str(self.image), "--audio-model", str(self.audio), "--device", "cpu"]
        return [
            "distill",
            "frog",
            "rain",
            *models,
            "--iterations",
            "4",
            "--checkpoint-every",
            "1",
            "--threads",
            "1",
        ]

    @property
    def readable(self) -> tuple[Path, ...]:
        """Everything but the bait."""
        return tuple(path for path in self.bait.parent.iterdir() if path != self.bait)


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
    networks = _networks(root / "networks", image, audio)
    stopped = _stopped(root / "stopped", image, audio)
    data = _set(root / "set", sounds[0])
    return Materials(pictures, sounds, results, image, audio, networks, files, data, stopped, bait)


def _stopped(folder: Path, image: Path, audio: Path) -> Path:
    def _interrupt(_: str, done: int, __: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with contextlib.suppress(KeyboardInterrupt):
        distill(
            "frog", "rain", image_model=image, audio_model=audio, iterations=4, checkpoint_every=1, device="cpu",
            threads=1, out=folder, progress=_interrupt,
        )  # fmt: skip
    return folder


def _set(folder: Path, sound: Path) -> Path:
    (folder / "audio").mkdir(parents=True)
    (folder / "meta").mkdir()
    rows = ["filename,fold,target,category,esc10,src_file,take"]
    for number in range(4):
        name = f"1-{number}-A-{number % 2}.wav"
        shutil.copy(sound, folder / "audio" / name)
        rows.append(f"{name},1,{number % 2},{('dog', 'rain')[number % 2]},True,{number},A")
    (folder / "meta" / "esc50.csv").write_text("\n".join(rows) + "\n")
    return folder


def _networks(root: Path, image: Path, audio: Path) -> dict[str, Path]:
    root.mkdir()
    pixel, upscaler = make_cascade(root)
    (root / "single").symlink_to(image)
    save_file(original(image), root / "single.safetensors")
    return {
        "image": image, "audio": audio, "pixel": pixel, "upscaler": upscaler, "single": root / "single.safetensors",
        "playing": _playing(root / "playing", audio), "clip": _clip(root / "clip"),
        "captioner": _captioner(root / "captioner"),
        "transformer": make_transformer(root / "transformer", image / "vae"),
    }  # fmt: skip


def _captioner(folder: Path) -> Path:
    shutil.copytree(package_folder("tiny/captioner"), folder)
    config = folder / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"model_type": "tagged"}))
    return folder


def _playing(folder: Path, audio: Path) -> Path:
    """The audio model with a vocoder of random weights."""
    shutil.copytree(audio, folder)
    vocoder = folder / "vocoder"
    vocoder.mkdir()
    (vocoder / "config.json").write_text(json.dumps(VOCODER))
    torch.manual_seed(3)
    save_file(HiFiGan(read_vocoder_config(vocoder)).state_dict(), vocoder / "vocoder.safetensors")
    (folder / "eidophone.json").unlink()
    return folder


def _clip(folder: Path) -> Path:
    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    words = {"bos_token_id": 49406, "eos_token_id": 49407, "pad_token_id": 49407}
    vision = small | {"image_size": 32, "patch_size": 16}
    CLIPModel(CLIPConfig(text_config=small | words, vision_config=vision, projection_dim=8)).save_pretrained(
        folder
    )
    shutil.copytree(package_folder("layouts/sd15") / "tokenizer", folder, dirs_exist_ok=True)
    return folder


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
