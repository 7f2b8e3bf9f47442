"""The two stages that colour a grey picture, at the sizes that their models draw."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from eidophone.core.errors import BadInput, EidophoneError
from eidophone.core.values import Floats, Picture
from eidophone.diffusion.draws import Draws
from eidophone.diffusion.factorized import Factorized, FixedGray
from eidophone.diffusion.guidance import Denoiser
from eidophone.diffusion.sampler import make_scheduler, sampling_steps
from eidophone.models.pixel import PixelModel
from eidophone.verbs.colorize.options import ColorizeSettings

#: Stage II draws pictures this many times as high and wide as stage I.
ENLARGED = 4
#: Height and width of stage I's canvas are multiples of this, so that those of stage II are multiples of 32.
BLOCK = 8


@dataclass(frozen=True)
class Frame:
    """The canvas of stage I: a picture of any size, scaled to the model's height, with a margin.

    Attributes:
        rows, columns: Of the picture on it, in pixels.
        below, beside: Size of the margin, which repeats the picture's edge.
        antialias: Smooth the picture before it is made smaller.
    """

    rows: int
    columns: int
    below: int
    beside: int
    antialias: bool = True

    @classmethod
    def of(cls, height: int, width: int, rows: int, block: int, *, antialias: bool = True) -> "Frame":
        """For a picture of this size; height and width of the canvas are multiples of `block`."""
        columns = max(1, round(width * rows / height))
        return cls(rows, columns, -rows % block, -columns % block, antialias)

    def put(self, gray: Floats, times: int = 1) -> Tensor:
        """A grey picture in [0, 1] on the canvas, or on a larger one: (1, 3, height, width) in [-1, 1]."""
        size = (times * self.rows, times * self.columns)
        pixels = torch.from_numpy(gray)[None, None]
        pixels = F.interpolate(pixels, size, mode="bilinear", antialias=self.antialias)
        margin = (0, times * self.beside, 0, times * self.below)
        return F.pad(pixels.expand(-1, 3, -1, -1), margin, mode="replicate") * 2 - 1

    def taken(self, pixels: Tensor, height: int, width: int) -> Picture:
        """The picture on the canvas, without the margin, resized to (height, width); the inverse of `put`."""
        times = pixels.shape[-2] // (self.rows + self.below)
        inner = pixels[..., : times * self.rows, : times * self.columns].float().cpu()
        inner = F.interpolate(inner / 2 + 0.5, (height, width), mode="bilinear", antialias=True)
        return Picture(inner[0].clamp(0, 1).permute(1, 2, 0).contiguous().numpy())


@dataclass(frozen=True)
class Small:
    """The result of stage I for one sample.

    Attributes:
        pixels: In [-1, 1] (not clamped), shape (1, 3, rows, columns), on a frame.
        draws: The sample's random numbers; stage II goes on with them.
        index: Of the sample.
    """

    pixels: Tensor
    draws: Draws
    index: int = 0


def _unseen(_index: int, _draw: Callable[[], Picture]) -> None:
    """Nobody looks on."""


@dataclass(frozen=True)
class ColorizeStages:
    """Both stages of a run; each method is given its model, because only one is in memory at a time.

    Attributes:
        options: Completed.
        gray: The grey picture, shape (height, width), in [0, 1].
        frame: Its place on the canvas.
        conditions: Of "prompt" and "negative prompt".
        watch: Called after every step.
        look: Called with a sample's index and its picture so far, on the canvas, when a preview is due.
    """

    options: ColorizeSettings
    gray: Floats
    frame: Frame
    conditions: dict[str, Tensor]
    watch: Callable[[], None]
    look: Callable[[int, Callable[[], Picture]], None] = _unseen

    def small(self, model: PixelModel, index: int) -> Small:
        """Stage I of one sample."""
        draws = Draws.seeded(self.options.seed + index)
        gray = self.frame.put(self.gray).to(model.device)
        learned = self._learned(model)
        denoiser: Denoiser = model.guided(*self._prompts)
        if learned:
            denoiser = model.guided_with_variance(*self._prompts)
        stage = Stage("stage 1", self.options.steps, learned)
        pixels = self._sample(model, denoiser, gray, stage, draws, index)
        return Small(pixels, draws, index)

    def large(self, model: PixelModel, small: Small) -> Picture:
        """Stage II of one sample, at the size of the grey picture.

        Raises:
            BadInput: the model cannot draw this size.
            EidophoneError: numbers overflowed and the picture is not finite.
        """
        gray = self.frame.put(self.gray, ENLARGED).to(model.device)
        height, width = gray.shape[-2:]
        if height % model.block_size or width % model.block_size:
            raise BadInput(
                f"{model.source.name}: height and width must be multiples of {model.block_size} pixels, but "
                f"the picture is {width} x {height}; choose another --upscaler."
            )
        noise = small.draws.normal("upscaler noise", gray.shape)
        beside = model.beside(small.pixels, (height, width), self.options.noise_level, noise)
        learned = self._learned(model)
        denoiser: Denoiser = model.guided(*self._prompts, beside)
        if learned:
            denoiser = model.guided_with_variance(*self._prompts, beside)
        stage = Stage("stage 2", self.options.upscale_steps, learned)
        pixels = self._sample(model, denoiser, gray, stage, small.draws, small.index)
        return self.frame.taken(pixels, *self.gray.shape)

    @property
    def _prompts(self) -> tuple[Tensor, Tensor, float]:
        conditions = self.conditions
        return conditions["prompt"], conditions["negative prompt"], self.options.image_guidance

    def _learned(self, model: PixelModel) -> bool:
        return self.options.learned_variance and model.learns_variance and self.options.sampler == "ddpm"

    def _sample(
        self,
        model: PixelModel,
        denoiser: Denoiser,
        gray: Tensor,
        stage: "Stage",
        draws: Draws,
        index: int,
    ) -> Tensor:
        """A coloured picture whose grey part is fixed during sampling, on the device of `gray`."""
        options = self.options
        scheduler = make_scheduler(
            options.sampler, model.schedule, stage.steps, learned_variance=stage.learned_variance
        )
        noise = draws.normal(f"{stage.name} start noise", gray.shape).to(gray)
        fresh = options.fresh_gray_noise

        def _noise() -> Tensor:
            return draws.normal(f"{stage.name} gray noise", gray.shape) if fresh else noise

        first = options.start_step if stage.name == "stage 1" else 0
        at = scheduler.timesteps[first]
        fixed = FixedGray(
            gray, model.alphas_cumprod, _noise, int(at) if first and options.double_start else None
        )
        if options.known_gray:
            denoiser = Factorized(fixed.known, denoiser)
        pixels = noise if first == 0 or fixed.doubled is not None else fixed.at(at)
        generator = draws.generator
        with torch.inference_mode():
            for state in sampling_steps(denoiser, pixels, scheduler, first, fixed, generator=generator):
                pixels = state.latents
                _check_finite(model, state.clean, pixels)
                self.look(index, partial(self.frame.taken, state.clean, *self.gray.shape))
                self.watch()
        return pixels


def _check_finite(model: PixelModel, *pixels: Tensor) -> None:
    if all(torch.isfinite(each).all() for each in pixels):
        return
    kind = str(model.dtype).removeprefix("torch.")
    remedy = "use --dtype float32 or bfloat16"
    if model.dtype != torch.float16:
        remedy = "its weights are damaged, so fetch the model again, or the guidance scale is too high"
    raise EidophoneError(f"{model.source.name}: the picture has NaN or infinite pixels in {kind}; {remedy}.")


@dataclass(frozen=True)
class Stage:
    """How one stage samples.

    Attributes:
        name: "stage 1" or "stage 2".
        steps: Of the sampler.
        learned_variance: The denoiser returns one, and the sampler uses it.
    """

    name: str
    steps: int
    learned_variance: bool
