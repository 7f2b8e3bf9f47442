"""Trains the embedded family: `python -m training.train STAGE --config cpu|gpu|smoke --work training/work`.

Stages, in order: canvases, text, codec, image, audio, pixel, upscaler, export; `all` runs them all. Every
stage goes on where it was stopped. `adopt` instead of `text` and `codec` goes on from an exported family.
"""

import os
from pathlib import Path

import torch

from training.networks import import_weights
from training.networks import codec
from training.data import examples
from training.networks import export
from training.networks import pixels
from training.networks import text
from training.networks import unet
from training.config import Run, command_line, opened

STAGES = ("canvases", "text", "codec", "image", "audio", *pixels.STAGES, "export")


def stage(name: str, run: Run, stop_after: int | None = None) -> None:
    """Runs one stage."""
    if name == "adopt":
        adopt.adopt(run)
    elif name == "canvases":
        data.canvases(run)
    elif name == "text":
        text.train(run, stop_after)
    elif name == "codec":
        codec.train(run, stop_after)
    elif name in pixels.STAGES:
        pixels.train(run, name, stop_after)
    elif name == "export":
        export.export(run, run.work / "tiny")
    else:
        unet.train(run, name, stop_after)


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = command_line("python -m training.train", __doc__)
    parser.add_argument("stage", choices=("adopt", *STAGES, "all"))
    parser.add_argument("--init-from", type=Path, help="an exported family to begin from")
    given = parser.parse_args(arguments)
    run = opened(given)
    if "WORLD_SIZE" in os.environ:
        torch.distributed.init_process_group("nccl" if run.device.type == "cuda" else "gloo")
    for name in STAGES if given.stage == "all" else (given.stage,):
        print(name, flush=True)
        stage(name, run, given.stop_after)


if __name__ == "__main__":
    main()
