"""The user's own picture and sound on the canvas of compose."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from eidophone.core.errors import BadInput
from eidophone.core.events import Reporter
from eidophone.core.values import Floats, Result
from eidophone.diffusion.guidance import Denoiser
from eidophone.diffusion.held import Held
from eidophone.diffusion.sampler import cumulative_alphas
from eidophone.diffusion.views import View
from eidophone.media.ssim import ssim
from eidophone.models.latent import LatentModel
from eidophone.verbs.compose.options import ComposeOptions, ComposeSettings
from eidophone.verbs.shared.canvas import encode_wide
from eidophone.verbs.shared.models import LoadedModels
from eidophone.verbs.shared.own import FOLDED, fitted_file, folded, mel_picture_of, toned_file

#: How the canvas is shared where the user brings a picture or a sound and does not say.
OWN_BLEND = "relief"
#: Structural similarity below which a picture cannot be seen any more.
FAINT = 0.08
#: Pixels over which a mask's edge fades.
FADE = 4


def own_weight(options: ComposeOptions, blend: str) -> float | None:
    """The audio weight that the strength stands for; None where it says nothing of it.

    On one latent, the model of the side that has a prompt decides alone. Of two canvases, the one that is not the
    user's has that share.
    """
    both = bool(options.image_prompt.strip() and options.audio_prompt.strip())
    if blend == "average":
        return None if both else float(options.picture is not None)
    if options.picture is not None and options.sound is not None:
        return None
    return options.strength if options.picture is not None else 1 - options.strength


def check_view(settings: ComposeSettings, view: View) -> None:
    """Refuses the user's material where the view changes light, so that it has no place on the canvas.

    Raises:
        BadInput: the message says what goes.
    """
    if moves_light(view):
        return
    if settings.sound is not None:
        raise BadInput(f"--view {view.name} does not go with --sound; use another view.")
    if settings.picture is not None and settings.blend != "average":
        raise BadInput(f"--view {view.name} does not go with --blend {settings.blend}; use --blend average.")


def moves_light(view: View) -> bool:
    """Whether a view moves the places of a picture, and leaves their light as it is."""
    return bool((view.apply(torch.full((1, 1, 64, 64), 0.5)) == 0.5).all())


@dataclass(frozen=True)
class Own:
    """What a run was given in the place of prompts, as grey canvases in [0, 1].

    Attributes:
        image: The image model.
        encode: Pictures in [0, 1], (batch, 3, height, width), to its latents.
        picture: (1, 1, height, width), or None.
        free: Where the picture may change, (1, 1, height, width): 0 to 1; None: everywhere.
        beside: Where the picture does not reach, likewise; None: it fills the canvas.
        mel: The sound's mel picture, (1, 1, bands, columns), or None.
        sound: The same as the canvas shows it, (1, 1, height, width), or None.
        redrawn, replayed: Whether a prompt says what the picture, or the sound, should become.
        strength: How much may change, 0 to 1.
    """

    image: LatentModel
    encode: Callable[[Tensor], Tensor]
    picture: Tensor | None
    free: Tensor | None
    beside: Tensor | None
    mel: Tensor | None
    sound: Tensor | None
    redrawn: bool
    replayed: bool
    strength: float

    def hold_picture(self, denoiser: Denoiser) -> Denoiser:
        """Holds the drawing's canvas: completely, where no prompt redraws it."""
        return self._held(denoiser, self.picture, self.strength if self.redrawn else 0.0, free=self.free)

    def hold_sound(self, denoiser: Denoiser) -> Denoiser:
        """Holds the sound's canvas: completely, where no prompt changes it."""
        return self._held(denoiser, self.sound, self.strength if self.replayed else 0.0)

    def hold(self, denoiser: Denoiser) -> Denoiser:
        """Holds the one canvas that both models share."""
        if self.picture is not None:
            return self._held(denoiser, self.picture, self.strength, self.free, self.beside)
        return self._held(denoiser, self.sound, self.strength)

    def _held(
        self,
        denoiser: Denoiser,
        gray: Tensor | None,
        strength: float,
        free: Tensor | None = None,
        beside: Tensor | None = None,
    ) -> Denoiser:
        if gray is None:
            return denoiser
        with torch.inference_mode():
            given = self.encode(gray.expand(-1, 3, -1, -1)).to(self.image.device)
        rows, columns = given.shape[-2:]
        places = [
            None if place is None else F.adaptive_avg_pool2d(place, (rows, columns)).to(given)
            for place in (free, beside)
        ]
        return Held(denoiser, given, cumulative_alphas(self.image.schedule), strength, *places)

    def drawing(self, drawn: Tensor) -> Tensor:
        """A drawing's canvas, decoded: exactly the user's picture, where no prompt redraws it."""
        if self.picture is None or self.redrawn:
            return drawn
        return self.picture[..., : drawn.shape[-1]].expand_as(drawn)

    def playing(self, played: Tensor) -> Tensor:
        """A sound's canvas as the audio model sees it, decoded: exactly the user's, where no prompt changes it."""
        if self.mel is None or self.replayed:
            return played
        return self.mel[..., : played.shape[-1]].expand_as(played)

    def kept(self, shown: Tensor) -> Tensor:
        """A finished canvas, (batch, channels, height, columns), with the user's picture where the mask keeps it."""
        if self.picture is None or self.free is None:
            return shown
        free, picture = (each[..., : shown.shape[-1]] for each in (self.free, self.picture))
        return free * shown + (1 - free) * picture

    def facts(self, result: Result, report: Reporter) -> dict[str, Any]:
        """How much of the user's material a finished sample keeps, for its record; warns where nothing is left."""
        if self.picture is None:
            return {}
        kept = self._similarity(result.picture.gray())
        if kept < FAINT:
            report.warn(
                f"Sample {result.index}: hardly anything of your picture is left (similarity {kept:.2f}); lower "
                "--strength."
            )
        return {"picture_similarity": round(kept, 4), "summary": f"similarity to your picture {kept:.2f}"}

    def _similarity(self, shown: Floats) -> float:
        """Structural similarity of the picture and what is shown in its place."""
        assert self.picture is not None
        own = self.picture[0, 0, :, : shown.shape[1]].numpy()
        if self.beside is not None:
            inside = (self.beside[0, 0, :, : shown.shape[1]] == 0).numpy()
            place = np.ix_(inside.any(1), inside.any(0))
            own, shown = own[place], shown[place]
        return ssim(own, shown)


