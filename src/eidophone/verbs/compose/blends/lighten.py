"""A collage: each model denoises a canvas of its own, and the brighter pixel of the two is kept.

The drawing moves to the left edge and is scaled down; the sound is shifted in time to where the two overlap
least. Loudness is drawn in decibels, so where two sounds overlap the louder one is heard, which is the brighter
pixel. This is not the published method: no canvas is likely under both models.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from eidophone.diffusion.guidance import Blend, Denoiser, Part, SideBySide
from eidophone.verbs.compose.blends.average import Average
from eidophone.verbs.compose.options import DRAWING_SIZE
from eidophone.verbs.compose.run import ComposeRun, Finished, Guides

#: A column is empty where it has less than this share of the light of the lightest column.
EMPTY = 0.15
#: Empty columns that stay before a drawing that is moved.
MARGIN = 6
#: How much lighter than a sound's loudest parts a drawing may be; in the embedded family a quarter is 21 dB.
HEADROOM = 0.25
#: Share of a sound's places that are not louder than its loudest parts.
LOUDEST = 0.98
#: How deep the grain of a sound is pressed into a drawing; in the embedded family a tenth is 9 dB.
GRAIN = 0.1
#: How light a sound's loudest parts become where BOOST is enough for it, and by how much they are lightened
#: at most; in the embedded family a tenth is 9 dB.
FULL, BOOST = 0.95, 0.1
#: How light half of its places may become: before a lighter ground a drawing does not stand out.
GROUND = 0.5
#: What is darker is lightened less, black not at all, so that silence stays silent.
QUIET = 0.15


def lighten(
    drawing: Tensor, sound: Tensor, share: float, stride: int = 1, size: float = DRAWING_SIZE
) -> Tensor:
    """The lighter of two pictures in [0, 1]: a drawing at the beginning, and a sound in what room is left.

    Args:
        drawing: (batch, channels, bands, columns).
        sound: Likewise, with as many channels or one, and as many columns or more.
        share: Of the sound, 0 to 1. The one with the smaller share is dimmed; at a half none is.
        stride: Columns between the moments at which the sound may begin.
        size: Of the drawing, as a share of the canvas, above 0 to 1.
    """
    sound = louder(sound)
    drawing = limit_brightness(wider(smaller(move_to_start(drawing), size), sound.shape[-1]), sound)
    drawing, sound = min(1.0, 2 - 2 * share) * drawing, min(1.0, 2 * share) * sound
    return torch.maximum(modulate(drawing, sound, stride), best_shift(drawing, sound, stride))


def move_to_start(drawing: Tensor) -> Tensor:
    """Each drawing turned around in time so that its longest empty stretch is the canvas's end.

    Listeners need a stretch of sound with nothing beside it: a drawing in the middle leaves two short ones.
    A drawing without an empty stretch of twice MARGIN stays where it is.

    Args:
        drawing: (batch, channels, bands, columns) in [0, 1].
    """
    light = drawing.mean((1, 2))
    full = light >= EMPTY * light.amax(-1, keepdim=True)
    return torch.stack([one.roll(_shift(where), -1) for one, where in zip(drawing, full, strict=True)])


def _shift(full: Tensor) -> int:
    """Columns by which a drawing moves, of a row that says which of its columns are not empty."""
    places = full.nonzero()[:, 0]
    gaps = torch.diff(places, append=places[:1] + len(full)) - 1
    widest = int(gaps.argmax())
    begins = int(places[(widest + 1) % len(places)])
    return MARGIN - begins if int(gaps[widest]) >= 2 * MARGIN else 0


def smaller(drawing: Tensor, size: float) -> Tensor:
    """Each drawing made smaller, at the beginning, in the middle of the bands; black around it.

    Args:
        drawing: (batch, channels, bands, columns) in [0, 1].
        size: Of its height and width, above 0 to 1.
    """
    bands, columns = drawing.shape[-2:]
    high, wide = round(size * bands), round(size * columns)
    # rounding makes white a hair lighter than white
    small = F.interpolate(drawing, (high, wide), mode="bilinear", antialias=True).clamp(0, 1)
    below = (bands - high) // 2
    return F.pad(small, (0, columns - wide, below, bands - high - below))


def wider(drawing: Tensor, columns: int) -> Tensor:
    """Each drawing with its last column repeated, so that it is as wide as its sound.

    Args:
        drawing: (batch, channels, bands, columns).
        columns: Not fewer than it has.
    """
    return torch.cat([drawing, drawing[..., -1:].expand(-1, -1, -1, columns - drawing.shape[-1])], -1)


def limit_brightness(drawing: Tensor, sound: Tensor) -> Tensor:
    """Each drawing dimmed as a whole to at most HEADROOM above the loudest parts of its sound.

    Args:
        drawing, sound: As in `lighter`.
    """
    return drawing * (loudest(sound) + HEADROOM).clamp(max=1)


def louder(sound: Tensor) -> Tensor:
    """Each sound turned up towards full scale, as far as BOOST and GROUND allow.

    LowResCondition a drawing a soft sound is not heard, before a light one a drawing is not seen.

    Args:
        sound: (batch, channels, bands, columns) in [0, 1].
    """
    room = torch.minimum(FULL - loudest(sound), GROUND - _level(sound, 0.5))
    return (sound + room.clamp(0, BOOST) * (sound / QUIET).clamp(max=1)).clamp(max=1)


def loudest(sound: Tensor) -> Tensor:
    """How light the loudest parts of each sound are, (batch, 1, 1, 1)."""
    return _level(sound, LOUDEST)


def _level(sound: Tensor, share: float) -> Tensor:
    """How light so large a share of each sound's places is at most, (batch, 1, 1, 1)."""
    return sound.flatten(1).quantile(share, 1)[:, None, None, None]


