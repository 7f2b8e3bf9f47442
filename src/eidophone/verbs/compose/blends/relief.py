"""A sound in relief: darker where the picture is dark, and filled with the picture's light where it is silent.

Made for your own picture and sound, which must both be recognised as they were. A sound's lines and bursts run
through the picture as they are, a little softer where the picture is dark; the gaps between them show the picture,
softer than the sound. This is not the published method: no model sees the other's canvas.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from eidophone.verbs.compose.blends.inlay import GRAIN, WHITE, Inlay, level, lifted
from eidophone.verbs.compose.blends.lighten import Lighten
from eidophone.verbs.compose.run import ComposeRun, Finished


def relief(picture: Tensor, sound: Tensor, share: float, beside: Tensor | None = None) -> Tensor:
    """A picture and a sound on one canvas; both in [0, 1].

    Args:
        picture: (batch, channels, bands, columns).
        sound: Likewise, with as many channels or one.
        share: Of the sound: 0 leaves the picture alone, 1 the sound.
        beside: Where there is no picture, so that the sound stays as it is, (1, 1, bands, columns), 0 to 1.
    """
    light, shade = 1 - share, (1 - share) ** 2
    tones = (picture / level(picture, WHITE)).clamp(0, 1)
    dark = 1 - tones if beside is None else (1 - tones) * (1 - beside)
    grain = (1 - GRAIN) + GRAIN * (sound / level(sound, 0.9)).clamp(max=1)
    return torch.maximum(sound * (1 - shade * dark), light * tones * grain).clamp(0, 1)


class Relief(Inlay):
    """See `verbs.compose.run.Blend`. Without the user's material, a weight of 0 or 1 leaves only one canvas."""

    def shapes(self, run: ComposeRun) -> tuple[tuple[int, ...], ...]:
        """The drawing's canvas and the sound's, equally wide."""
        whole = run.image.latent_shape(run.settings.height, run.settings.width)
        return super().shapes(run) if run.own is None else (whole, whole)

    def read(self, run: ComposeRun, latents: Sequence[Tensor]) -> Finished:
        """The sound in relief, which plays as it is shown."""
        if len(latents) == 1:
            return Lighten().read(run, latents)
        drawn, own = (run.without_cutoff(each) for each in latents)
        drawing, sound = run.both(drawn, own)
        if run.own is None or run.own.mel is None:
            sound = lifted(sound)
        beside = None if run.own is None or run.own.beside is None else run.view.apply(run.own.beside)
        beside = beside if beside is None else beside[..., : sound.shape[-1]]
        shown = relief(drawing, sound, run.settings.audio_weight, beside)
        return run.finished(shown, {"latents": drawn, "audio_latents": own})


BLEND = Relief()
