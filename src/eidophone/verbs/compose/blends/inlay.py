"""A drawing set into the picture of a sound, over the whole width: each model denoises a canvas of its own.

The ear forgives light that is added 25 to 30 dB below a sound's loudest parts, and hardly forgives what is
taken away around a drawing. So the sound stays as it is outside the drawing. Inside, it is a little softer,
and the drawing's own light fills what it leaves dark, with the grain of the sound (docs/journal.md). This is not
the published method: no model sees the other's canvas.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from eidophone.diffusion.guidance import Denoiser
from eidophone.verbs.compose.blends.lighten import Lighten, best_shift
from eidophone.verbs.compose.run import ComposeRun, Finished, Guides

#: At an equal share: how light a drawing is at most, and what the sound keeps inside it.
LIGHT, KEEPS = 0.7, 0.85
#: How much both change over the whole range of shares.
LIGHT_SLOPE, KEEPS_SLOPE = -0.5, 0.75
#: The sound's grain in a drawing's own light, and the drawing's shading in the sound.
GRAIN, SHADING = 0.25, 0.15
#: A sound's loudest parts are lifted to this, by at most so much; what is darker than QUIET is lifted less,
#: black not at all, so that silence stays silent.
LOUD, LIFT, QUIET = 0.95, 0.2, 0.15
#: A drawing's tones are stretched so that this share of the canvas is not lighter than white; it is opaque
#: from this tone on.
WHITE, OPAQUE = 0.95, 0.3
#: Columns on either side of where a sound's end meets its beginning in which they fade into each other; in
#: the embedded family a quarter of a second.
FADE = 24
#: Least light that a level is divided by.
FAINT = 0.1


def inlaid(
    drawing: Tensor,
    sound: Tensor,
    share: float,
    stride: int = 1,
    *,
    turned: bool = True,
    cyclic: bool = False,
) -> Tensor:
    """A drawing inlaid into a sound; both pictures in [0, 1].

    The sound is first turned around in time to where it shares least light with the drawing; where its end
    then meets its beginning, both fade into each other, unless they meet without a step already.

    Args:
        drawing: (batch, channels, bands, columns).
        sound: Likewise, with as many channels or one.
        share: Of the sound, 0 to 1. More of it dims the drawing and keeps more sound inside.
        stride: Columns between the moments at which the sound may begin.
        turned: Off: the sound stays where it is in time.
        cyclic: The sound's end meets its beginning.
    """
    light, keeps = form(share)
    tones = (drawing / level(drawing, WHITE)).clamp(0, 1)
    if turned:
        sound = best_shift(drawing, sound if cyclic else looped(sound), stride)
    sound = lifted(sound)
    grain = (1 - GRAIN) + GRAIN * (sound / level(sound, 0.9)).clamp(max=1)
    within = torch.maximum(keeps * sound * ((1 - SHADING) + SHADING * tones), light * tones * grain)
    opaque = (tones / OPAQUE).clamp(max=1)
    return (sound * (1 - opaque) + within * opaque).clamp(0, 1)


def form(share: float) -> tuple[float, float]:
    """How light a drawing is at most and what the sound keeps inside it, at a share of the sound.

    >>> form(0.5)
    (0.7, 0.85)
    """
    light, keeps = LIGHT + LIGHT_SLOPE * (share - 0.5), KEEPS + KEEPS_SLOPE * (share - 0.5)
    return min(1.0, light), min(1.0, keeps)


def looped(sound: Tensor) -> Tensor:
    """Each sound with ends that meet without a step when it is turned around in time."""
    count = min(FADE, sound.shape[-1] // 2)
    own = 0.5 + 0.5 * (torch.arange(count) + 0.5) / max(1, count)
    first, last = sound[..., :count], sound[..., sound.shape[-1] - count :].flip(-1)
    middle = sound[..., count : sound.shape[-1] - count]
    ends = (own * last + (1 - own) * first).flip(-1)
    return torch.cat([own * first + (1 - own) * last, middle, ends], -1)


def lifted(sound: Tensor) -> Tensor:
    """Each sound as loud as it may be."""
    room = (LOUD - level(sound, 0.98)).clamp(0, LIFT)
    return (sound + room * (sound / QUIET).clamp(max=1)).clamp(max=1)


def level(picture: Tensor, share: float) -> Tensor:
    """How light so large a share of each picture's places is at most, (batch, 1, 1, 1)."""
    return picture.flatten(1).quantile(share, 1)[:, None, None, None].clamp(min=FAINT)


class Inlay:
    """See `verbs.compose.run.Blend`. With an audio weight of 0 or 1 only one canvas is left."""

    def shapes(self, run: ComposeRun) -> tuple[tuple[int, ...], ...]:
        """The drawing's canvas and the sound's, equally wide."""
        whole = run.image.latent_shape(run.settings.height, run.settings.width)
        return (whole, whole) if 0 < run.settings.audio_weight < 1 else (whole,)

    def denoiser(self, run: ComposeRun, guides: Guides) -> Denoiser:
        """Each canvas's own model, as soon as that model is active."""
        return Lighten().denoiser(run, guides)

    def read(self, run: ComposeRun, latents: Sequence[Tensor]) -> Finished:
        """The drawing inside the sound, which plays as it is shown."""
        if len(latents) == 1:
            return Lighten().read(run, latents)
        drawn, own = (run.without_cutoff(each) for each in latents)
        drawing, sound = run.both(drawn, own)
        settings, stride = run.settings, run.image.vae_scale_factor
        turned = not settings.scenes and run.own is None
        shown = inlaid(drawing, sound, settings.audio_weight, stride, turned=turned, cyclic=settings.loop)
        return run.finished(shown, {"latents": drawn, "audio_latents": own})


BLEND = Inlay()
