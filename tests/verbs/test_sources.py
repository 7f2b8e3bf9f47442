"""Several sources in one recording: who sounds, when, how loud, and where each is drawn."""

from pathlib import Path

import numpy as np
import pytest

import eidophone
from eidophone.core.errors import BadInput
from eidophone.core.values import Caption, Clip, Word
from eidophone.media.audio import write_wav
from eidophone.models.captioners.sentence import Heard, sentence
from eidophone.verbs.paint.layout import Layout, at_the_loudest, layout_of, usual_width
from eidophone.verbs.paint.options import PaintOptions
from eidophone.verbs.paint.prompts import make_prompt, side_by_side
from eidophone.verbs.paint.sources import SMALLEST, columns_of, sources_of

RATE = 8000


def clip(*levels: float) -> Clip:
    """Seconds of noise, each with its level."""
    noise = np.random.default_rng(1).standard_normal((len(levels), RATE))
    return Clip((np.array(levels)[:, None] * noise).reshape(1, -1).astype(np.float32), RATE)


def words(*told: tuple[str, float, float, float]) -> Caption:
    return sentence([Heard(*one) for one in told])


def phrases(caption: Caption, sound: Clip) -> list[str]:
    return [" ".join(word.text for word in one.words) for one in sources_of(caption, sound)]


def test_sources_stand_in_the_order_in_which_they_begin() -> None:
    caption = words(
        ("a cat meowing", 0.5, 2.0, 4.0), ("a dog barking", 0.9, 0.0, 2.0), ("rain", 0.6, 0.1, 4.0)
    )
    assert phrases(caption, clip(0.1, 0.1, 0.1, 0.1)) == ["a dog barking", "rain", "a cat meowing"]


def test_one_source_is_none_to_lay_out() -> None:
    assert sources_of(words(("a dog barking", 0.9, 0.0, 2.0)), clip(0.1, 0.1)) == ()
    same = Caption(tuple(Word(text, 0.8, 0.0, 2.0) for text in ["a", "dog", "barking", "and", "howling"]))
    assert sources_of(same, clip(0.1, 0.1)) == ()


def test_a_caption_of_your_own_names_sources_by_their_articles() -> None:
    def _named(text: str) -> list[str]:
        return phrases(Caption.from_text(text), clip(0.1, 0.1))

    assert _named("a dog barking and a clock ticking") == ["a dog barking", "a clock ticking"]
    assert _named("a dog, an owl and the sea") == ["a dog", "an owl", "the sea"]
    assert _named("a dog barking and howling") == _named("salt and pepper") == []


@pytest.mark.parametrize(("softer_db", "size"), [(0, 1.0), (10, 0.75), (20, SMALLEST), (40, SMALLEST)])
def test_loud_is_large_and_far_is_small(softer_db: float, size: float) -> None:
    caption = words(("a dog barking", 0.9, 0.0, 1.0), ("rain", 0.8, 1.0, 2.0))
    loud, soft = sources_of(caption, clip(0.1, 0.1 * 10 ** (-softer_db / 20)))
    assert loud.size == 1 and soft.size == pytest.approx(size, abs=0.03)


@pytest.mark.parametrize("sizes", [(1, 1), (1, 0.5), (0.5, 1, 0.5)])
def test_columns_fill_the_canvas_and_follow_the_sizes(sizes: tuple[float, ...]) -> None:
    names = [(f"thing{n}", 0.9 - n / 100, float(n), n + 1.0) for n in range(len(sizes))]
    found = sources_of(words(*names), clip(*(0.1 * 10 ** (-(1 - size) * 2) for size in sizes)))
    columns = columns_of(found, 60, 6)
    assert sum(columns) == 60 and min(columns) >= 6
    assert [round(c / 60, 1) for c in columns] == [round(size / sum(sizes), 1) for size in sizes]


def test_a_source_has_room_however_soft() -> None:
    found = sources_of(words(("a dog", 0.9, 0, 1), ("rain", 0.8, 1, 2)), clip(0.1, 0.0001))
    assert columns_of(found, 13, 6) in ((7, 6), (6, 7))


def test_a_drawing_is_made_at_full_width_and_shown_at_its_size() -> None:
    found = sources_of(words(("a dog", 0.9, 0, 1), ("rain", 0.8, 1, 2)), clip(0.1, 0.0316))
    assert [one.size for one in found] == pytest.approx([1, 0.75], abs=0.02)
    wide = usual_width(found, 288, 8)
    layout = layout_of(found, wide, 288, 8)
    assert wide == sum(layout.shown) == pytest.approx(288 * 1.75, abs=8)
    assert min(layout.drawn) >= 288 and layout.shown[1] == pytest.approx(216, abs=8)
    narrow = layout_of(found, 160, 288, 8)
    assert sum(narrow.shown) == 160 and narrow.drawn == (288, 288)
    with pytest.raises(BadInput, match="too narrow for 2 sources"):
        layout_of(found, 8, 288, 8)