def read_own(
    settings: ComposeSettings, loaded: LoadedModels, image: LatentModel, view: View, report: Reporter
) -> Own | None:
    """Reads the user's files for a canvas; None where there are none.

    Raises:
        BadInput: a file cannot be read, or the mask lets nothing change.
    """
    if settings.picture is None and settings.sound is None:
        return None
    picture = free = beside = mel = None
    if settings.picture is not None:
        wide = settings.width + _beyond(settings)
        gray, found = toned_file(settings.picture, settings, settings.height, wide, report)
        picture = folded(torch.from_numpy(gray)[None, None], settings.width)
        if not found.inside.all():
            outside = folded(torch.from_numpy(~found.inside).float()[None, None], settings.width)
            beside = (outside == 1).float()
        if settings.mask is not None:
            free = _mask(settings.mask, settings, report)
            free = free if beside is None else torch.maximum(free, beside)
    if settings.sound is not None:
        columns = settings.width * view.rows
        beyond = _beyond(settings) if view.rows == 1 else 0
        gray = mel_picture_of(settings.sound, loaded.mel_spec, columns + beyond, report)
        # where a sound ends within the canvas, there is nothing beyond to fade in: its beginning stays as it is
        heard = gray if gray[:, columns:].any() else gray[:, :columns]
        mel = folded(torch.from_numpy(heard)[None, None], columns)
    sound = None if mel is None else view.undo(mel)
    redrawn, replayed = bool(settings.image_prompt.strip()), bool(settings.audio_prompt.strip())

    def _encode(pictures: Tensor) -> Tensor:
        return encode_wide(image, pictures, settings.window_width, settings.loop)

    return Own(image, _encode, picture, free, beside, mel, sound, redrawn, replayed, settings.strength)


def _beyond(settings: ComposeSettings) -> int:
    """Columns of the user's material beyond the canvas, which a loop fades into its beginning."""
    return round(settings.width * FOLDED) if settings.loop else 0


def _mask(path: Path, settings: ComposeSettings, report: Reporter) -> Tensor:
    found = fitted_file(path, settings, settings.height, settings.width + _beyond(settings), report)
    white = (torch.from_numpy(found.picture.gray()) > 0.5).float()[None, None]
    white = folded(white, settings.width)
    if not white.any():
        raise BadInput(f"{path}: is black everywhere, so nothing may change; paint white where it may.")
    return F.avg_pool2d(F.pad(white, (FADE,) * 4, mode="replicate"), 2 * FADE + 1, 1)
