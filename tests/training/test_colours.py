"""The coloured lessons: grey stays grey under a tint, and a caption's colour is the one that is seen."""

import numpy as np
import pytest
import skimage.color

from training.data.colour_canvas import SCENES, ColourPack, colour_canvas
from training.data.colours import dominant, hue_of, painted, palette, pure, saturation_of, tint_of, turned
from training.data.pictures import coloured_concepts
from training.data.textures import HEIGHT, WIDTH

HUES = np.arange(0.0, 360.0, 15.0)


def test_hue_and_saturation_are_those_that_were_asked_for() -> None:
    np.testing.assert_allclose(hue_of(pure(HUES)), HUES, atol=1e-3)
    np.testing.assert_allclose(saturation_of(0.4 * pure(HUES)), 0.4, atol=1e-6)
    np.testing.assert_allclose(turned(0.4 * pure(HUES), 30.0), 0.4 * pure(HUES + 30), atol=1e-5)


def test_primary_hues_agree_with_hsv() -> None:
    for hue in range(0, 360, 60):
        seen = painted(np.full((1, 1), 0.25), 0.9 * pure(float(hue)))
        assert skimage.color.rgb2hsv(seen)[0, 0, 0] * 360 == pytest.approx(hue, abs=0.1)


def test_paint_never_changes_the_channel_mean() -> None:
    rng = np.random.default_rng(0)
    grey = rng.random((20, 30))
    picture = painted(grey, pure(360 * rng.random(grey.shape)) * rng.random(grey.shape)[..., None])
    np.testing.assert_allclose(picture.mean(-1), grey, atol=1e-6)
    assert 0 <= picture.min() <= picture.max() <= 1


def test_a_tint_does_not_change_with_light() -> None:
    tint = 0.5 * pure(np.array([[200.0]]))
    for light in (0.2, 0.5):
        np.testing.assert_allclose(tint_of(painted(np.full((1, 1), light), tint)), tint, atol=0.06)


@pytest.mark.parametrize("name", palette())
def test_a_picture_in_one_colour_is_called_so(name: str) -> None:
    colour = palette()[name]
    grey = np.full((4, 4), min(colour.lightest, 0.5) * 0.8)
    found = dominant(painted(grey, np.mean(colour.saturation) * pure(colour.hue)), np.ones((4, 4)))
    assert found is not None
    assert found[0].name == name


def test_a_grey_picture_has_no_colour() -> None:
    assert dominant(np.full((4, 4, 3), 0.6), np.ones((4, 4))) is None


def test_a_caption_names_the_colour_that_is_seen() -> None:
    tables = coloured_concepts()
    pack = ColourPack.made_up(tables)
    right = told = 0
    for number in range(24):
        made = colour_canvas(pack, (3, number), [n for n in tables if n not in SCENES][number])
        assert made.picture.shape == (HEIGHT, WIDTH, 3)
        if "grey" in made.caption or "gray" in made.caption or "black and white" in made.caption:
            assert np.ptp(made.picture, -1).max() < 1e-5
        elif made.colour:
            assert any(word in made.caption for word in palette()[made.colour].words)
            found = dominant(made.picture, made.picture.mean(-1))
            told, right = told + 1, right + (found is not None and found[0].name == made.colour)
    assert told >= 12
    assert right >= told / 2  # the ground may be larger and of another colour; chance is one in nine
