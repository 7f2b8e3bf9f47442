"""Colour that leaves the grey values alone, against a search pixel by pixel."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eidophone.core.values import Picture
from eidophone.media.color import with_gray
from eidophone.media.picture import to_bytes

SEEDS = st.integers(0, 2**32 - 1)


def drawn(seed: int, shape: tuple[int, int] = (4, 6)) -> tuple[Picture, np.ndarray]:
    rng = np.random.default_rng(seed)
    ends = rng.choice([0.0, 1.0], shape)
    gray = np.where(rng.random(shape) < 0.2, ends, rng.random(shape)).astype(np.float32)
    return Picture(rng.random((*shape, 3)).astype(np.float32) ** rng.uniform(0.1, 4)), gray


@settings(deadline=None)
@given(SEEDS)
def test_an_8_bit_file_has_exactly_the_gray_values(seed: int) -> None:
    colored, gray = drawn(seed)
    sums = to_bytes(with_gray(colored, gray)).astype(int).sum(2)
    np.testing.assert_array_equal(sums, 3 * to_bytes(Picture.from_gray(gray)).astype(int)[..., 0])


def test_as_much_colour_is_kept_as_fits() -> None:
    colored, gray = drawn(3)
    found = with_gray(colored, gray).pixels
    for y, x in np.ndindex(gray.shape):
        hue = colored.pixels[y, x] - colored.pixels[y, x].mean()
        level = np.floor(gray[y, x] * 255 + 0.5) / 255
        shares = np.linspace(0, 1, 501)
        fits = [s for s in shares if (level + s * hue >= -1e-9).all() and (level + s * hue <= 1 + 1e-9).all()]
        np.testing.assert_allclose(found[y, x], level + max(fits) * hue, atol=1.3 / 255)


def test_a_gray_picture_stays_as_it_is_and_a_fitting_one_too() -> None:
    gray = np.full((2, 2), 100 / 255, np.float32)
    np.testing.assert_array_equal(
        with_gray(Picture.from_gray(gray[::-1]), gray).pixels, Picture.from_gray(gray).pixels
    )
    red = np.array([180, 60, 60], np.float32) / 255
    kept = with_gray(Picture(np.broadcast_to(red, (2, 2, 3)).copy()), gray)
    assert kept.pixels[0, 0] == pytest.approx(red)
