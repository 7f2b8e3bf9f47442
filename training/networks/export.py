"""Writes the trained networks in diffusers' layout, as float16 safetensors: the stage `export`.

image/ holds everything. audio/ holds only its own U-Net and noise schedule and shares the rest with image/;
so do pixel/ and upscaler/.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import diffusers
from transformers import CLIPTextModel

from training.config import Run
from training.data.textures import HEIGHT, WIDTH
from training.mel import ROUNDS, SPEC
from training.networks import codec, pixels, text, unet

#: What the models recommend where the user sets nothing; chosen on pairs of prompts, see docs/journal.md.
IMAGE_DEFAULTS = {"image_guidance": 5.0}
AUDIO_DEFAULTS = {
    "audio_guidance": 3.0, "audio_weight": 0.5, "blend": "average", "canvas": [HEIGHT, 448],
    "griffin_lim_iterations": ROUNDS,
}  # fmt: skip
COMPONENTS = {
    "scheduler": ["diffusers", "DDIMScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["eidophone.models.patches", "PatchCodec"],
}


def index() -> dict[str, Any]:
    """The contents of model_index.json: diffusers' list of a pipeline's components."""
    absent = {name: [None, None] for name in ("feature_extractor", "image_encoder", "safety_checker")}
    head = {"_class_name": "StableDiffusionPipeline", "_diffusers_version": diffusers.__version__}
    return head | COMPONENTS | absent | {"requires_safety_checker": False}


def write(file: Path, facts: dict[str, Any]) -> None:
    """Writes a JSON file with sorted keys."""
    file.write_text(json.dumps(facts, indent=2, sort_keys=True) + "\n")


def export_pixels(run: Run, folder: Path) -> None:
    """Exports the stages of the coloured pair that were trained, in the layout of DeepFloyd IF."""
    canvases = {"pixel": list(pixels.SMALL), "upscaler": [HEIGHT, WIDTH]}
    for name, canvas in canvases.items():
        if not (run.work / f"{name}.pt").exists():
            continue
        pixels.load(run, name).half().save_pretrained(folder / name / "unet")
        pixels.schedule().save_pretrained(folder / name / "scheduler")
        write(folder / name / "eidophone.json", {"canvas": canvas})
    if (folder / "upscaler").exists():
        pixels.image_noising().save_pretrained(folder / "upscaler" / "image_noising_scheduler")


def copy_untrained(run: Run, folder: Path) -> None:
    """Copies what this run did not train from the family that it goes on from."""
    if run.init_from is None:
        return
    for file in sorted(run.init_from.rglob("*")):
        goal = folder / file.relative_to(run.init_from)
        if file.is_file() and not goal.exists():
            goal.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, goal)


def export(run: Run, folder: Path) -> Path:
    """Writes a complete family below `folder` and returns it."""
    for name in ("image", "audio"):
        (folder / name).mkdir(parents=True, exist_ok=True)
        unet.load(run, name).half().save_pretrained(folder / name / "unet")
        unet.schedule().save_pretrained(folder / name / "scheduler")
        write(folder / name / "model_index.json", index())
    tokenizer, encoder = text.load(run)
    tokenizer.save_pretrained(folder / "image" / "tokenizer")
    half: CLIPTextModel = encoder.half()
    half.save_pretrained(folder / "image" / "text_encoder")
    codec.load(run).half().save_pretrained(folder / "image" / "vae")
    canvas = {"canvas": [HEIGHT, WIDTH]}
    write(folder / "image" / "eidophone.json", canvas | IMAGE_DEFAULTS)
    write(folder / "audio" / "eidophone.json", canvas | AUDIO_DEFAULTS | {"mel_spec": SPEC.to_dict()})
    export_pixels(run, folder)
    copy_untrained(run, folder)
    return folder


def make(run: Run) -> None:
    """The stage `export`."""
    export(run, run.family)
