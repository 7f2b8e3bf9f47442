"""Laws of films between views: they start at one picture, end at the other, and nothing is lost on the way."""

from pathlib import Path

import av
import numpy as np
import pytest
import torch

from eidophone.core.values import Clip, Picture
from eidophone.diffusion.chains import places, view_of
from eidophone.media.morph import SHOWN_S, TURN_S, Scene, between, scene_of, write_morph

RANDOM = np.random.default_rng(0)
PICTURE = Picture(RANDOM.random((32, 48, 3), np.float32))
VIEWS = (["flip"], ["mirror"], ["rotate"], ["jigsaw"], ["rows"], ["negate"], ["skew"], ["flip", "bands"])


def scene(names: list[str], picture: Picture = PICTURE, clip: Clip | None = None) -> Scene:
    view = view_of(names)
    seen = view.seen(torch.from_numpy(picture.pixels).permute(2, 0, 1)).permute(1, 2, 0).contiguous().numpy()
    return scene_of(Picture(seen), clip, "+".join(names), places(view, *picture.pixels.shape[:2]).numpy())


@pytest.mark.parametrize("names", VIEWS, ids="+".join)
def test_a_turn_begins_and_ends_with_the_two_pictures(names: list[str]) -> None:
    other = scene(names)
    starts, ends = (between(PICTURE, other, moment).pixels for moment in (0, 1))
    assert np.abs(_middle(starts, PICTURE.pixels.shape) - PICTURE.pixels).max() < 1 / 200
    assert np.abs(_middle(ends, other.picture.pixels.shape) - other.picture.pixels).max() < 1 / 200


def _middle(pixels: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    top, left = ((a - b) // 2 for a, b in zip(pixels.shape[:2], shape[:2], strict=True))
    return pixels[top : top + shape[0], left : left + shape[1]]


def test_half_way_through_a_flip_all_rows_meet_in_the_middle() -> None:
    half = between(PICTURE, scene(["flip"]), 0.5).pixels
    lit = np.flatnonzero(half.any((1, 2)))
    assert set(lit) <= {15, 16} and len(lit)


@pytest.mark.parametrize("names", VIEWS, ids="+".join)
def test_colours_on_the_way_lie_between_those_of_both_pictures(names: list[str]) -> None:
    gray = Picture(np.full((32, 48, 3), 0.5, np.float32))
    seen = between(gray, scene(names, gray), 0.3).pixels
    assert np.isclose(seen[seen > 0], 0.5, atol=1 / 200).all()


def test_a_film_holds_every_scene_and_its_sound(tmp_path: Path) -> None:
    rate, tone = 8000, np.sin(np.arange(8000) / 5).astype(np.float32)[None]
    clip, reply = Clip(tone * 0.9, rate), Clip(tone[:, :4000] * 0.5, rate)
    scenes = [scene_of(PICTURE, clip, "castle / bell"), scene(["flip"]), scene(["mirror"], clip=reply)]
    write_morph(tmp_path / "a.mp4", scenes, fps=10)
    write_morph(tmp_path / "b.mp4", scenes, fps=10)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()
    with av.open(str(tmp_path / "a.mp4")) as film:
        count = sum(1 for _ in film.decode(video=0))
    seconds = 1 + TURN_S + SHOWN_S + 2 * TURN_S + 0.5 + TURN_S
    assert count == round(10 * seconds)
    with av.open(str(tmp_path / "a.mp4")) as film:
        blocks = list(film.decode(audio=0))
    sound, rate = np.concatenate([block.to_ndarray() for block in blocks], 1)[0], blocks[0].sample_rate
    moments = [slice(round(s * rate), round((s + 0.3) * rate)) for s in (0.3, 2, 4, 7.6, 8.5)]
    loud = [float(np.abs(sound[moment]).max()) for moment in moments]
    assert [level > 0.3 for level in loud] == [True, False, False, True, False]


def test_a_film_of_one_scene_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="another scene"):
        write_morph(tmp_path / "a.mp4", [scene_of(PICTURE, Clip(np.zeros((1, 9), np.float32), 8000), "")])
