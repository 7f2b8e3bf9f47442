"""What all samples of a compose run share: settings, models, encoded prompts, the canvas."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor

from eidophone.diffusion.canvas import batch_noise
from eidophone.diffusion.chains import seeded, view_of
from eidophone.diffusion.guidance import Denoiser, Seen, Window
from eidophone.diffusion.prompts import Prompted, Speaker, mean_of
from eidophone.diffusion.sampler import make_scheduler, window_from_steps
from eidophone.diffusion.views import VIEWS, View
from eidophone.diffusion.windows import Stretch, Windowed
from eidophone.models.latent import LatentModel
from eidophone.verbs.compose.blends import BLENDS
from eidophone.verbs.compose.options import ComposeSettings
from eidophone.verbs.compose.own import Own
from eidophone.verbs.compose.scenes import scene_shares
from eidophone.verbs.shared.canvas import NARROW_TILE, decode_wide
from eidophone.verbs.shared.models import LoadedModels
from eidophone.verbs.shared.sizes import CUTOFF_COLUMNS

#: Turns the seed of a sample's start noise into that of the noise between its steps.
BETWEEN_STEPS = 1 << 63


@dataclass(frozen=True)
class Finished:
    """Finished samples of a batch.

    Attributes:
        pictures: (batch, 3, height, width) in [0, 1].
        played: What is played, (batch, n_mels, columns) in [0, 1].
        arrays: Further numbers to keep, each (batch, *).
    """

    pictures: Tensor
    played: Tensor
    arrays: dict[str, Tensor]


@dataclass(frozen=True)
class Guides:
    """Both models with their prompts bound, each seen from the canvas, and when each is active."""

    image_prompts: tuple[Prompted, ...]
    audio_prompts: tuple[Prompted, ...]
    image_window: Window
    audio_window: Window

    @property
    def image(self) -> Denoiser:
        """The image model: the weighted mean of its prompts."""
        return mean_of(self.image_prompts)

    @property
    def audio(self) -> Denoiser:
        """The audio model: the weighted mean of its prompts."""
        return mean_of(self.audio_prompts)

    def speakers(self, audio_share: float) -> tuple[Speaker, Speaker]:
        """Both models with all prompts, for a canvas that some prompts decide in one band only."""
        return (
            Speaker(self.image_prompts, 1 - audio_share, self.image_window),
            Speaker(self.audio_prompts, audio_share, self.audio_window),
        )


@dataclass(frozen=True)
class Job:
    """One sample to make: which pair of prompts, and its index."""

    pair: int
    index: int


@dataclass(frozen=True)
class ComposeRun:
    """The models and the canvas of a run, with the prompts of one or more pairs.

    Attributes:
        pairs: The completed settings of each pair; they differ in their prompts, seeds and samples only.
        loaded: The models.
        image, audio: The same two, of which the run needs both.
        conditions: Of each pair: "image", "audio", "not image", "not audio"; where it has scenes, also "image 0",
            "audio 0" and so on; of further prompts, "also image 1" and so on. Each (1, tokens, width).
        own: The user's own picture and sound, if there are any.
        inputs: SHA-256 of the user's files, by option.
    """

    pairs: tuple[ComposeSettings, ...]
    loaded: LoadedModels
    image: LatentModel
    audio: LatentModel
    conditions: tuple[Mapping[str, Tensor], ...]
    own: Own | None = None
    inputs: Mapping[str, str] = field(default_factory=dict)

    @property
    def settings(self) -> ComposeSettings:
        """What all pairs share."""
        return self.pairs[0]

    @property
    def view(self) -> View:
        """How the audio model sees the canvas."""
        return seeded(VIEWS[self.settings.view], self.settings.view_seed)

    @property
    def blend(self) -> "Blend":
        """How the models share the canvas."""
        found: Blend = BLENDS[self.settings.blend]
        return found

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Of one sample's latents, one for each canvas."""
        return self.blend.shapes(self)

    @property
    def jobs(self) -> list[Job]:
        """All samples of the run, pair by pair."""
        return [Job(pair, index) for pair, one in enumerate(self.pairs) for index in one.numbers]

    def scheduler(self) -> Any:
        """A fresh one."""
        return make_scheduler(self.settings.sampler, self.image.schedule, self.settings.steps)

    def noise(self, batch: Sequence[Job]) -> Tensor:
        """Start noise of samples; that of two canvases side by side, each as it would be alone."""
        seeds = [self.pairs[job.pair].seed_of(job.index) for job in batch]
        noise = torch.cat([batch_noise(shape, seeds) for shape in self.shapes], -1)
        return noise.to(self.image.device)

    def generators(self, batch: Sequence[Job]) -> list[torch.Generator]:
        """Of the noise that some samplers add between steps; never that of the start noise."""
        seeds = [self.pairs[job.pair].seed_of(job.index) for job in batch]
        return [torch.Generator().manual_seed(seed ^ BETWEEN_STEPS) for seed in seeds]

    def denoiser(self, scheduler: Any, batch: Sequence[Job]) -> Denoiser:
        """The denoiser of a batch: both models guided, each from its first step on."""
        return self.blend.denoiser(self, self._guides(scheduler, batch))

    def split(self, latents: Tensor) -> tuple[Tensor, ...]:
        """The latents of each canvas."""
        return torch.split(latents, [shape[-1] for shape in self.shapes], -1)

    def played(self, latents: Tensor, pictures: Tensor) -> Tensor:
        """What plays: a finished canvas as the audio model sees it, decoded.

        Args:
            latents: (batch, channels, rows, columns).
            pictures: The same, decoded: (batch, 3, height, width).
        """
        return pictures if self.settings.view == "identity" else self.decode(self.view.apply(latents))

    def decode(self, latents: Tensor) -> Tensor:
        """Latents to pictures, window by window where the canvas is wider; see `decode_wide`."""
        settings = self.settings
        width = min(settings.window_width, NARROW_TILE) if settings.low_memory else settings.window_width
        return decode_wide(self.image, latents, width, settings.loop)

    def both(self, drawn: Tensor, own: Tensor) -> tuple[Tensor, Tensor]:
        """Two finished canvases, of the drawing and of the sound, decoded as the audio model sees them.

        Returns:
            (batch, 3, n_mels, columns) and (batch, 1, n_mels, columns) in [0, 1].
        """
        drawing = self.decode(drawn)
        sound = self.decode(self.view.apply(own)).mean(1, keepdim=True)
        if self.own is not None:
            drawing, sound = self.own.drawing(drawing), self.own.playing(sound)
        return self.view.apply(drawing), sound

    def finished(self, shown: Tensor, arrays: dict[str, Tensor]) -> Finished:
        """A finished canvas as the audio model sees it, (batch, channels, n_mels, columns), which plays as it is."""
        pictures = self.view.undo(shown)
        if self.own is None:
            return Finished(pictures, shown.mean(1), arrays)
        pictures = self.own.kept(pictures)
        return Finished(pictures, self.view.apply(pictures).mean(1), arrays)

    def without_cutoff(self, latents: Tensor) -> Tensor:
        """Without the right columns that `--cutoff` drops."""
        return latents[..., :-CUTOFF_COLUMNS] if self.settings.cutoff else latents

    def _guides(self, scheduler: Any, batch: Sequence[Job]) -> Guides:
        settings = self.settings
        for model in (self.image, self.audio):
            model.predictor.reuse_steps = settings.reuse_steps
        return Guides(
            self._prompts(self.image, "image", scheduler, batch),
            self._prompts(self.audio, "audio", scheduler, batch),
            window_from_steps(scheduler, settings.image_start_step),
            window_from_steps(scheduler, settings.audio_start_step),
        )

    def _prompts(
        self, model: LatentModel, side: str, scheduler: Any, batch: Sequence[Job]
    ) -> tuple[Prompted, ...]:
        """The prompts of one model, the first one and the further ones, each seen from the canvas."""
        settings, image = self.settings, side == "image"
        guided = window_from_steps(scheduler, settings.guidance_start_step, settings.guidance_stop_step)
        scale = settings.image_guidance if image else settings.audio_guidance
        unwanted = self._condition(f"not {side}", batch)

        def _bound(name: str) -> Denoiser:
            return model.guided(self._condition(name, batch), unwanted, scale, guided)

        first = self._windowed(side, _bound)
        found = [
            Prompted(first, band=settings.image_band)
            if image
            else Prompted(Seen(first, self.view), band=settings.audio_band)
        ]
        for number, one in enumerate(settings.more_images if image else settings.more_sounds, 1):
            alone = Windowed((Stretch(_bound(f"also {side} {number}")),), self._window, settings.loop)
            seen = Seen(alone, view_of(one.views, settings.view_seed))
            found.append(Prompted(seen, one.weight, one.band))
        return tuple(found)

    @property
    def _window(self) -> int:
        """Width of a window in latent columns."""
        return max(1, self.settings.window_width // self.image.vae_scale_factor)

    def _windowed(self, side: str, bound: Callable[[str], Denoiser]) -> Windowed:
        """The first prompt of a side over the whole canvas, or one for each scene; `bound` binds a prompt."""
        scenes, settings = self.settings.scenes, self.settings
        if not scenes:
            return Windowed((Stretch(bound(side)),), self._window, settings.loop)
        columns = settings.width // self.image.vae_scale_factor
        seconds = self.loaded.mel_spec.seconds(settings.width)
        shares = scene_shares(scenes, columns, seconds, settings.fade, settings.loop)
        stretches = [
            Stretch(bound(f"{side} {number}"), torch.tensor(share)) for number, share in enumerate(shares)
        ]
        return Windowed(stretches, self._window, settings.loop)

    def _condition(self, name: str, batch: Sequence[Job]) -> Tensor:
        """Of a batch: (1, tokens, width) where all samples share it, else (batch, tokens, width)."""
        pairs = [job.pair for job in batch]
        if len(set(pairs)) == 1:
            return self.conditions[pairs[0]][name]
        return torch.cat([self.conditions[pair][name] for pair in pairs])


class Blend(Protocol):
    """One way to share the canvas; see `verbs.compose.blends`."""

    def shapes(self, run: ComposeRun) -> tuple[tuple[int, ...], ...]:
        """Of one sample's latents: a shape (channels, rows, columns) for each canvas, from left to right."""

    def denoiser(self, run: ComposeRun, guides: Guides) -> Denoiser:
        """The denoiser of the canvases, side by side."""

    def read(self, run: ComposeRun, latents: Sequence[Tensor]) -> Finished:
        """Finished latents, one (batch, *) tensor for each canvas, as pictures and as what is played."""
