"""What `benchmarks.performance` compares with: the publication's loop, and diffusers' own pipeline, written out.

Both use the networks and schedulers of diffusers, as anybody would who wrote them today.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from eidophone.models.cards import package_folder
from eidophone.models.networks.reading import rebuilt
from eidophone.models.networks.unet import UNet
from eidophone.verbs.compose.run import ComposeRun

STEPS, SCALE = 100, 10.0


def diffusers_unet(ours: UNet) -> Any:
    """The same U-Net as an object of diffusers."""
    from diffusers import UNet2DConditionModel

    theirs = UNet2DConditionModel.from_config(dict(ours.config))
    theirs.load_state_dict(ours.state_dict())
    return theirs.to(ours.device, ours.dtype).eval().requires_grad_(False)


@dataclass(frozen=True)
class Loop:
    """Images that Sound, section 3.2: 100 DDIM steps, each asking both models for both of their prompts.

    Attributes:
        unets: Of the image and the audio model.
        conditions: Of each: wanted and unwanted, (1, tokens, width).
        run: Decodes and plays the result.
    """

    unets: tuple[Any, Any]
    conditions: tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]
    run: ComposeRun

    @classmethod
    def of(cls, run: ComposeRun) -> "Loop":
        """The loop for the models and prompts of a run."""
        told = run.conditions[0]
        return cls(
            (diffusers_unet(run.image.network), diffusers_unet(run.audio.network)),
            ((told["image"], told["not image"]), (told["audio"], told["not audio"])),
            run,
        )

    @torch.inference_mode()
    def __call__(self) -> Tensor:
        """One sample, decoded and played."""
        from diffusers import DDIMScheduler

        scheduler = DDIMScheduler.from_config(dict(self.run.image.schedule) | {"clip_sample": False})
        scheduler.set_timesteps(STEPS)
        latents = self.run.noise(self.run.jobs[:1])
        for timestep in scheduler.timesteps:
            noise = torch.zeros_like(latents)
            for unet, (wanted, unwanted) in zip(self.unets, self.conditions, strict=True):
                without = unet(latents, timestep, unwanted).sample
                noise += 0.5 * (without + SCALE * (unet(latents, timestep, wanted).sample - without))
            latents = scheduler.step(noise, timestep, latents).prev_sample
        spectrogram = self.run.blend.read(self.run, self.run.split(latents)).played
        from eidophone.verbs.shared.canvas import play

        return torch.from_numpy(play(spectrogram, self.run.loaded.vocoder, self.run.loaded.mel_spec))


def pipeline_seconds(folder: Path, prompt: str, steps: int, device: torch.device) -> Callable[[], object]:
    """A call of diffusers' own pipeline on a model's folder, guided, DDIM."""
    from diffusers import DDIMScheduler, StableDiffusionPipeline

    import eidophone.models.patches  # noqa: F401  # diffusers must know the codec

    pipe = StableDiffusionPipeline.from_pretrained(folder, torch_dtype=torch.float32, local_files_only=True)
    pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config, clip_sample=False)
    pipe = pipe.to(device)
    pipe.set_progress_bar_config(disable=True)
    return lambda: pipe(prompt, num_inference_steps=steps, height=128, width=448, output_type="np")


def random_unets(dtype: torch.dtype, device: torch.device) -> tuple[Any, UNet]:
    """The U-Net of Stable Diffusion 1.5 with random weights: diffusers' object and ours, which share them."""
    from diffusers import UNet2DConditionModel

    config = json.loads((package_folder("layouts/sd15") / "unet" / "config.json").read_text())
    torch.manual_seed(0)
    theirs = UNet2DConditionModel.from_config(config).to(device, dtype).eval().requires_grad_(False)
    ours = rebuilt(UNet, theirs)
    assert isinstance(ours, UNet)
    return theirs, ours
