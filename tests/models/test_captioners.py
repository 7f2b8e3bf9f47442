"""The embedded captioner: honest sentences, times, constant memory; sentences and timelines as laws."""

import copy
import io
import json
import math
import shutil
import subprocess
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
import torch
from hypothesis import given
from hypothesis import strategies as st

from eidophone.core.errors import BadInput, WeightsAbsent
from eidophone.data.mixtures import draw, mix
from eidophone.data.recordings import read_esc
from eidophone.media.audio import read_sound
from eidophone.models.captioners.sentence import Heard, sentence
from eidophone.models.captioners.tagged import (
    COLUMNS,
    RATE_HZ,
    TaggedCaptioner,
    Timeline,
    load_tagged,
    sources,
)
from eidophone.models.captioners.windows import captioned
from eidophone.models.cards import package_folder
from eidophone.models.tagger import SPAN, STEP
from tests.conftest import SHARED

RNG = np.random.default_rng
ESC10 = SHARED / "data" / "esc10"


@pytest.fixture(scope="module")
def captioner() -> TaggedCaptioner:
    return load_tagged()


def said(captioner: TaggedCaptioner, sound: np.ndarray) -> str:
    return captioner.caption([sound.astype(np.float32)]).text


def tone(hz: float, seconds: float = 5.0) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE_HZ)) / RATE_HZ)


# honest captions


@pytest.mark.parametrize("level", [0.0, 1e-5])
def test_silence_is_called_silence(captioner: TaggedCaptioner, level: float) -> None:
    assert said(captioner, level * RNG(0).standard_normal(5 * RATE_HZ)) == "silence"


@pytest.mark.parametrize("hz", [60, 440, 1000, 6000])
def test_a_sine_is_called_a_tone(captioner: TaggedCaptioner, hz: float) -> None:
    assert said(captioner, tone(hz)) == "a pure tone"


@pytest.mark.parametrize("slope", [0, 1, 2])
@pytest.mark.parametrize("level", [0.01, 0.2])
def test_noise_is_called_noise(captioner: TaggedCaptioner, slope: int, level: float) -> None:
    """White, pink, brown."""
    spectrum = np.fft.rfft(RNG(0).standard_normal(5 * RATE_HZ))
    sound = np.fft.irfft(spectrum / np.maximum(1, np.arange(len(spectrum))) ** (slope / 2))
    assert said(captioner, level * sound / sound.std()) == "noise"


@pytest.mark.skipif(not shutil.which("espeak-ng"), reason="needs espeak-ng")
def test_speech_is_called_speech(captioner: TaggedCaptioner) -> None:
    text = "Nothing that was said here is about any animal at all."
    wave = subprocess.run(["espeak-ng", "--stdout", text], capture_output=True, check=True).stdout
    sound, rate_hz = soundfile.read(io.BytesIO(wave), dtype="float32")
    assert "speaking" in said(captioner, soxr.resample(sound, rate_hz, RATE_HZ))


