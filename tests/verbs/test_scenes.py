"""Scenes: how they are written, what is refused, and how they share the columns."""

import pytest

from eidophone.core.errors import BadInput
from eidophone.verbs.compose.options import ComposeOptions
from eidophone.verbs.compose.scenes import Scene, scene_of, scene_shares, scenes_of

TWO = ("0-8: a castle / bells", "8-16: the sea / waves")


def test_a_scene_is_read() -> None:
    assert scene_of("1:30 - 2:00.5: a cat, 3/4 view / purring") == Scene(
        90, 120.5, "a cat, 3", "4 view / purring"
    )
    assert scene_of("0-2.5: a castle /") == Scene(0, 2.5, "a castle", "")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["0 to 8: a / b"], "is not a scene"),
        (["0-8: a castle"], "with / between them"),
        (["0-8: /"], "with / between them"),
        (["8-8: a / b"], "ends before it begins"),
        (["1-8: a / b"], "the first scene begins at 1 s"),
        (["0-8: a / b", "9-16: c / d"], "gap from 8 s to 9 s"),
        (["0-8: a / b", "7-16: c / d"], "overlap from 7 s to 8 s"),
        (["8-16: a / b", "0-8: c / d"], "sort them by time"),
        (["0-0.5: a / b", "0.5-8: c / d"], "lasts 0.5 s"),
    ],
)
def test_scenes_that_do_not_follow_one_another_are_refused_in_one_sentence(given: list, said: str) -> None:
    with pytest.raises(BadInput, match=said) as refused:
        ComposeOptions.make(scene=given)
    assert str(refused.value).startswith("--scene: ") and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"seconds": 20}, "gap from 16 s to 20 s"),
        ({"seconds": 12}, "beyond the end of the sound at 12 s"),
        ({"image_prompt": "a dog"}, "leave out the other prompts"),
        ({"loop": True, "crop": True}, "--crop would cut"),
        ({"loop": True, "cutoff": True}, "--cutoff would cut"),
    ],
)
def test_what_does_not_go_with_scenes_and_loops_is_refused(more: dict, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        ComposeOptions.make(scene=TWO, **more)


def test_scenes_decide_length_and_prompts_and_survive_a_recipe() -> None:
    options = ComposeOptions.make(scene="; ".join(TWO))
    assert options.scene == TWO and options.seconds == 16
    assert (options.image_prompt, options.audio_prompt) == ("a castle, the sea", "bells, waves")
    assert ComposeOptions.make(**options.plain()) == options


@pytest.mark.parametrize("cyclic", [False, True])
@pytest.mark.parametrize("fade", [0.0, 1.0, 4.0])
def test_scenes_share_every_column_and_fade_where_they_meet(fade: float, cyclic: bool) -> None:
    texts = ("0-4: a / a", "4-10: b / b", "10-16: c / c")
    shares = scene_shares(scenes_of(texts, fade), 160, 16.0, fade, cyclic)
    for column in zip(*shares, strict=True):
        assert sum(column) == pytest.approx(1)
    half = round(fade * 10 / 2)
    for number, (start, end) in enumerate(((0, 40), (40, 100), (100, 160))):
        first = start + half if start or cyclic else 0
        last = end - half if end < 160 or cyclic else 160
        assert all(value == 1 for value in shares[number][first:last])
    meeting = shares[0][40 - half : 40 + half]
    assert meeting == sorted(meeting, reverse=True) and all(0 < value < 1 for value in meeting)
    assert (0 < shares[2][0] < 1) == (cyclic and fade > 0)
