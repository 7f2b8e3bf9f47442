"""A picture on a canvas: what is kept, what is cropped, and its tones."""

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from eidophone.core.values import Picture
from eidophone.media.fitting import fitted, toned
from eidophone.media.ssim import ssim

RANDOM = np.random.default_rng(5)
EVERYWHERE = np.ones((8, 8), bool)


def framed(height: int, width: int) -> Picture:
    """Grey with a white frame, so that a crop shows."""
    pixels = np.full((height, width, 3), 0.3, np.float32)
    pixels[:4], pixels[-4:], pixels[:, :4], pixels[:, -4:] = 1, 1, 1, 1
    return Picture(pixels)


@pytest.mark.parametrize("size", [(120, 40), (40, 120), (64, 64)])
def test_contain_keeps_the_whole_picture_and_its_proportions(size: tuple[int, int]) -> None:
    found = fitted(framed(*size), 32, 96, "contain")
    rows, columns = np.flatnonzero(found.inside.any(1)), np.flatnonzero(found.inside.any(0))
    assert len(columns) / len(rows) == pytest.approx(size[1] / size[0], rel=0.05)
    part = found.picture.gray()[np.ix_(rows, columns)]
    for edge in (part[0], part[-1], part[:, 0], part[:, -1]):
        assert edge.min() > 0.6
    assert found.picture.gray()[~found.inside].max(initial=0) == 0
    assert found.lost == 0


def test_cover_fills_the_canvas_and_says_what_is_lost() -> None:
    found = fitted(framed(120, 120), 32, 96, "cover")
    assert found.inside.all() and found.lost == pytest.approx(2 / 3, abs=0.01)
    assert found.picture.gray()[0, 8:-8].max() < 0.5  # the upper frame is gone
    assert found.picture.gray()[:, 0].min() > 0.6


def test_stretch_keeps_everything() -> None:
    found = fitted(framed(120, 120), 32, 96, "stretch")
    assert found.inside.all() and found.lost == 0
    assert found.picture.gray()[0].min() > 0.6 and found.picture.gray()[:, 0].min() > 0.6


def test_levels_make_shadows_silent_and_lights_loud() -> None:
    veiled = (0.4 + 0.2 * RANDOM.random((8, 8))).astype(np.float32)
    found = toned(veiled, EVERYWHERE)
    assert found.min() == 0 and found.max() == 1
    assert np.array_equal(np.argsort(veiled, None)[5:-5], np.argsort(found, None)[5:-5])
    plain = toned(veiled, EVERYWHERE, levels=False)
    assert np.allclose(plain, veiled, atol=1e-6)


def test_brightness_contrast_and_gamma_move_tones_as_their_names_say() -> None:
    gray = np.linspace(0.1, 0.9, 64, dtype=np.float32).reshape(8, 8)
    plain = {"gray": gray, "inside": EVERYWHERE, "levels": False}
    assert np.allclose(toned(**plain, brightness=0.05), gray + 0.05, atol=1e-6)
    assert toned(**plain, contrast=1.2).std() == pytest.approx(1.2 * gray.std(), rel=1e-3)
    assert np.allclose(toned(**plain, gamma=2), gray**2, atol=1e-6)


def test_tones_beside_the_picture_stay_black() -> None:
    inside = EVERYWHERE.copy()
    inside[:, :3] = False
    assert not toned(np.ones((8, 8), np.float32), inside, brightness=0.5)[:, :3].any()


@pytest.mark.parametrize("noise", [0.0, 0.1, 1.0])
def test_similarity_is_that_of_scikit_image(noise: float) -> None:
    a = RANDOM.random((40, 60)).astype(np.float32)
    b = np.clip(a + noise * RANDOM.standard_normal(a.shape), 0, 1).astype(np.float32)
    wanted = structural_similarity(a.astype(np.float64), b.astype(np.float64), data_range=1.0)
    assert ssim(a, b) == pytest.approx(wanted, abs=1e-6)