def test_a_plucked_melody_is_called_music(captioner: TaggedCaptioner) -> None:
    t = np.arange(RATE_HZ // 2) / RATE_HZ
    notes = [
        sum(np.sin(2 * np.pi * hz * k * t) / k**2 for k in range(1, 9)) * np.exp(-4 * t)
        for hz in (262, 330, 392, 523, 392, 330, 294, 349, 440, 262)
    ]
    kinds = {source.phrase: source.kind for source in sources()}
    found = said(captioner, 0.3 * np.concatenate(notes))
    assert any(phrase in found for phrase, kind in kinds.items() if kind == "music")


# time and memory


def test_words_carry_their_time(captioner: TaggedCaptioner) -> None:
    gap = np.zeros(3 * RATE_HZ)
    found = captioner.caption([np.concatenate([gap, tone(1000, 2), gap]).astype(np.float32)])
    assert all(2 <= word.start_s <= 3.5 and 4.5 <= word.end_s <= 6 for word in found.words)


def test_blocks_of_any_size_say_the_same(captioner: TaggedCaptioner) -> None:
    sound = np.concatenate([tone(300, 13), 0.1 * RNG(0).standard_normal(9 * RATE_HZ)]).astype(np.float32)
    whole = captioner.caption([sound])
    for size in (777, 50_000):
        parts = captioner.caption(sound[i : i + size] for i in range(0, len(sound), size))
        assert parts.text == whole.text
        for ours, theirs in zip(parts.words, whole.words, strict=True):
            assert ours.confidence == pytest.approx(theirs.confidence, abs=1e-4)
            assert (ours.start_s, ours.end_s) == (theirs.start_s, theirs.end_s)


def test_memory_does_not_grow_with_the_length() -> None:
    class Guess(TaggedCaptioner):
        def probabilities(self, samples: np.ndarray) -> np.ndarray:
            windows = 1 + max(0, -(-(len(samples) - SPAN) // STEP))
            return np.full((windows, len(sources())), 0.5, np.float32)

    def peak(minutes: int) -> int:
        block = np.full(60 * RATE_HZ, 0.1, np.float32)
        tracemalloc.start()
        guess.caption(block for _ in range(minutes))
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    guess = Guess(None, None, ("dog",))
    peak(1)
    assert peak(5) < 1.2 * peak(2)


def test_absent_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsAbsent, match=str(tmp_path)):
        load_tagged(tmp_path)


# the table


def test_the_table_names_the_taggers_classes_and_every_concept_of_the_head(
    captioner: TaggedCaptioner,
) -> None:
    names = {source.name for source in sources()}
    assert set(captioner.known) <= names
    for source in sources():
        assert set(source.heard) <= set(captioner.tagger.classes), source.name
        assert source.heard or source.name in captioner.known
    kinds = {source.kind for source in sources() if not source.general}
    assert all(source.kind in kinds for source in sources() if source.general)


# sentences


def test_what_overlaps_is_joined_and_what_follows_comes_then() -> None:
    dog, rain = Heard("a dog barking", 0.9, 0, 2), Heard("rain falling", 0.8, 1, 9)
    wind, bell = Heard("wind blowing", 0.7, 5, 9), Heard("a bell ringing", 0.6, 5.5, 8)
    assert sentence([rain, dog]).text == "a dog barking and rain falling"
    assert sentence([bell, dog, wind]).text == "a dog barking, then wind blowing and a bell ringing"
    assert sentence([dog, rain, Heard("wind blowing", 0.7, 0.5, 9)]).text == (
        "a dog barking, wind blowing and rain falling"
    )


@given(
    st.lists(
        st.builds(
            lambda sure, start, length: Heard("a dog barking", sure, start, start + length),
            st.floats(0, 1),
            st.floats(0, 100),
            st.floats(0.1, 100),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_everything_heard_is_named_once_with_its_own_confidence(heard: list[Heard]) -> None:
    found = sentence(heard)
    dogs = [word for word in found.words if word.text.strip(",") == "dog"]
    assert sorted(word.confidence for word in dogs) == sorted(h.confidence for h in heard)
    assert found.words[0].start_s == min(h.start_s for h in heard)
    assert not found.words[-1].text.endswith(",")


# timelines


@pytest.mark.parametrize("windows", [3, COLUMNS, 5 * COLUMNS + 7])
def test_a_short_event_is_found_where_it_was(windows: int) -> None:
    line = Timeline(2, 0.5)
    course = np.zeros((windows, 2), np.float32)
    at = 2 * windows // 3
    course[at, 1] = 0.8
    for part in np.array_split(course, 7):
        line.add(part)
    column_s = 0.5 * max(1, 2 ** int(np.ceil(np.log2(windows / COLUMNS))))
    start, end = line.span(1, 1.0)
    assert start <= at * 0.5 < start + column_s
    assert end == pytest.approx(at * 0.5 + 1.0, abs=column_s)
    assert line.confidence(np.zeros(2)).tolist() == pytest.approx([0, 0.8])
    assert line.confidence(np.ones(2))[1] == pytest.approx(0.8**2 / 1.8)


def test_one_mistake_does_not_stretch_a_long_stretch() -> None:
    line = Timeline(1, 0.5)
    course = np.zeros((5000, 1), np.float32)
    course[100], course[3000:4500] = 0.9, 0.9
    line.add(course)
    start, end = line.span(0, 1.0)
    assert start == pytest.approx(1500, abs=20) and end == pytest.approx(2250, abs=20)


@pytest.mark.parametrize("windows", [1, 10, 300])
def test_what_sounds_all_the_time_spans_all_of_it(windows: int) -> None:
    line = Timeline(1, 0.5)
    line.add(np.full((windows, 1), 0.6, np.float32))
    start, end = line.span(0, 1.0)
    whole = (windows - 1) * 0.5 + 1
    assert start <= 0.01 * whole + 0.5 and end >= 0.99 * whole - 0.5


# windows


def test_equal_neighbours_become_one_and_silence_is_skipped() -> None:
    calls = []

    def listen(window: np.ndarray) -> list[tuple[str, float]]:
        calls.append(len(window))
        return [("low" if window[0] < 0.3 else "high", 0.5)]

    levels = [0.1, 0.1, 0.0, 0.5, 0.5, 0.1]
    found = captioned([np.full(10, level, np.float32) for level in levels], 10, 10, listen)
    assert len(calls) == 5
    assert found.text == "low, then high" or found.text == "low, then high, then low"
    assert (found.words[0].start_s, found.words[0].end_s) == (0, 2)
    assert captioned([np.zeros(25, np.float32)], 10, 10, listen).text == "silence"


@pytest.mark.parametrize("sure", [math.nan, math.inf])
def test_a_network_that_gives_no_numbers_is_refused(sure: float) -> None:
    with pytest.raises(BadInput, match="fetch its model again"):
        captioned([np.ones(20, np.float32)], 10, 10, lambda _: [("rain", sure)])


def test_the_tagged_captioner_with_damaged_weights_is_refused(captioner: TaggedCaptioner) -> None:
    broken = copy.deepcopy(captioner)
    with torch.no_grad():
        broken.tagger.head.weight.fill_(math.nan)
    with pytest.raises(BadInput, match="fetch its model again"):
        broken.caption([np.sin(np.arange(16_000, dtype=np.float32))])


@pytest.mark.parametrize("lacking", ["bubbles", "seagull"])
def test_a_head_without_a_source_that_no_class_stands_for_never_names_it(
    lacking: str, tmp_path: Path
) -> None:
    folder = shutil.copytree(package_folder("tiny/captioner"), tmp_path / "odd")
    config = json.loads((folder / "config.json").read_text())
    config["sources"][config["sources"].index(lacking)] = "unicorn"
    (folder / "config.json").write_text(json.dumps(config))
    samples = RNG(0).standard_normal(2 * RATE_HZ).astype(np.float32)
    found = load_tagged(folder).probabilities(samples)
    column = [source.name for source in sources()].index(lacking)
    assert not found[:, column].any() and found.any()


def test_the_last_short_window_is_heard_too() -> None:
    found = captioned([np.full(25, 0.1, np.float32)], 10, 10, lambda w: [(f"n{len(w)}", 0.5)])
    assert found.words[-1].text == "n5" and found.words[-1].end_s == 2.5
    assert torch.is_inference_mode_enabled() is False


# real recordings


@pytest.mark.skipif(
    not (SHARED / "data/esc10").is_dir(), reason="the recordings are not beside this checkout"
)
def test_recordings_it_never_heard_are_named() -> None:
    """Every fourth recording of fold 4, and mixtures of them; `benchmarks.captions` measures all."""
    from benchmarks.captions import heard, names

    captioner = load_tagged()
    pool = [r for r in read_esc(ESC10) if r.fold == 4][::4]
    right = [names(heard(captioner, read_sound(r.path)), r.labels[0]) for r in pool]
    assert np.mean(right) >= 0.85
    found = [
        [names(caption, label) for label in mixture.labels]
        for mixture in draw(pool, 12, 1000)
        for caption in [heard(captioner, mix(mixture))]
    ]
    assert np.mean([any(pair) for pair in found]) >= 0.9
    assert np.mean([all(pair) for pair in found]) >= 0.45
