"""Laws of the measure that a drawing beside a sound must not pass."""

import numpy as np
import pytest
import torch

from eidophone.core.values import Clip, Floats
from eidophone.media.mel import MelSpec
from eidophone.media.spectrogram import log_mel_from_picture
from eidophone.media.vocoder import GriffinLim
from eidophone.scoring.one_canvas import SHARES, Sighting, coverage, cut_out, look, same_place

SPEC = MelSpec(
    rate_hz=22_050, n_fft=1024, win_length=1024, hop_length=256, n_mels=128, f_min=0, f_max=8000,
    floor=1e-3, ceiling=20.0,
)  # fmt: skip
COLUMNS, TONE_ROWS, DRAWN_ROWS = 448, slice(88, 90), slice(20, 60)


def tone(columns: int = COLUMNS) -> Floats:
    """A canvas with one loud steady tone."""
    canvas = np.zeros((128, columns), np.float32)
    canvas[TONE_ROWS] = 0.9
    return canvas


def blocks(*lefts: int, width: int = 80) -> Floats:
    """A canvas with the drawing: even blocks of noise above the tone's rows."""
    canvas = np.zeros((128, COLUMNS), np.float32)
    for left in lefts:
        canvas[DRAWN_ROWS, left : left + width] = 0.7
    return canvas


def eye(pictures: Floats) -> Floats:
    """Sees the drawing where a whole block stands in the picture, with dark around it above."""
    lit = (pictures[:, DRAWN_ROWS] > 0.5).all(1).sum(1)
    dark = pictures[:, :10].max((1, 2)) < 0.5
    return np.where((lit >= 60) & dark, lit / pictures.shape[2], 0).astype(np.float32)


def ear(clip: Clip) -> float:
    """Hears the tone if most of the energy lies near its pitch."""
    power = np.abs(np.fft.rfft(clip.mono())) ** 2
    hz = np.fft.rfftfreq(clip.samples.shape[1], 1 / clip.rate_hz)
    near = power[(hz > 600) & (hz < 1100)].sum() / max(power.sum(), 1e-9)
    return float(near) if near > 0.5 else 0.0


def played(canvas: Floats) -> Clip:
    """What a canvas sounds like."""
    sound = GriffinLim(SPEC, 4)(log_mel_from_picture(torch.from_numpy(canvas)[None], SPEC))
    return Clip(sound.numpy() / float(sound.abs().max()), SPEC.rate_hz)


def test_the_ear_hears_the_tone_and_not_the_drawing() -> None:
    """The judges of these tests are what they claim to be."""
    assert ear(played(tone())) > 0.5
    assert ear(played(blocks(0))) == 0
    assert eye(blocks(0)[None])[0] > 0
    assert eye(tone()[None])[0] == 0


def test_a_collage_fails_both_measures() -> None:
    """A drawing on the left, the sound beside it: seen and heard, but neither wide nor in one place."""
    collage = blocks(10)
    collage[:, 100:] = tone()[:, 100:]
    clip = played(collage)
    assert eye(collage[None])[0] > 0
    assert ear(clip) > 0.5
    seen = look(collage, eye)
    assert coverage(seen, COLUMNS) < 0.5
    place = same_place(seen, clip, COLUMNS, ear)
    assert place is not None
    assert place.columns.stop <= COLUMNS // 2
    assert place.heard == 0


def test_a_drawing_made_of_the_sound_passes_both_measures() -> None:
    """Blocks over the whole width, the tone loud in all of them."""
    whole = np.maximum(blocks(10, 120, 230, 340) * 0.5 / 0.7 + 0.01, tone())
    clip = played(whole)
    seen = look(whole, lambda p: eye(p * 1.2))
    assert coverage(seen, COLUMNS) >= 0.5
    place = same_place(seen, clip, COLUMNS, ear)
    assert place is not None
    assert place.heard > 0.5


def test_two_drawings_beside_a_sound_are_found_but_not_heard() -> None:
    """A collage whose drawing is wide still fails where it is seen."""
    collage = blocks(0, 90, 180)
    collage[:, 270:] = tone()[:, 270:]
    place = same_place(look(collage, eye), played(collage), COLUMNS, ear)
    assert place is not None
    assert place.heard == 0


def test_nothing_seen_covers_nothing() -> None:
    """A plain sound has no drawing anywhere."""
    seen = look(tone(), eye)
    assert seen is None
    assert coverage(seen, COLUMNS) == 0
    assert same_place(seen, played(tone()), COLUMNS, ear) is None


def test_what_is_seen_only_in_the_whole_has_no_place() -> None:
    """Nobody can say where it stands, so it does not count as wide."""
    seen = look(tone(), lambda pictures: np.full(len(pictures), pictures.shape[2] == COLUMNS, np.float32))
    assert seen is not None
    assert seen.share == 1
    assert coverage(seen, COLUMNS) == 0


def test_the_narrowest_width_in_which_it_is_seen_is_taken() -> None:
    """Wider windows are not asked once a narrower one shows the thing."""
    asked = []

    def _eye(pictures: Floats) -> Floats:
        asked.append(pictures.shape[2] / COLUMNS)
        return np.full(len(pictures), pictures.shape[2] >= COLUMNS * 0.375, np.float32)

    seen = look(tone(), _eye)
    assert seen is not None
    assert asked == list(SHARES[:2])


@pytest.mark.parametrize(("sure", "share"), [([1, 1, 1, 1], 1.0), ([1, 0, 0, 0], 0.25), ([0, 0, 0, 0], 0.0)])
def test_coverage_counts_columns(sure: list[float], share: float) -> None:
    """Four windows that do not overlap."""
    seen = Sighting(0.25, (0, 100, 200, 300), 100, np.array(sure, np.float32))
    assert coverage(seen, 400) == share


def test_coverage_takes_the_majority_of_overlapping_windows() -> None:
    """A narrow drawing is seen by windows that also hold much beside it; these columns do not count."""
    begins = tuple(range(0, 301, 25))
    sure = np.array([100 <= first + 50 <= 200 for first in begins], np.float32)
    found = coverage(Sighting(0.25, begins, 100, sure), 400)
    assert 0.2 <= found <= 0.4


def test_a_part_is_repeated_until_it_lasts_three_seconds() -> None:
    """Half a second comes six times; what is longer stays as it is."""
    clip = Clip(np.ones((1, 40_000), np.float32), 10_000)
    short, long = cut_out(clip, slice(0, 50), 400), cut_out(clip, slice(0, 400), 400)
    assert short.samples.shape[1] == 30_000
    assert np.array_equal(short.samples[:, :5000], short.samples[:, 5000:10_000])
    assert long.samples.shape[1] == 40_000
    assert clip.samples.min() == 1  # the sound itself is not faded
