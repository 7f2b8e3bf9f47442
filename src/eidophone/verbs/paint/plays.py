"""A painting that plays like the recording it was painted from.

The recording is set in relief: its lines and bursts run through the painting, and the painting's light fills the gaps
(`verbs.compose.blends.relief`). Both sides are optimised: the weights of the caption's words, so that the painted
canvas, played, stays like the recording (with the gradient through relief, vocoder and embedder), and in the end the
share of the painting, as much as the sound bears.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from eidophone.core.errors import BadInput
from eidophone.core.values import Clip, Floats, Picture, Result
from eidophone.media.color import with_gray
from eidophone.media.mel import MelSpec
from eidophone.media.spectrogram import log_mel_from_picture
from eidophone.media.vocoder import Vocoder
from eidophone.models.embedders.contract import Embedder
from eidophone.verbs.compose.blends.relief import relief
from eidophone.verbs.shared.likeness import Likeness

#: The widest canvas, because the painting is sampled with gradients.
WIDEST = 2048
#: Least difference of channels in a picture that has colours.
COLOR = 1 / 255
#: Strength while the words are weighed, where the user names none.
WALKED = 0.5
#: Strengths that are tried, strongest first, and the similarity to the replayed recording that is enough. Above 0.4
#: a tagger rarely hears the same, whatever the embedder says (docs/journal.md).
STRENGTHS, ENOUGH = (0.4, 0.35, 0.3, 0.25, 0.2, 0.15, 0.1), 0.9


@dataclass(frozen=True)
class Plays:
    """The recording that a painting is set into.

    Attributes:
        sound: Its mel picture, (1, 1, bands, columns) in [0, 1].
        heard: Unit vector of what this mel picture plays, (1, dimensions).
        listener: Embeds sounds.
        vocoder, spec: Play a mel picture.
        strength: Share of the painting, 0 to 1.
    """

    sound: Tensor
    heard: Tensor
    listener: Embedder
    vocoder: Vocoder
    spec: MelSpec
    strength: float

    def canvas(self, picture: Tensor, strength: float | None = None) -> Tensor:
        """What plays, (1, bands, columns), of a painting (1, 3, bands, columns)."""
        share = 1 - (self.strength if strength is None else strength)
        found: Tensor = relief(picture.mean(1, keepdim=True), self.sound.to(picture), share)[:, 0]
        return found

    def similarity(self, canvas: Tensor) -> Tensor:
        """Cosine of a canvas, played, and the recording, replayed; shape (). With gradients."""
        return (embedded(canvas, self.listener, self.vocoder, self.spec) * self.heard).sum()

    @torch.no_grad()
    def strongest(self, picture: Tensor) -> float:
        """The largest share of the painting that the sound bears."""
        for strength in STRENGTHS:
            if float(self.similarity(self.canvas(picture, strength))) >= ENOUGH:
                return strength
        return STRENGTHS[-1]


def embedded(canvas: Tensor, listener: Embedder, vocoder: Vocoder, spec: MelSpec) -> Tensor:
    """What a canvas (1, bands, columns) sounds like, (1, dimensions)."""
    return listener.sound(vocoder(log_mel_from_picture(canvas, spec)), spec.rate_hz)


def set_into(
    spectrogram: Floats, listener: Embedder, vocoder: Vocoder, spec: MelSpec, strength: float, factor: int
) -> Plays:
    """A recording for paintings, silent to the next whole block of the VAE.

    Args:
        spectrogram: Its mel picture, (bands, columns).
        listener, vocoder, spec, strength: See `Plays`.
        factor: Pixels per latent cell.

    Raises:
        BadInput: it is too long.
    """
    columns = spectrogram.shape[1]
    if columns > WIDEST:
        raise BadInput(
            f"--plays: the recording is {spec.seconds(columns):.1f} s long, and a painting spans "
            f"{spec.seconds(WIDEST):.1f} s at most; choose a part with --duration-s."
        )
    sound = F.pad(torch.from_numpy(spectrogram), (0, -columns % factor))
    with torch.no_grad():
        heard = embedded(sound[None], listener, vocoder, spec)
    return Plays(sound[None, None], heard, listener, vocoder, spec, strength)


def playing(result: Result, plays: Plays, likeness: Likeness, strength: float | None) -> Result:
    """A painting's result whose picture plays like its recording; the painting alone is kept beside it.

    Args:
        result: Holds the painting, and the recording with its mel picture.
        plays: The recording that the painting is set into.
        likeness: Measures what the canvas sounds like.
        strength: Share of the painting; None: as much as the sound bears.
    """
    painting = torch.from_numpy(result.picture.pixels).permute(2, 0, 1)[None]
    strength = plays.strongest(painting) if strength is None else strength
    canvas, columns = plays.canvas(painting, strength), result.spectrogram.shape[1]
    clip, gray = _played(canvas, columns, plays), canvas[0, :, :columns].contiguous().numpy()
    facts = result.facts | {"strength": strength} | likeness.facts(result.clip, clip)
    facts["summary"] = f"{facts['caption']} (similarity to the recording {facts['sound_similarity']:.2f})"
    painted = Picture(result.picture.pixels[:, :columns].copy())
    colored = float(np.ptp(painted.pixels, axis=2).max()) > COLOR
    beside = {"painting": painted, "recording-spectrogram": Picture.from_gray(result.spectrogram)}
    return replace(
        result,
        picture=with_gray(painted, gray) if colored else Picture.from_gray(gray),
        spectrogram=gray,
        clip=clip,
        facts=facts,
        arrays=result.arrays | {"spectrogram": gray, "sound": clip.samples[0]},
        extras=result.extras | beside,
        film=None,
    )


def _played(canvas: Tensor, columns: int, plays: Plays) -> Clip:
    """The sound of a canvas, scaled down where it is above full scale."""
    with torch.inference_mode():
        sound = plays.vocoder(log_mel_from_picture(canvas, plays.spec))
    samples = (sound / sound.abs().max().clamp(min=1)).cpu().numpy()
    return Clip(samples[:, : columns * plays.spec.hop_length].copy(), plays.spec.rate_hz)
