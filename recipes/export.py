"""Writes the trained parts in diffusers' layout, weights as float16 safetensors.

tiny/image holds everything; tiny/audio only its own U-Net and schedule, and borrows the rest from the image
folder; so do tiny/pixel and tiny/upscaler, where they were trained.
"""

import json
from pathlib import Path
from typing import Any

import diffusers
from transformers import CLIPTextModel

from recipes import codec, pixels, text, unet
from recipes.config import Run
from recipes.mel import ROUNDS, SPEC
from recipes.textures import HEIGHT, WIDTH

#: What the package takes where the user says nothing: judged on pairs, see docs/journal.md.
IMAGE_ADVICE = {"image_guidance": 5.0}
AUDIO_ADVICE = {
    "audio_guidance": 3.0, "audio_weight": 0.5, "blend": "inlay", "shared_width": 448,
    "griffin_lim_iterations": ROUNDS,
}  # fmt: skip
PARTS = {
    "scheduler": ["diffusers", "DDIMScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["eidophone.models.patches", "PatchCodec"],
}


def index() -> dict[str, Any]:
    """diffusers' list of a pipeline's parts."""
    absent = {name: [None, None] for name in ("feature_extractor", "image_encoder", "safety_checker")}
    head = {"_class_name": "StableDiffusionPipeline", "_diffusers_version": diffusers.__version__}
    return head | PARTS | absent | {"requires_safety_checker": False}


def export_pixels(run: Run, folder: Path) -> None:
    """The coloured pair, as far as it was trained, in IF's layout without what it borrows."""
    canvases = {"pixel": list(pixels.SMALL), "upscaler": [HEIGHT, WIDTH]}
    for name, canvas in canvases.items():
        if not (run.work / f"{name}.pt").exists():
            continue
        pixels.load(run, name).half().save_pretrained(folder / name / "unet")
        pixels.schedule().save_pretrained(folder / name / "scheduler")
        write(folder / name / "eidophone.json", {"canvas": canvas})
    if (folder / "upscaler").exists():
        pixels.image_noising().save_pretrained(folder / "upscaler" / "image_noising_scheduler")


def write(file: Path, facts: dict[str, Any]) -> None:
    """Writes a JSON file with sorted keys."""
    file.write_text(json.dumps(facts, indent=2, sort_keys=True) + "\n")


def export(run: Run, folder: Path) -> Path:
    """The export stage: a complete family under `folder`; returns it."""
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
    write(folder / "image" / "eidophone.json", canvas | IMAGE_ADVICE)
    write(folder / "audio" / "eidophone.json", canvas | AUDIO_ADVICE | {"mel_spec": SPEC.to_dict()})
    export_pixels(run, folder)
    return folder