def test_a_painting_that_plays_is_drawn_where_the_recording_is_loudest() -> None:
    import torch

    sound = np.zeros((4, 60), np.float32)
    sound[:, 40:45] = 1
    layout = at_the_loudest(sound, 64, 16)
    assert layout is not None and layout.before <= 40 and layout.before + 16 >= 45
    picture = layout.together(torch.rand(1, 3, 4, 16))
    assert picture.shape[-1] == layout.before + 16 + layout.after == 64
    assert torch.equal(picture[..., 0], picture[..., layout.before])
    assert at_the_loudest(sound, 60, 60) is None


def test_a_small_drawing_keeps_its_proportions_and_its_ground() -> None:
    import torch

    drawing = torch.full((1, 3, 40, 80), 0.25)
    drawing[..., 10:30, 30:50] = 1.0  # a square of 20
    picture = Layout((80, 80), (80, 40)).together(torch.cat([drawing, drawing], -1))
    assert picture.shape == (1, 3, 40, 120)
    assert torch.equal(picture[..., :80], drawing)
    small = picture[0, 0, :, 80:] > 0.9
    rows, columns = small.any(1).nonzero().flatten(), small.any(0).nonzero().flatten()
    assert abs(len(rows) - 10) <= 2 and abs(len(columns) - 10) <= 2
    assert rows.float().mean() == pytest.approx(19.5, abs=1)
    assert picture[0, 0, 0, 80:].tolist() == pytest.approx([0.25] * 40)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sources") / "two.wav"
    write_wav(path, clip(0.1, 0.1))
    return path


class Two:
    """Hears a dog, then a cat."""

    name, rate_hz = "two", 8000

    def caption(self, blocks: object) -> Caption:
        return words(("a dog barking", 0.9, 0.0, 1.0), ("a cat meowing", 0.8, 1.0, 2.0))


def test_each_source_is_drawn_on_its_side(recording: Path) -> None:
    from eidophone.models.kinds import register_captioner

    register_captioner("two", lambda device: Two(), "hears two")
    given = {
        "captioner": "two",
        "steps": 2,
        "optimise": 2,
        "offline": True,
        "threads": 1,
        "colors": False,
    }
    (made,) = eidophone.paint(recording, **given)
    assert [one["words"] for one in made.facts["sources"]] == ["a dog barking", "a cat meowing"]
    assert made.facts["caption"] == "a dog barking, then a cat meowing"
    assert [word["text"] for word in made.facts["words"]] == ["a", "dog", "barking", "a", "cat", "meowing"]
    assert made.picture.pixels.shape[0] == 128
    assert sum(one["columns"] for one in made.facts["sources"]) == made.picture.pixels.shape[1] >= 288 * 1.9
    assert set(made.sounds) == {"source-1", "source-2"}
    (together,) = eidophone.paint(recording, **given, separator="none")
    assert not together.sounds and "separator" in set(made.recipe.models) - set(together.recipe.models)
    (whole,) = eidophone.paint(recording, **given, sources=False)
    assert "sources" not in whole.facts
    (other,) = eidophone.paint(recording, **given, caption="a dog barking", size="144x128")
    assert np.abs(made.picture.gray()[:, :288] - whole.picture.gray()).mean() > 0.001
    assert other.picture.pixels.shape[1] == 144


def test_the_published_preset_draws_the_caption_as_one() -> None:
    assert not PaintOptions.make(sound="a.wav", preset="paper").sources
    assert PaintOptions.make(sound="a.wav").sources


def test_the_words_of_both_prompts_are_found(recording: Path) -> None:
    import torch

    from eidophone.models.components import load_text_encoder
    from eidophone.models.source import find

    encoder = load_text_encoder(find("tiny", "image"), torch.float32, torch.device("cpu"))
    one, two = Caption.from_text("a dog barking"), Caption.from_text("rain")
    both = side_by_side([one, two], "a painting of {}", encoder)
    alone = [make_prompt(each, "a painting of {}", encoder) for each in (one, two)]
    assert both.parts == tuple(each.text for each in alone) and both.tokens == 2 * encoder.length
    assert both.spans[:3] == alone[0].spans
    assert both.spans[3] == tuple(place + encoder.length for place in alone[1].spans[0])
