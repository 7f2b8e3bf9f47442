"""The canvas of a run: its size in pixels, its batches, what is cut off, and its sound."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from eidophone.core.events import Reporter
from eidophone.core.values import Clip, Floats, Picture
from eidophone.diffusion.guidance import Denoiser
from eidophone.diffusion.sampler import State, sampling_steps
from eidophone.diffusion.windows import in_windows
from eidophone.media.mel import MelSpec
from eidophone.media.spectrogram import log_mel_from_picture
from eidophone.media.vocoder import Vocoder
from eidophone.models.device import batch_size
from eidophone.models.latent import LatentModel
from eidophone.verbs.shared.models import LoadedModels
from eidophone.verbs.shared.sizes import CROP_PIXELS, SampleSettings, check_size

#: Width in pixels of what a VAE decodes at once under `--low-memory`.
NARROW_TILE = 512
#: Mel pictures that a vocoder plays at once, so that memory does not grow with the batch.
PLAYED_AT_ONCE = 4


def check_canvas(
    settings: SampleSettings, loaded: LoadedModels, rows: int = 1, cut: int = 0
) -> tuple[int, int]:
    """The canvas in pixels, if the models can draw and play it.

    Args:
        settings: Completed.
        loaded: The models.
        rows: How many mel pictures the canvas holds, one above the other.
        cut: Pixels that will be dropped on the right.

    Raises:
        BadInput: a size that the VAE cannot divide, or that is no mel picture; the message names the
            nearest one.
    """
    player = loaded.sources["audio"].name
    return check_size(
        settings.height,
        settings.width,
        loaded.vae_scale_factor,
        loaded.mel_spec.n_mels * rows,
        f"the audio model {player!r}",
        cut,
    )


def at_once(settings: SampleSettings, loaded: LoadedModels, wanted: int) -> int:
    """How many of the wanted samples a batch holds: as `settings.batch_size` says, else as the device allows.

    A processor gains little from a batch, and a batch of one makes a sample's bytes independent of the other
    samples. So the default is one on a processor, and as many as memory allows on a GPU.
    """
    if settings.batch_size is not None:
        return settings.batch_size
    low_memory = getattr(settings, "low_memory", False)
    if low_memory or not loaded.models or loaded.models[0].device.type == "cpu":
        return 1
    model = loaded.models[0]
    return batch_size(
        wanted,
        settings.height,
        min(settings.width, getattr(settings, "window_width", settings.width)),
        int(model.vae.config.block_out_channels[0]) * 2,
        model.dtype.itemsize,
        model.device,
    )


def denoise(
    denoiser: Denoiser,
    noise: Tensor,
    scheduler: Any,
    watch: Callable[[int], None],
    look: Callable[[State], None] | None = None,
    generators: Sequence[torch.Generator] = (),
) -> Tensor:
    """Samples to the end without gradients.

    Args:
        denoiser: Predicts the noise.
        noise: Where sampling starts.
        scheduler: Of diffusers.
        watch: Called with the number of finished steps after each step; may raise to cancel.
        look: Called with each state but the last, for previews.
        generators: One for each sample, for samplers that add noise.
    """
    latents = noise
    total = len(scheduler.timesteps)
    more: dict[str, Any] = {"generator": generators} if getattr(scheduler, "ADDS_NOISE", False) else {}
    with torch.inference_mode():
        for number, state in enumerate(sampling_steps(denoiser, noise, scheduler, **more), 1):
            latents = state.latents
            if look is not None and number < total:
                look(state)
            watch(state.step)
    return latents


def decode_wide(model: LatentModel, latents: Tensor, window_width: int, loop: bool) -> Tensor:
    """Latents to pictures, (batch, 3, height, width) in [0, 1]; a canvas wider than a window in windows.

    Args:
        model: Has the VAE.
        latents: (batch, channels, rows, columns).
        window_width: In pixels.
        loop: The canvas's end meets its beginning.
    """
    factor = model.vae_scale_factor

    def _decode(window: Tensor, _: Tensor) -> Tensor:
        return model.decode(window)

    return in_windows(_decode, latents, max(1, window_width // factor), loop, factor).clamp_(0, 1)


def encode_wide(model: LatentModel, pictures: Tensor, window_width: int, loop: bool) -> Tensor:
    """Pictures in [0, 1], (batch, 3, height, width), to latents; a canvas wider than a window in windows.

    Args:
        model, window_width, loop: As in `decode_wide`.
        pictures: As wide as a whole number of latent columns.
    """
    factor = model.vae_scale_factor
    inside = torch.arange(factor)

    def _encode(_: Tensor, places: Tensor) -> Tensor:
        columns = (factor * places[:, None] + inside).flatten()
        return model.encode(pictures[..., columns.to(pictures.device)])

    columns = pictures.new_zeros(1, pictures.shape[-1] // factor)
    return in_windows(_encode, columns, max(1, window_width // factor), loop)


def previewer(
    report: Reporter, decode: Callable[[Tensor], Tensor], indices: Sequence[int]
) -> Callable[[State], None]:
    """Makes previews of a batch from the estimates of the clean latents, when one is due.

    Args:
        report: Says when, and receives them.
        decode: Latents (batch, *) to pictures (batch, 3, height, width) in [0, 1].
        indices: Of the samples in the batch.
    """

    def _look(state: State) -> None:
        if report.wants_preview():
            for index, pixels in zip(indices, decode(state.clean), strict=True):
                report.preview(index, Picture(pixels.permute(1, 2, 0).contiguous().float().cpu().numpy()))

    return _look


def play(gray: Tensor, vocoder: Vocoder, spec: MelSpec, cyclic: bool = False) -> Floats:
    """The sound of mel pictures: (batch, n_mels, columns) in [0, 1] -> float32 (batch, samples).

    Sound above full scale is scaled down as a whole, so that nothing clips. Where the pictures are cyclic, the
    sounds' end meets their beginning.
    """
    with torch.inference_mode():
        logs = log_mel_from_picture(gray, spec)
        sound = torch.cat([vocoder(part, cyclic) for part in torch.split(logs, PLAYED_AT_ONCE)])
    loudest = sound.abs().amax(1, keepdim=True)
    found: Floats = (sound / loudest.clamp(min=1)).cpu().numpy()
    return found


def clip_of(samples: Floats, spec: MelSpec, kept: float = 1.0) -> Clip:
    """A mono clip of the first `kept` share of the samples."""
    length = round(len(samples) * kept)
    return Clip(samples[None, :length].copy(), spec.rate_hz)


def kept_columns(crop: bool, columns: int) -> tuple[int, float]:
    """How many columns a crop leaves, and which share of the sound goes with them."""
    width = columns - (CROP_PIXELS if crop else 0)
    return width, width / columns
