"""Times of `compose`: absolute ones of this machine, and ratios within one run.

    python -m benchmarks.compose                    the embedded family
    python -m benchmarks.compose --full-size        also U-Nets of Stable Diffusion's size, random weights

Prints a table; `--json FILE` keeps it. Runs on a CPU or a GPU (`--device`).
"""

import argparse
import json
import platform
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from eidophone.diffusion.canvas import start_noise
from eidophone.models.cards import ModelDefaults, package_folder
from eidophone.models.device import choose_device
from eidophone.models.latent import LatentModel, TextEncoder
from eidophone.models.source import DiffusionFiles
from eidophone.verbs.compose.options import ComposeOptions
from eidophone.verbs.compose.pipeline import compose
from eidophone.verbs.shared.context import Context
from eidophone.verbs.shared.models import load_models

PROMPTS = {"image_prompt": "a painting of castle towers, grayscale", "audio_prompt": "church bell ringing"}


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """Wall-clock time of one call, with a GPU's queue drained."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    began = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began


def peak_mb() -> float:
    """Largest resident memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def embedded(device: torch.device, model: str) -> dict[str, float]:
    """The embedded family: loading, and a candidate with its sound by preset and batch size."""
    given = {**PROMPTS, "image_model": model, "audio_model": model, "device": str(device)}
    if model != "tiny":
        given |= {"image_model": f"{model}/image", "audio_model": f"{model}/audio"}
    rows = {"load s (libraries imported)": 0.0}
    options, context = ComposeOptions.make(**given), Context()
    load_models(options, Context())  # libraries are imported
    rows["load s (libraries imported)"] = seconds(lambda: load_models(options, Context()), device)

    def candidate(count: int, **more: Any) -> float:
        options = ComposeOptions.make(**given, count=count, batch_size=count, **more)
        results = list(compose(options, context))
        return float(sum(r.facts["seconds"] for r in results) / count)

    candidate(1)
    for preset in ("draft", "fast", "paper"):
        rows[f"{preset}, one candidate, s"] = candidate(1, preset=preset)
    for count in (2, 4, 8):
        rows[f"fast, batch of {count}, s a candidate"] = candidate(count)
    rows["ratio fast / paper"] = rows["fast, one candidate, s"] / rows["paper, one candidate, s"]
    rows["ratio batch of 4 / alone"] = (
        rows["fast, batch of 4, s a candidate"] / rows["fast, one candidate, s"]
    )
    rows["peak MB so far"] = peak_mb()
    return rows


def random_full_size(device: torch.device, dtype: torch.dtype) -> LatentModel:
    """Stable Diffusion 1.5's shapes with random weights."""
    from diffusers import AutoencoderKL, UNet2DConditionModel

    layout = package_folder("layouts/sd15")
    unet, vae = (
        kind.from_config(kind.load_config(layout / part)).to(device, dtype).eval().requires_grad_(False)
        for kind, part in ((UNet2DConditionModel, "unet"), (AutoencoderKL, "vae"))
    )
    schedule = json.loads((layout / "scheduler" / "scheduler_config.json").read_text())
    source = DiffusionFiles("random", "image", layout, None, None, "random", "", ModelDefaults())
    return LatentModel(source, unet, vae, TextEncoder(None, None), schedule)


def full_size(device: torch.device, dtype: torch.dtype, repeats: int) -> dict[str, float]:
    """One guided step and one decoding at 256 x 1024, alone and in a batch of 4."""
    rows = {}
    with torch.inference_mode():
        model = random_full_size(device, dtype)
        condition = torch.randn(1, 77, 768, device=device, dtype=dtype)
        denoiser = model.guided(condition, -condition, 10.0)
        at = torch.tensor(500)
        for batch in (1, 4) if device.type == "cuda" else (1,):
            noise = start_noise((batch, 4, 32, 128), 0).to(device)
            denoiser(noise, at)

            def steps(noise: torch.Tensor = noise) -> None:
                for _ in range(repeats):
                    denoiser(noise, at)

            name = f"full size, {str(dtype).removeprefix('torch.')}, batch {batch}"
            rows[f"{name}: guided step, s"] = seconds(steps, device) / repeats
            model.decode(noise)
            rows[f"{name}: decode, s"] = seconds(lambda noise=noise: model.decode(noise), device)
    if device.type == "cuda":
        rows["GPU peak MB"] = torch.cuda.max_memory_allocated(device) / 2**20
    return rows


def main() -> None:
    """Runs what is asked for and prints it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="auto")
    parser.add_argument(
        "--model", default="tiny", help="the embedded family, or a folder with image/ and audio/"
    )
    parser.add_argument("--full-size", action="store_true", help="also random weights of full size (minutes)")
    parser.add_argument("--only-full-size", action="store_true", help="not the embedded family")
    parser.add_argument("--json", type=Path, help="keep the table here")
    given = parser.parse_args()
    device = choose_device(given.device)
    place = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or "cpu"
    print(f"{place}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    rows = {} if given.only_full_size else embedded(device, given.model)
    if given.full_size or given.only_full_size:
        kinds = (torch.float16, torch.bfloat16, torch.float32) if device.type == "cuda" else (torch.float32,)
        for dtype in kinds:
            rows |= full_size(device, dtype, repeats=20 if device.type == "cuda" else 1)
    for name, value in rows.items():
        print(f"{value:10.3f}  {name}")
    if given.json:
        given.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
