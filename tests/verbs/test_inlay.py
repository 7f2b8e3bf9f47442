"""Laws of a drawing that is inlaid into a sound."""

import pytest
import torch
from torch import Tensor

from eidophone.verbs.compose.blends.inlay import FADE, LIFT, form, inlaid, lifted, looped


def drawing() -> Tensor:
    """Two grey blocks on black."""
    made = torch.zeros(2, 3, 16, 48)
    made[..., 4:12, 6:16] = made[..., 4:12, 30:40] = 0.8
    return made


def sound(level: float = 0.6) -> Tensor:
    """Lines on a dark ground."""
    made = torch.full((2, 1, 16, 48), 0.02)
    made[..., ::4, :] = level
    return made


def test_outside_a_drawing_the_sound_stays_whole() -> None:
    """Only its loudness changes, and the drawing is seen everywhere inside, on both blocks."""
    canvas = inlaid(drawing(), sound(), 0.5)
    empty = drawing().amax(1, keepdim=True).expand_as(canvas) == 0
    assert torch.equal(canvas[empty], lifted(sound()).expand_as(canvas)[empty])
    quiet = lifted(sound()).expand_as(canvas) < 0.1
    assert (canvas[~empty & quiet] > 0.45).all()
    assert float(canvas.max()) <= 1


def test_inside_a_drawing_the_sound_keeps_its_lines() -> None:
    """What was a line of the sound is still lighter than the drawing around it."""
    inside = inlaid(drawing(), sound(0.9), 0.6)[..., 4:12, 8:14]
    assert (inside[..., 0, :] > inside[..., 1, :]).all()


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.8, 1.0])
def test_more_of_the_sound_dims_the_drawing_and_keeps_more(share: float) -> None:
    """Both stay in range, and move one way."""
    light, keeps = form(share)
    assert 0 < light <= 1
    assert 0 < keeps <= 1
    more = form(min(1.0, share + 0.1))
    assert more[0] <= light
    assert more[1] >= keeps


def test_silence_stays_silent_and_nothing_is_lifted_too_far() -> None:
    """A canvas without sound is not lifted at all."""
    assert torch.equal(lifted(torch.zeros(1, 1, 4, 8)), torch.zeros(1, 1, 4, 8))
    assert float((lifted(sound(0.3)) - sound(0.3)).max()) <= LIFT + 1e-6


def test_samples_do_not_depend_on_their_batch() -> None:
    """Each is inlaid by its own levels."""
    both = inlaid(drawing() * torch.tensor([1.0, 0.5])[:, None, None, None], sound(), 0.5)
    alone = inlaid(drawing()[1:] * 0.5, sound()[1:], 0.5)
    assert torch.allclose(both[1:], alone)


def test_the_ends_of_a_looped_sound_meet_without_a_step() -> None:
    """A ramp has the largest step where its end meets its beginning; its middle stays as it is."""
    ramp = torch.linspace(0, 1, 200).expand(1, 1, 4, 200)
    loop = looped(ramp)
    assert loop.shape == ramp.shape
    assert torch.equal(loop[..., FADE:-FADE], ramp[..., FADE:-FADE])
    assert float((loop[..., 0] - loop[..., -1]).abs().max()) < 0.03
    assert float(loop.diff(dim=-1).abs().max()) < 0.04
