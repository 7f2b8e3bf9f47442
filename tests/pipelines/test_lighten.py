"""Two pictures as one: what shows, what is dimmed, and where a sound is turned to."""

import pytest
import torch

from eidophone.pipelines.lighten import lighter, turned

EVENT, BLANK = torch.zeros(1, 1, 8, 24), torch.zeros(1, 3, 8, 24)
EVENT[..., 4:8] = 0.9


@pytest.mark.parametrize(("share", "levels"), [(0.5, (1.0, 1.0)), (0.25, (1.0, 0.5)), (0.8, (0.4, 1.0))])
def test_the_smaller_share_is_dimmed(share: float, levels: tuple[float, float]) -> None:
    drawing, sound = torch.full((2, 3, 8, 24), 0.9), torch.full((2, 1, 8, 24), 0.9)
    none = torch.zeros(2, 3, 8, 24)
    assert torch.allclose(lighter(drawing, 0 * sound, share), levels[0] * drawing)
    assert torch.allclose(lighter(none, sound, share), levels[1] * sound.expand(-1, 3, -1, -1))
    assert torch.allclose(lighter(drawing, sound, share), drawing)


def test_a_sound_goes_where_nothing_is_drawn() -> None:
    drawing = BLANK.clone()
    drawing[..., :16] = 1.0
    moved = turned(drawing, EVENT)
    assert torch.equal(torch.minimum(drawing, moved), BLANK)
    assert torch.equal(moved.sort(-1).values, EVENT.sort(-1).values)


def test_a_sound_with_room_stays() -> None:
    drawing = BLANK.clone()
    drawing[..., 20:] = 1.0
    assert torch.equal(turned(drawing, EVENT), EVENT)
    assert torch.equal(turned(BLANK, EVENT), EVENT)


def test_every_sound_of_a_batch_is_turned_for_its_own_drawing() -> None:
    drawing = torch.rand(3, 3, 8, 24, generator=torch.Generator().manual_seed(0)).round()
    sound = torch.rand(3, 1, 8, 24, generator=torch.Generator().manual_seed(1))
    whole = turned(drawing, sound)
    for n in range(3):
        assert torch.equal(turned(drawing[n : n + 1], sound[n : n + 1]), whole[n : n + 1])


def test_moments_are_whole_strides() -> None:
    drawing = BLANK.clone()
    drawing[..., :7] = 1.0
    moved = turned(drawing, EVENT, stride=8)
    assert torch.equal(moved, EVENT.roll(8, -1))
