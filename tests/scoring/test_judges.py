"""Judges: what their numbers do not depend on, and what they must agree with."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from eidophone.core.errors import BadInput, UnknownModel
from eidophone.core.values import Clip, Picture
from eidophone.media.audio import peak_normalize
from eidophone.media.mel import MelSpec
from eidophone.media.spectrogram import gray_from_clip
from eidophone.models.embedders.load import load_embedder
from eidophone.models.tagger import load_tagger
from eidophone.scoring import Measure, judges, register_scorer, similarity
from eidophone.scoring.contract import Subject, judged, subject_of
from eidophone.scoring.judges import measure_of, open_judges
from eidophone.scoring.scorers.roundtrip import Roundtrip, psnr_db, ssim
from eidophone.scoring.scorers.signal import SignalQuality
from eidophone.scoring.scorers.tagger import Tagging, classes_of
from eidophone.scoring.similarity import Similarity
from eidophone.scoring.windows import squares, starts, stretches

HERE = torch.device("cpu")


@given(st.integers(1, 3000), st.integers(1, 700), st.integers(1, 700))
def test_windows_cover_everything_and_stay_inside(length: int, window: int, step: int) -> None:
    step = min(step, window)
    covered = np.zeros(length, bool)
    for first in starts(length, window, step):
        assert first >= 0 and first + min(window, length) <= length
        covered[first : first + window] = True
    assert covered.all()


@pytest.mark.parametrize(
    ("shape", "windows"), [((256, 992), 24), ((256, 1024), 25), ((128, 288), 11), ((128, 297), 12)]
)
def test_squares_are_an_eighth_apart(shape: tuple[int, int], windows: int) -> None:
    pixels = np.random.default_rng(0).random((*shape, 3), np.float32)
    cut = squares(pixels)
    assert cut.shape == (windows, 3, shape[0], shape[0])
    assert np.array_equal(cut[1].permute(1, 2, 0).numpy(), pixels[:, shape[0] // 8 :][:, : shape[0]])
    assert np.array_equal(cut[-1].permute(1, 2, 0).numpy(), pixels[:, -shape[0] :])


def test_a_high_picture_is_cut_along_its_height() -> None:
    pixels = np.random.default_rng(0).random((96, 32, 3), np.float32)
    cut = squares(pixels)
    assert cut.shape[2:] == (32, 32)
    assert np.array_equal(cut[-1].permute(1, 2, 0).numpy(), pixels[-32:])


def test_a_long_sound_is_heard_to_its_end() -> None:
    clip = Clip(np.arange(1024 * 10, dtype=np.float32)[None], 1000)
    assert stretches(clip).shape == (2, 10_000)
    assert float(stretches(clip)[-1, -1]) == 1024 * 10 - 1
    assert stretches(Clip(clip.samples[:, :700], 1000)).shape == (1, 700)


def test_a_sound_is_clear_by_as_much_as_it_is_nearer_to_its_prompt_than_to_nothing(
    make_result, formula
) -> None:
    subject = subject_of(make_result())
    assert "sounds_clear" not in Similarity(formula)(subject)
    formula.nothing = ("noise", "hiss")
    said, sound = (
        Similarity(formula)(subject),
        formula.sound(stretches(peak_normalize(subject.clip, 1.0)), 8000)[0],
    )
    noise = [float(sound @ row) for row in formula.text(formula.nothing)]
    assert said["sounds_clear"] == pytest.approx(said["sounds"] - sum(noise) / 2, abs=1e-3)


def test_who_learned_from_wide_pictures_sees_them_whole(make_result, formula) -> None:
    subject = subject_of(make_result(width=100))
    formula.sees_whole = True
    pixels = torch.from_numpy(subject.picture.pixels).permute(2, 0, 1)[None]
    expected = float(formula.picture(pixels)[0] @ formula.text([subject.image_prompt])[0])
    assert Similarity(formula)(subject)["looks"] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("width", [32, 72, 301])
def test_similarity_is_the_mean_cosine_of_windows_taken_one_by_one(width, make_result, formula) -> None:
    subject = subject_of(make_result(3, width=width))
    said = Similarity(formula)(subject)
    text = formula.text(["castle"])[0]
    alone = [float(formula.picture(w[None])[0] @ text) for w in squares(subject.picture.pixels)]
    assert said["looks"] == pytest.approx(np.mean(alone), abs=1e-5)
    assert said["looks_gray"] == pytest.approx(said["looks"], abs=1e-5)
    assert said["sounds_floored"] == max(0, said["sounds"])


def test_a_score_does_not_depend_on_order_or_company(make_result, formula) -> None:
    subjects = [subject_of(make_result(i)) for i in range(6)]
    judges = [Similarity(formula), SignalQuality(), Roundtrip()]
    alone = [judged(s, [Similarity(formula), SignalQuality(), Roundtrip()]).numbers for s in subjects]
    for i in (5, 0, 3, 1, 4, 2):
        assert judged(subjects[i], judges).numbers == pytest.approx(alone[i], abs=1e-5)


def test_colour_and_grey_are_two_numbers(make_result, formula) -> None:
    result = make_result(1)
    pixels = np.random.default_rng(9).random(result.picture.pixels.shape, np.float32)
    said = Similarity(formula)(subject_of(replace(result, picture=Picture(pixels))))
    assert said["looks"] != pytest.approx(said["looks_gray"], abs=1e-3)
    assert said["looks_gray"] == pytest.approx(Similarity(formula)(subject_of(result))["looks_gray"])


def test_loudness_does_not_change_what_it_sounds_like(make_result, formula) -> None:
    result = make_result(2)
    quiet = replace(result, clip=Clip(result.clip.samples * np.float32(0.25), result.clip.rate_hz))
    loud, soft = (Similarity(formula)(subject_of(r))["sounds"] for r in (result, quiet))
    assert loud == pytest.approx(soft, abs=1e-5)


@pytest.mark.parametrize("shape", [(32, 40), (128, 288), (11, 11)])
def test_ssim_and_psnr_agree_with_scikit_image(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    a = rng.random(shape)
    b = np.clip(a + 0.2 * rng.standard_normal(shape), 0, 1)
    _, theirs = structural_similarity(
        a, b, data_range=1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True
    )
    inside = theirs[5:-5, 5:-5].mean()
    assert ssim(a, b) == pytest.approx(inside, abs=1e-6)
    assert psnr_db(a, b) == pytest.approx(peak_signal_noise_ratio(a, b, data_range=1), abs=1e-5)
    assert ssim(a, a) == pytest.approx(1) and psnr_db(a, a) == 100


def test_a_sound_that_is_its_picture_survives_the_round_trip(make_result) -> None:
    result = make_result(4)
    spec = MelSpec.from_dict(result.recipe.mel_spec)
    drawn = gray_from_clip(result.clip, spec)
    said = Roundtrip()(subject_of(replace(result, spectrogram=drawn)))
    assert said["ssim"] == pytest.approx(1) and said["psnr_db"] == 100
    other = Roundtrip()(subject_of(result))
    for codec in ("mp3", "aac"):
        assert 0.5 < said[f"ssim_{codec}"] < 1
        assert said[f"psnr_db_{codec}"] > other[f"psnr_db_{codec}"] + 3


def test_cleanness_tells_clipping_offset_and_silence(make_result) -> None:
    result = make_result(0)
    rate = result.clip.rate_hz
    wave = np.sin(np.arange(rate, dtype=np.float32) / 9)[None] * np.float32(0.9)

    def says(samples: np.ndarray) -> dict[str, float]:
        return SignalQuality()(subject_of(replace(result, clip=Clip(samples.astype(np.float32), rate))))

    assert says(wave)["clipped"] == 0 and says(wave)["silent"] == 0
    cut = np.clip(4 * wave, -1, 1)
    assert says(cut)["clipped"] == pytest.approx((np.abs(cut) == 1).mean(), abs=0.01)
    assert says(wave + np.float32(0.05))["dc"] == pytest.approx(0.05, abs=2e-3)
    half = wave.copy()
    half[:, rate // 2 :] = 0
    assert says(half)["silent"] == pytest.approx(0.5, abs=0.03)
    one = np.zeros((1, rate))
    one[0, 5] = 1
    assert says(one)["clipped"] == 0


def test_the_tagger_hears_the_classes_that_a_prompt_names() -> None:
    tagger = load_tagger()
    names = [tagger.classes[i] for i in classes_of("birds singing sweetly", tagger.classes)]
    assert names == ["Bird"]
    assert "Whistle" not in [tagger.classes[i] for i in classes_of("a kitten meowing", tagger.classes)]


def test_the_tagger_is_sure_of_noise_and_fails_by_name(make_result) -> None:
    judge = Tagging(load_tagger())
    rng = np.random.default_rng(0)
    noise = Clip(0.2 * rng.standard_normal((1, 40_000)).astype(np.float32), 16_000)
    subject = replace(subject_of(make_result()), clip=noise, audio_prompt="white noise")
    assert judge(subject)["top5"] == 1
    whole = judge(replace(subject, audio_prompt="dog barking"))
    assert whole["sounds"] < judge(subject)["sounds"]
    failed = judged(replace(subject, audio_prompt="qwxz"), [judge, SignalQuality()])
    assert "qwxz" in failed.failed["tagger"] and "signal.dc" in failed.numbers


def test_what_is_no_number_is_named_and_left_out(make_result) -> None:
    class Broken:
        name = "broken"

        def __call__(self, subject: object) -> dict[str, float]:
            return {"looks": float("nan"), "sounds": 0.5}

    score = judged(subject_of(make_result()), [Broken()])
    assert score.numbers == {"broken.sounds": 0.5}
    assert "broken.looks" in score.failed and score.side("looks") is None


def test_judges_are_opened_by_name(formula, monkeypatch) -> None:
    def only_formula(name: str, device: torch.device, *, offline: bool) -> object:
        if name != "formula":
            raise UnknownModel(f"There is no {name}.")
        assert device == HERE and offline
        return formula

    monkeypatch.setattr(judges, "load_embedder", only_formula)
    opened = open_judges("formula, signal", HERE, offline=True)
    assert [judge.name for judge in opened] == ["formula", "signal"]
    assert open_judges("none", HERE, offline=True) == []
    for wrong in ("signal,signal", ""):
        with pytest.raises(BadInput, match="--judges"):
            open_judges(wrong, HERE, offline=True)
    with pytest.raises(
        UnknownModel, match="no nobody; or name one of the judges canvas, roundtrip, signal, tagger"
    ):
        open_judges("nobody", HERE, offline=True)


def test_texts_are_embedded_once(make_result, formula, monkeypatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(
        formula, "text", lambda phrases: (asked.extend(phrases), torch.ones(1, 8) / 8**0.5)[1], raising=False
    )
    judge = Similarity(formula)
    for i in range(3):
        judge(subject_of(make_result(i)))
    assert asked == ["castle", "dog barking"]


def test_the_embedder_that_ships_says_the_same_whatever_is_embedded_at_once(make_result, monkeypatch) -> None:
    embedder = load_embedder("tiny", torch.device("cpu"), offline=True)
    subject = subject_of(make_result(5, width=96))
    said = []
    for at_once in (8, 1, 3):
        monkeypatch.setattr(similarity, "AT_ONCE", at_once)
        said.append(Similarity(embedder)(subject))
    assert {"looks", "looks_gray", "sounds", "agrees"} < set(said[0])
    assert said[1] == pytest.approx(said[0], abs=1e-5) and said[2] == pytest.approx(said[0], abs=1e-5)
    before = subject_of(make_result(6, width=96))
    assert Similarity(embedder)(before) != pytest.approx(said[0], abs=1e-3)
    assert Similarity(embedder)(subject) == pytest.approx(said[0], abs=1e-5)


def test_former_names_of_judges_are_accepted_with_a_warning() -> None:
    with pytest.warns(DeprecationWarning, match="rehearing is now roundtrip"):
        opened = open_judges("rehearing,signal", HERE, offline=True)
    assert [judge.name for judge in opened] == ["roundtrip", "signal"]
    with pytest.raises(BadInput), pytest.warns(DeprecationWarning):
        open_judges("clean,signal", HERE, offline=True)


def test_every_number_of_a_judge_has_a_meaning(make_result, formula) -> None:
    formula.nothing = ("noise",)
    subject = subject_of(make_result())
    noisy = replace(subject, audio_prompt="white noise")
    numbers = judged(
        noisy, [Similarity(formula, "tiny"), *open_judges("roundtrip,signal,tagger", HERE, offline=True)]
    )
    assert len(numbers.numbers) == 17 and not numbers.failed
    for name, number in numbers.numbers.items():
        measure = measure_of(name)
        assert measure is not None and measure.about and measure.better, name
        ends = [float(x) for x in measure.range.replace("or", "to").split(" to ")]
        assert ends[0] <= number <= ends[1], (name, number)


def test_a_registered_judge_is_found_by_its_name(make_result) -> None:
    class Loud:
        """How loud it is."""

        name = "loud"
        measures: ClassVar = {"peak": Measure("peak level", unit="of full scale")}

        def __call__(self, subject: Subject) -> dict[str, float]:
            return {"peak": float(np.abs(subject.clip.samples).max())}

    register_scorer("loud", Loud, "how loud a sound is", Loud.measures)
    opened = open_judges("signal,loud", HERE, offline=True)
    assert judged(subject_of(make_result()), opened).numbers["loud.peak"] > 0.2
    assert measure_of("loud.peak").unit == "of full scale"


def test_a_picture_that_is_too_elongated_is_not_cut_into_millions_of_windows(make_result, formula) -> None:
    subject = subject_of(make_result())
    thread = Picture(np.zeros((1, 600_000, 3), np.float32))
    score = judged(replace(subject, picture=thread), [Similarity(formula), SignalQuality()])
    assert "600000 x 1 pixels is too elongated" in score.failed["formula"] and "signal.dc" in score.numbers
