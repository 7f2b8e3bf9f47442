"""Two pictures as one: what shows, what is dimmed, and where a sound is best_shift to."""

import pytest
import torch

from eidophone.verbs.compose.blends.lighten import (
    BOOST,
    FULL,
    GRAIN,
    GROUND,
    HEADROOM,
    MARGIN,
    best_shift,
    lighten,
    limit_brightness,
    louder,
    modulate,
    move_to_start,
    smaller,
)

EVENT, BLANK = torch.zeros(1, 1, 8, 24), torch.zeros(1, 3, 8, 24)
EVENT[..., 4:8] = 0.9


@pytest.mark.parametrize(("share", "levels"), [(0.5, (1.0, 1.0)), (0.25, (1.0, 0.5)), (0.8, (0.4, 1.0))])
def test_the_smaller_share_is_dimmed(share: float, levels: tuple[float, float]) -> None:
    drawing, sound = torch.full((2, 3, 8, 24), FULL), torch.full((2, 1, 8, 24), FULL)
    none = torch.zeros(2, 3, 8, 24)
    quiet = levels[0] * HEADROOM * (1 - GRAIN) * drawing
    assert torch.allclose(lighten(drawing, 0 * sound, share, size=1), quiet)
    assert torch.allclose(lighten(none, sound, share, size=1), levels[1] * sound.expand(-1, 3, -1, -1))
    assert torch.allclose(lighten(drawing, sound, share, size=1), drawing)


def test_a_sound_goes_where_nothing_is_drawn() -> None:
    drawing = BLANK.clone()
    drawing[..., :16] = 1.0
    moved = best_shift(drawing, EVENT)
    assert torch.equal(torch.minimum(drawing, moved), BLANK)
    assert torch.equal(moved.sort(-1).values, EVENT.sort(-1).values)


def test_a_sound_with_room_stays() -> None:
    drawing = BLANK.clone()
    drawing[..., 20:] = 1.0
    assert torch.equal(best_shift(drawing, EVENT), EVENT)
    assert torch.equal(best_shift(BLANK, EVENT), EVENT)


def test_every_sound_of_a_batch_is_turned_for_its_own_drawing() -> None:
    drawing = torch.rand(3, 3, 8, 24, generator=torch.Generator().manual_seed(0)).round()
    sound = torch.rand(3, 1, 8, 24, generator=torch.Generator().manual_seed(1))
    whole = best_shift(drawing, sound)
    for n in range(3):
        assert torch.equal(best_shift(drawing[n : n + 1], sound[n : n + 1]), whole[n : n + 1])


def test_moments_are_whole_strides() -> None:
    drawing = BLANK.clone()
    drawing[..., :7] = 1.0
    moved = best_shift(drawing, EVENT, stride=8)
    assert torch.equal(moved, EVENT.roll(8, -1))


def drawn(columns: range, level: float = 0.8, width: int = 64) -> torch.Tensor:
    canvas = torch.zeros(1, 3, 8, width)
    canvas[..., columns.start : columns.stop] = level * torch.linspace(0.4, 1, len(columns))
    return canvas


@pytest.mark.parametrize("columns", [range(20, 40), range(20), range(44, 64)])
def test_a_drawing_goes_to_the_beginning_whole(columns: range) -> None:
    moved = move_to_start(drawn(columns))
    assert torch.equal(moved, drawn(range(MARGIN, MARGIN + 20)))


def test_a_drawing_that_is_cut_by_the_edge_is_made_whole() -> None:
    assert torch.equal(move_to_start(drawn(range(20, 40)).roll(34, -1)), drawn(range(MARGIN, MARGIN + 20)))


@pytest.mark.parametrize("canvas", [drawn(range(64)), drawn(range(5, 60)), torch.zeros(1, 3, 8, 64)])
def test_a_canvas_without_an_empty_stretch_stays(canvas: torch.Tensor) -> None:
    assert torch.equal(move_to_start(canvas), canvas)


def test_every_drawing_moves_by_itself() -> None:
    both = torch.cat([drawn(range(10, 20)), drawn(range(30, 60))])
    assert torch.equal(move_to_start(both), torch.cat([move_to_start(one[None]) for one in both]))


