"""Score distillation (Images that Sound, section 4.1): a picture is optimised until both models like it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from eidophone.diffusion.distillation import Lens, Rule, Voice, distil
from eidophone.diffusion.representation import ImplicitPicture, LatentGrid, PixelGrid
from eidophone.errors import EidophoneError
from eidophone.media.picture import from_bytes, strip, to_bytes
from eidophone.models.latent import LatentModel
from eidophone.models.place import within_memory
from eidophone.options import DistillOptions
from eidophone.pipelines.checkpoints import Checkpoints
from eidophone.pipelines.meter import Meter
from eidophone.pipelines.played import played
from eidophone.pipelines.run import CROP_PIXELS, Studio, check_canvas, filled, open_studio, sample_recipe
from eidophone.progress import Progress, silent
from eidophone.values import Picture, Result


@dataclass
class Sample:
    """One sample on its way; everything that a checkpoint keeps.

    Attributes:
        canvas: Draws without any input.
        optimiser: Of its parameters.
        generator: Of everything that is drawn on the way.
        done: Finished iterations.
        frames: Previews in 8 bits, (height, width, 3), with the iteration that each was made after.
        evaluations, seconds: What it cost before this process took it up.
    """

    canvas: nn.Module
    optimiser: torch.optim.Optimizer
    generator: torch.Generator
    done: int = 0
    frames: list[tuple[int, Tensor]] = field(default_factory=list)
    evaluations: int = 0
    seconds: float = 0.0

    def state(self, costs: tuple[int, float]) -> dict[str, Any]:
        """To keep; `costs` are the evaluations and seconds of this process."""
        return {
            "canvas": self.canvas.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "generator": self.generator.get_state(),
            "done": self.done,
            "frames": self.frames,
            "costs": (self.evaluations + costs[0], self.seconds + costs[1]),
        }

    def take_up(self, state: dict[str, Any]) -> None:
        """Goes on from what was kept."""
        self.canvas.load_state_dict(state["canvas"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.generator.set_state(state["generator"])
        self.done, self.frames = state["done"], state["frames"]
        self.evaluations, self.seconds = state["costs"]


@dataclass(frozen=True)
class Atelier:
    """What the samples of a run share.

    Attributes:
        options: Completed.
        studio: Models and player.
        size: Of the canvas in pixels, (height, width).
        voices: What both models have to say.
        rule: How a canvas follows them.
    """

    options: DistillOptions
    studio: Studio
    size: tuple[int, int]
    voices: tuple[Voice, ...]
    rule: Rule

    @property
    def device(self) -> torch.device:
        """Where canvases lie."""
        return filled(self.studio.audio).device

    def begin(self, index: int) -> Sample:
        """A sample before its first iteration."""
        options, seed = self.options, self.options.seed + index
        canvas = new_canvas(options, self.size, filled(self.studio.audio), seed).to(self.device)
        optimiser = torch.optim.AdamW(canvas.parameters(), options.rate, weight_decay=options.weight_decay)
        return Sample(canvas, optimiser, torch.Generator().manual_seed(seed))

    def pictures(self, canvas: nn.Module) -> tuple[Tensor, dict[str, Tensor]]:
        """What a canvas shows, (1, 3, height, width) in [0, 1] on the CPU, and its numbers to keep."""
        with torch.no_grad():
            shown = canvas().detach()
            if self.options.representation == "latent":
                return filled(self.studio.audio).decode(shown), {"latents": shown}
            return shown.expand(-1, 3, -1, -1).cpu(), {}


def distill(
    options: DistillOptions, progress: Progress = silent, checkpoints: Checkpoints | None = None
) -> Iterator[Result]:
    """Makes samples one after another; each is a picture that plays.

    Args:
        options: What and how.
        progress: Told iterations over all samples.
        checkpoints: Where unfinished samples are kept. Samples that are finished there are left out.

    Raises:
        EidophoneError: before the first iteration, if the settings, prompts or models cannot work.
    """
    atelier = open_atelier(options, progress)
    options = atelier.options
    for number, index in enumerate(options.numbers):
        if not (checkpoints and checkpoints.finished(index)):

            def _watch(done: int, base: int = number * options.iterations) -> None:
                progress("distilling", base + done, options.count * options.iterations)

            yield _sample(atelier, index, checkpoints, _watch)
        if checkpoints:
            checkpoints.drop(index)


def open_atelier(options: DistillOptions, progress: Progress) -> Atelier:
    """Loads the models of a run and encodes its prompts."""
    studio, options = open_studio(options, progress, shared=False)
    size = check_canvas(options, studio, cut=CROP_PIXELS if options.crop else 0)
    rule = Rule(
        iterations=options.iterations,
        highest=options.highest,
        lowest=options.lowest,
        annealed=options.annealed,
        weighting=options.weighting,
        noise_share=options.noise_share,
    )
    return Atelier(options, studio, size, _voices(options, studio), rule)


def _voices(options: DistillOptions, studio: Studio) -> tuple[Voice, ...]:
    audio, image = filled(studio.audio), filled(studio.image)
    draws = image.guided(
        image.text.encode(options.image_prompt, "image prompt"),
        image.text.encode(options.image_negative, "negative image prompt"),
        options.image_guidance,
    )
    plays = audio.guided(
        audio.text.encode(options.audio_prompt, "audio prompt"),
        audio.text.encode(options.audio_negative, "negative audio prompt"),
        options.audio_guidance,
    )
    latent = options.representation == "latent"
    lenses = [_lens_of(model, audio if latent else None) for model in (audio, image)]
    voices = (
        Voice(plays, lenses[0], audio.signals, options.audio_weight, options.audio_start_step),
        Voice(draws, lenses[1], image.signals, options.image_weight, options.image_start_step),
    )
    return tuple(voice for voice in voices if voice.weight > 0)


def _lens_of(model: LatentModel, holder: LatentModel | None) -> Lens:
    """How a latent model sees a canvas: a picture, or latents of a holder."""
    if holder is not None and holder.vae is model.vae:
        return lambda latents, _: latents

    def _see(shown: Tensor, generator: torch.Generator) -> Tensor:
        pictures = shown.expand(-1, 3, -1, -1) if holder is None else holder.decode(shown)
        shape = (len(pictures), *model.latent_shape(*pictures.shape[-2:]))
        return model.encode(pictures, torch.randn(shape, generator=generator))

    return _see


def new_canvas(options: DistillOptions, size: tuple[int, int], audio: LatentModel, seed: int) -> nn.Module:
    """What is optimised, before the first iteration."""
    if options.representation == "implicit":
        return ImplicitPicture(1, *size, seed)
    if options.representation == "pixels":
        return PixelGrid(1, *size, seed)
    return LatentGrid(*audio.latent_shape(*size))


def _sample(
    atelier: Atelier, index: int, checkpoints: Checkpoints | None, watch: Callable[[int], None]
) -> Result:
    options, studio = atelier.options, atelier.studio
    recipe = sample_recipe("distill", options, studio, range(index, index + 1), index)
    sample = atelier.begin(index)
    meter = Meter(studio.evaluations)
    if checkpoints and (kept := checkpoints.read(index, recipe)):
        sample.take_up(kept)
    with within_memory(1):
        steps = distil(
            sample.canvas, sample.optimiser, atelier.voices, atelier.rule, sample.generator, sample.done
        )
        for sample.done in steps:
            watch(sample.done)
            _look(atelier, sample, index, checkpoints)
            if checkpoints and sample.done % options.checkpoint_every == 0:
                checkpoints.write(index, recipe, sample.state(meter.each(1)))
        pictures, numbers = atelier.pictures(sample.canvas)
    if not torch.isfinite(pictures).all():
        raise EidophoneError("The picture came out as not-a-number; lower --rate, or use --dtype float32.")
    (result,) = played(pictures, pictures.mean(1), options, studio, [recipe], numbers)
    evaluations, seconds = meter.each(1)
    result.facts.update(
        unet_evaluations=sample.evaluations + evaluations, seconds=round(sample.seconds + seconds, 3)
    )
    labels = [f"{done} iterations" for done, _ in sample.frames]
    result.extras["course"] = strip([from_bytes(frame.numpy()) for _, frame in sample.frames], labels)
    return result


def _look(atelier: Atelier, sample: Sample, index: int, checkpoints: Checkpoints | None) -> None:
    """Keeps a preview, if it is time, and after the last iteration."""
    if sample.done % atelier.options.preview_every and sample.done < atelier.options.iterations:
        return
    pictures, _ = atelier.pictures(sample.canvas)
    picture = Picture(pictures[0].permute(1, 2, 0).contiguous().numpy())
    sample.frames.append((sample.done, torch.from_numpy(to_bytes(picture))))
    if checkpoints:
        checkpoints.preview(index, picture)