def modulate(drawing: Tensor, sound: Tensor, stride: int = 1) -> Tensor:
    """Each drawing with the grain of its sound, turned to where most of it is covered.

    A tenth is hardly seen, but decibels are drawn: what plays in the drawing's place is the sound's own lines
    and gaps, not plain noise.

    Args:
        drawing, sound, stride: As in `lighter`.
    """
    grain = best_shift(drawing, sound, stride, most=True) / loudest(sound).clamp(min=1e-3)
    return drawing * (1 - GRAIN + GRAIN * grain.clamp(max=1))


def best_shift(drawing: Tensor, sound: Tensor, stride: int = 1, most: bool = False) -> Tensor:
    """Each sound turned around in time, its end before its beginning, to where the drawing leaves most room.

    What both pictures have in common is as little as it can be. Of equally good moments the earliest is
    taken, so that nothing moves without need.

    Args:
        drawing, sound: As in `lighter`.
        stride: Columns between the moments that are tried.
        most: The opposite: have as much in common as they can.
    """
    shifts = range(0, sound.shape[-1], stride)
    covered = torch.stack([torch.minimum(drawing, sound.roll(n, -1)).sum((1, 2, 3)) for n in shifts])
    best = (covered.argmax(0) if most else covered.argmin(0)).tolist()
    return torch.stack([one.roll(shifts[n], -1) for one, n in zip(sound, best, strict=True)])


class Lighten:
    """See `verbs.compose.blends.Blend`. With an audio weight of 0 or 1 only one canvas is left."""

    def shapes(self, run: ComposeRun) -> tuple[tuple[int, ...], ...]:
        """The drawing's canvas, as wide as its model is used to, and the sound's."""
        settings = run.settings
        whole = run.image.latent_shape(settings.height, settings.width)
        if not 0 < settings.audio_weight < 1:
            return (whole,)
        usual = run.image.source.defaults.canvas
        narrow = usual and run.view.rows == 1 and run.own is None
        drawn = min(settings.width, usual[1]) if usual and narrow else settings.width
        return run.image.latent_shape(settings.height, drawn), whole

    def denoiser(self, run: ComposeRun, guides: Guides) -> Denoiser:
        """Each canvas's own model, as soon as that model is active."""

        def _shared(share: float) -> Blend:
            return Blend(
                (
                    Part(guides.image, 1 - share, guides.image_window),
                    Part(guides.audio, share, guides.audio_window),
                )
            )

        own = run.own
        if len(run.shapes) == 1:
            both = _shared(run.settings.audio_weight)
            return both if own is None else own.hold(both)
        sides: tuple[Denoiser, Denoiser] = (_shared(0.0), _shared(1.0))
        if own is not None:
            sides = own.hold_picture(sides[0]), own.hold_sound(sides[1])
        return SideBySide(sides, tuple(shape[-1] for shape in run.shapes))

    def read(self, run: ComposeRun, latents: Sequence[Tensor]) -> Finished:
        """The brighter of both canvases, which plays as it is shown."""
        if len(latents) == 1:
            return Average().read(run, latents)
        own, settings = run.without_cutoff(latents[-1]), run.settings
        drawn = latents[0][..., : own.shape[-1]]
        drawing, sound = run.both(drawn, own)
        shown = lighten(
            drawing, sound, settings.audio_weight, run.image.vae_scale_factor, settings.drawing_size
        )
        return run.finished(shown, {"latents": drawn, "audio_latents": own})


BLEND = Lighten()