@pytest.mark.parametrize("size", [0.25, 0.5, 0.8])
def test_a_smaller_drawing_leaves_the_rest_black(size: float) -> None:
    small = smaller(torch.ones(2, 3, 8, 64), size)
    high, wide = round(8 * size), round(64 * size)
    below = (8 - high) // 2
    assert torch.allclose(small[..., below : below + high, :wide], torch.tensor(1.0))
    assert float(small.sum()) == pytest.approx(2 * 3 * high * wide)


@pytest.mark.parametrize("size", [0.5, 0.65, 0.8, 0.85, 0.9, 0.99])
def test_white_stays_within_range_at_any_size(size: float) -> None:
    drawing = (torch.rand(4, 1, 128, 288, generator=torch.Generator().manual_seed(1)) + 0.5).clamp(max=1)
    drawing[:, :, 20:100, 10:200] = 1.0
    made = lighten(drawing, torch.full((4, 1, 128, 448), 0.9), 0.5, stride=64, size=size)
    assert float(made.max()) <= 1.0 and float(made.min()) >= 0.0


def test_a_drawing_of_full_size_stays() -> None:
    drawing = torch.rand(2, 3, 8, 64, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(smaller(drawing, 1.0), drawing)


def test_a_sound_with_a_longer_canvas_is_kept_whole_beside_a_drawing() -> None:
    drawing, sound = drawn(range(10, 50), level=1.0), torch.full((1, 1, 8, 160), 0.5)
    made = lighten(drawing, sound, 0.5, size=1)
    assert made.shape == (1, 3, 8, 160)
    assert torch.equal(made[..., 64:], louder(sound)[..., 64:].expand(-1, 3, -1, -1))
    assert torch.allclose(made[..., :64], lighten(drawing, sound[..., :64], 0.5, size=1))


def test_a_smaller_drawing_leaves_a_sound_more_room() -> None:
    drawing, sound = drawn(range(6, 60), level=1.0), torch.full((1, 1, 8, 64), 0.5)
    made = [lighten(drawing, sound, 0.5, size=size) for size in (1.0, 0.8, 0.5)]
    free = [(one == louder(sound)).float().mean() for one in made]
    assert free == sorted(free) and free[0] < free[1] < free[2]


def test_a_drawing_is_dimmed_over_a_quiet_sound_only() -> None:
    drawing = drawn(range(20, 40))
    sounds = torch.stack([torch.full((1, 8, 64), level) for level in (0.2, 0.8)])
    dimmed = limit_brightness(drawing.expand(2, -1, -1, -1), sounds)
    assert torch.allclose(dimmed[0], (0.2 + HEADROOM) * drawing[0])
    assert torch.equal(dimmed[1], drawing[0])


@pytest.mark.parametrize(("level", "gain"), [(0.4, BOOST), (FULL - 0.04, 0.04), (0.98, 0.0)])
def test_a_sound_is_turned_up_as_a_whole_and_no_further_than_full_scale(level: float, gain: float) -> None:
    sound = torch.full((1, 1, 8, 80), 0.2)
    sound[..., 60:] = level
    assert torch.allclose(louder(sound), sound + gain)


def test_a_sound_that_fills_the_canvas_is_not_turned_up_to_where_drawings_vanish() -> None:
    hiss = torch.rand(1, 1, 8, 80, generator=torch.Generator().manual_seed(0)) * 0.2 + 0.38
    hiss[..., :2] = 0.7
    assert float(louder(hiss).median()) == pytest.approx(GROUND, abs=1e-3)
    assert torch.equal(louder(hiss + 0.2), hiss + 0.2)


def test_silence_stays_silent_and_what_is_louder_stays_louder() -> None:
    ramp = torch.linspace(0, 0.6, 80).expand(1, 1, 8, 80)
    risen = louder(ramp)
    assert torch.equal(risen[..., 0], torch.zeros(1, 1, 8))
    assert (risen.diff() > 0).all()
    assert torch.equal(louder(torch.zeros(2, 1, 8, 24)), torch.zeros(2, 1, 8, 24))


def test_a_drawing_shows_the_lines_and_gaps_of_its_sound() -> None:
    drawing = drawn(range(20, 40), level=1.0)
    sound = torch.zeros(1, 1, 8, 64)
    sound[:, :, 2, :30] = 0.6
    made = modulate(drawing, sound)
    assert torch.allclose(made[:, :, 2], drawing[:, :, 2])
    assert torch.allclose(made[:, :, 5], (1 - GRAIN) * drawing[:, :, 5])
