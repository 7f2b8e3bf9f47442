"""The two stages that colour a grey picture, at the size that their models draw."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from eidophone.core.errors import BadInput, EidophoneError
from eidophone.core.values import Floats, Picture
from eidophone.diffusion.factorized import Factorized, FixedGray
from eidophone.diffusion.guidance import Denoiser
from eidophone.diffusion.sampler import make_scheduler, sampling_steps
from eidophone.models.pixel import PixelModel
from eidophone.verbs.colorize.options import ColorizeOptions
from eidophone.verbs.shared.models import filled

#: Stage II draws so many times as large.
ENLARGED = 4
#: Pixels by which the first stage's canvas divides, so that the second one's does by 32.
BLOCK = 8


@dataclass(frozen=True)
class Frame:
    """The canvas of stage I: a picture of any size, scaled to the model's height, and a margin.

    Attributes:
        rows, columns: Of the picture on it.
        below, beside: Of the margin, which repeats the picture's edge.
    """

    rows: int
    columns: int
    below: int
    beside: int

    @classmethod
    def of(cls, height: int, width: int, rows: int, block: int) -> "Frame":
        """For a picture of a size; the canvas divides by `block`."""
        columns = max(1, round(width * rows / height))
        return cls(rows, columns, -rows % block, -columns % block)

    def put(self, gray: Floats, times: int = 1) -> Tensor:
        """A grey picture in [0, 1] on the canvas, or on a larger one: (1, 3, height, width) in [-1, 1]."""
        size = (times * self.rows, times * self.columns)
        pixels = torch.from_numpy(gray)[None, None]
        pixels = F.interpolate(pixels, size, mode="bilinear", antialias=True).expand(-1, 3, -1, -1)
        margin = (0, times * self.beside, 0, times * self.below)
        return F.pad(pixels, margin, mode="replicate") * 2 - 1

    def taken(self, pixels: Tensor, height: int, width: int) -> Picture:
        """What is on the canvas, without the margin, at a size; undoes `put`."""
        times = pixels.shape[-2] // (self.rows + self.below)
        inner = pixels[..., : times * self.rows, : times * self.columns].float().cpu()
        inner = F.interpolate(inner / 2 + 0.5, (height, width), mode="bilinear", antialias=True)
        return Picture(inner[0].clamp(0, 1).permute(1, 2, 0).contiguous().numpy())


@dataclass(frozen=True)
class Small:
    """What stage I made of one sample.

    Attributes:
        pixels: In [-1, 1], shape (1, 3, rows, columns), on a frame.
        generator: Where the sample's noise comes from; stage II draws on.
    """

    pixels: Tensor
    generator: torch.Generator


@dataclass(frozen=True)
class Stages:
    """Both stages of a run; each is handed its model, because only one is in memory at a time.

    Attributes:
        options: Completed.
        gray: What is coloured, shape (height, width), in [0, 1].
        frame: Where it lies.
        told: The conditions of "prompt" and "negative prompt".
        watch: Called after every step.
    """

    options: ColorizeOptions
    gray: Floats
    frame: Frame
    told: dict[str, Tensor]
    watch: Callable[[], None]

    def small(self, model: PixelModel, index: int) -> Small:
        """Stage I of one sample."""
        generator = torch.Generator().manual_seed(self.options.seed + index)
        gray = self.frame.put(self.gray).to(model.device)
        denoiser = model.guided(*self._prompts)
        return Small(self._walk(model, denoiser, gray, self.options.steps, generator), generator)

    def large(self, model: PixelModel, small: Small) -> Picture:
        """Stage II of one sample, at the size of what is coloured.

        Raises:
            BadInput: the model halves its canvas more often than this size allows.
            EidophoneError: the number format was too narrow and the picture is not finite.
        """
        gray = self.frame.put(self.gray, ENLARGED).to(model.device)
        height, width = gray.shape[-2:]
        if height % model.block_size or width % model.block_size:
            raise BadInput(
                f"{model.source.name}: works in blocks of {model.block_size} pixels and gets "
                f"{width} x {height}; choose another --upscaler."
            )
        noise = torch.randn(gray.shape, generator=small.generator)
        beside = model.beside(small.pixels, (height, width), self.options.noise_level, noise)
        denoiser = model.guided(*self._prompts, beside)
        pixels = self._walk(model, denoiser, gray, self.options.upscale_steps, small.generator)
        if not torch.isfinite(pixels).all():
            raise EidophoneError(
                f"{model.source.name}: the picture came out as not-a-number in {model.dtype}; "
                "use --dtype float32 or bfloat16."
            )
        return self.frame.taken(pixels, *self.gray.shape)

    @property
    def _prompts(self) -> tuple[Tensor, Tensor, float]:
        return self.told["prompt"], self.told["negative prompt"], filled(self.options.image_guidance)

    def _walk(
        self,
        model: PixelModel,
        denoiser: Denoiser,
        gray: Tensor,
        steps: int,
        generator: torch.Generator,
    ) -> Tensor:
        """From the noised grey picture down to a coloured one, whose grey part is held on the way."""
        scheduler = make_scheduler(self.options.sampler, model.schedule, steps)
        noise = torch.randn(gray.shape, generator=generator).to(gray)
        pinned = FixedGray(gray, noise, model.alphas_cumprod)
        voices = Factorized(pinned.known if self.options.known_gray else denoiser, denoiser)
        first = self.options.start_step
        pixels = pinned.at(scheduler.timesteps[first])
        with torch.inference_mode():
            for state in sampling_steps(voices, pixels, scheduler, first, pinned.held, generator=generator):
                pixels = state.latents
                self.watch()
        return pixels
