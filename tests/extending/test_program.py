"""Changes that a program makes for itself, through public registration. Each registers what one source file would."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image
from torch import Tensor

import eidophone
from eidophone.cli import main
from eidophone.core.values import Caption, Floats, Picture, Result
from eidophone.diffusion.guidance import Denoiser
from eidophone.diffusion.views import VIEWS, View
from eidophone.media.mel import MelSpec
from eidophone.media.spectrogram import gray_from_clip
from eidophone.models.cards import CARDS_VARIABLE, package_folder
from eidophone.models.kinds import register_captioner, register_embedder
from eidophone.options.kinds import setting
from eidophone.options.samplers import SAMPLERS, SamplerSpec
from eidophone.scoring.contract import Subject
from eidophone.scoring.measures import Measure
from eidophone.scoring.scorers import register_scorer
from eidophone.verbs import VERBS, Argument, Verb, register
from eidophone.verbs.compose.blends import BLENDS
from eidophone.verbs.compose.blends.average import Average
from eidophone.verbs.compose.options import ComposeOptions
from eidophone.verbs.compose.pipeline import compose
from eidophone.verbs.compose.run import ComposeRun, Guides
from eidophone.verbs.see.options import SeeOptions
from eidophone.verbs.see.pipeline import see
from eidophone.verbs.shared.context import Context

PROMPTS = ("a castle", "bell ringing")


def same(one: Result, other: Result) -> bool:
    """Whether two results have the same pixels and the same sound."""
    return bool((one.picture.pixels == other.picture.pixels).all()) and bool(
        (one.clip.samples == other.clip.samples).all()
    )


def test_a_sampler(draft: dict, tmp_path: Path) -> None:
    SAMPLERS.register("deis", SamplerSpec("DEISMultistepScheduler", {"solver_order": 2}))
    (made,) = eidophone.compose(*PROMPTS, **draft, sampler="deis", out=tmp_path)
    (other,) = eidophone.compose(*PROMPTS, **draft)
    assert made.recipe.options.plain()["sampler"] == "deis" and not same(made, other)
    assert same(eidophone.remake(made.folder), made)


CARD = """
[low]
about = "the embedded audio model, an octave lower"
licence = "Apache-2.0"

[low.audio]
folder = '{folder}'
mel_spec = {{ rate_hz = 11025, n_fft = 1024, win_length = 1024, hop_length = 256, n_mels = 128, f_max = 5000.0, floor = 0.001, ceiling = 20.0 }}
"""  # noqa: E501


@pytest.fixture
def card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "cards.toml"
    file.write_text(CARD.format(folder=package_folder("tiny/audio")))
    monkeypatch.setenv(CARDS_VARIABLE, str(file))
    return file


def test_a_card_and_its_sample_rate(
    card: Path, draft: dict, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (low,) = eidophone.compose(*PROMPTS, **draft, audio_model="low", out=tmp_path / "out")
    (usual,) = eidophone.compose(*PROMPTS, **draft)
    assert low.clip.rate_hz == 11025 and usual.clip.rate_hz == 22050
    assert low.clip.duration_s == pytest.approx(2 * usual.clip.duration_s, rel=0.01)
    assert same(eidophone.remake(low.folder), low)  # a card is enough to find the model again
    assert main(["models", "list", "--json"]) == 0
    (row,) = (row for row in json.loads(capsys.readouterr().out) if row["name"] == "low")
    assert (row["role"], row["here"], row["licence"]) == ("audio", True, "Apache-2.0")


def test_a_tone_keeps_its_pitch_at_a_card_s_sample_rate(card: Path, tmp_path: Path) -> None:
    rate = 44_100
    tone = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(2 * rate) / rate)
    soundfile.write(tmp_path / "tone.wav", tone, rate)
    drawn = eidophone.see(tmp_path / "tone.wav", audio_model="low", out=tmp_path / "seen")
    heard = eidophone.hear(drawn.folder / "picture.png", audio_model="low")
    sound = heard.clip.mono()
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    assert abs(np.fft.rfftfreq(len(sound), 1 / 11025)[spectrum.argmax()] - 1000) < 20


@pytest.mark.parametrize(
    "text, said",
    [
        ("[low", "cannot be read as a card file"),
        ("[tiny.audio]\nfolder = 'x'", "already a card 'tiny'"),
        ("[low.audio]\nfolder = 'x'\nlicense = 'MIT'", "audio.license"),
        ("[low]\nsound = 3", "sound"),
        ("[low.audio]\ncanvas = [128, 64]", "exactly one of folder, hub, file and package"),
        ("[low.audio]\nfolder = 'x'\nmel_spec = { rate_hz = -1 }", "rate_hz"),
        ("[low.audio]\nfolder = 'nowhere'", "there is no folder .*nowhere"),
    ],
)
def test_a_wrong_card_is_refused_with_one_sentence(
    text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "cards.toml"
    file.write_text(text)
    monkeypatch.setenv(CARDS_VARIABLE, str(file))
    with pytest.raises(eidophone.EidophoneError, match=said):
        eidophone.compose(*PROMPTS, audio_model="low", count=1)
    assert main(["compose", *PROMPTS, "--audio-model", "low", "--out", str(tmp_path / "out")]) == 2
    assert "Traceback" not in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_a_card_file_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CARDS_VARIABLE, str(tmp_path / "none.toml"))
    with pytest.raises(eidophone.EidophoneError, match=r"none\.toml: cannot be read .*EIDOPHONE_CARDS"):
        eidophone.compose(*PROMPTS, audio_model="low", count=1)


class Coverage:
    """How much of the canvas is bright."""

    name = "coverage"

    def __call__(self, subject: Subject) -> dict[str, float]:
        return {"columns": float((subject.gray > 0.5).any(0).mean())}


def test_a_scorer(tmp_path: Path) -> None:
    measures = {"columns": Measure("share of columns with a bright pixel", range="0 to 1")}
    register_scorer("coverage", Coverage, "how much of the canvas is bright", measures)
    soundfile.write(tmp_path / "a.wav", np.zeros(22050), 22050)
    for shade, expected in ((0, 0.0), (255, 1.0)):
        Image.new("L", (64, 128), shade).save(tmp_path / f"{shade}.png")
        score = eidophone.score(tmp_path / f"{shade}.png", tmp_path / "a.wav", judges="coverage")
        assert score.numbers == {"coverage.columns": expected}


def test_a_setting_of_compose(draft: dict, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Options(ComposeOptions):
        """Options of compose, and how the sound ends."""

        fade: bool = setting("fade the sound out", default=False, group="sound", common=True)

    def faded(options: Options, context: Context) -> Iterator[Result]:
        plain = ComposeOptions.make(**options.model_dump(exclude={"fade"}))
        for result in compose(plain, context):
            if options.fade:
                samples = result.clip.samples * np.linspace(
                    1, 0, result.clip.samples.shape[1], dtype=np.float32
                )
                recipe = result.recipe.changed(options={"fade": True})
                result = replace(result, clip=replace(result.clip, samples=samples), recipe=recipe)
            yield result

    usual = VERBS["compose"]
    register(Verb("compose", usual.summary, Options, faded, usual.arguments, usual.examples))
    (plain,) = eidophone.compose(*PROMPTS, **draft)
    (made,) = eidophone.compose(*PROMPTS, **draft, fade=True, out=tmp_path)  # type: ignore[call-arg]
    assert (made.picture.pixels == plain.picture.pixels).all()
    assert made.clip.samples[0, -1] == 0 and abs(plain.clip.samples[0, -200:]).max() > 0
    assert same(eidophone.remake(made.folder), made)
    with pytest.raises(SystemExit):
        main(["compose", "--help"])
    assert "--fade" in capsys.readouterr().out


def test_a_view(draft: dict, tmp_path: Path) -> None:
    def shifted(x: Tensor) -> Tensor:
        return x.roll(x.shape[-1] // 2, -1)

    def back(x: Tensor) -> Tensor:
        return x.roll(-(x.shape[-1] // 2), -1)

    VIEWS.register("shifted", View("shifted", shifted, back))
    (made,) = eidophone.compose(*PROMPTS, **draft, view="shifted", out=tmp_path)
    gray = made.picture.gray()
    moved = np.roll(gray, gray.shape[1] // 2, 1)
    inner = np.r_[4:28, 36:60]  # the decoder smooths over the edges of the halves
    assert abs(moved - made.spectrogram)[:, inner].mean() < 0.01 < abs(gray - made.spectrogram).mean()
    assert same(eidophone.remake(made.folder), made)


class Turns(Average):
    """The models take turns: the image model at even hundreds of the schedule, the audio model at odd ones."""

    def denoiser(self, run: ComposeRun, guides: Guides) -> Denoiser:
        def _turn(latents: Tensor, timestep: Tensor) -> Tensor:
            return (guides.audio if int(timestep) // 100 % 2 else guides.image)(latents, timestep)

        return _turn


def test_a_blend(draft: dict, tmp_path: Path) -> None:
    BLENDS.register("turns", Turns())
    (made,) = eidophone.compose(*PROMPTS, **draft | {"steps": 4}, blend="turns", out=tmp_path)
    (other,) = eidophone.compose(*PROMPTS, **draft | {"steps": 4})
    assert not same(made, other)
    assert made.recipe.options.plain()["blend"] == "turns"
    assert made.facts["unet_evaluations"] < other.facts["unet_evaluations"]
    assert same(eidophone.remake(made.folder), made)


class BackwardsOptions(SeeOptions):
    """A sound, drawn from its end to its beginning."""


def backwards(options: BackwardsOptions, context: Context) -> Iterator[Result]:
    """Draws a sound backwards."""
    for result in see(options, context):
        clip = replace(result.clip, samples=result.clip.samples[:, ::-1].copy())
        gray = gray_from_clip(clip, MelSpec.from_dict(result.recipe.mel_spec))
        yield replace(
            result,
            verb="backwards",
            recipe=result.recipe.changed(verb="backwards"),
            clip=clip,
            spectrogram=gray,
            picture=Picture.from_gray(gray),
        )


@pytest.fixture
def rising(tmp_path: Path) -> Path:
    seconds = np.arange(22050) / 22050
    soundfile.write(
        tmp_path / "rising.wav", 0.5 * np.sin(2 * np.pi * (300 + 1500 * seconds) * seconds), 22050
    )
    return tmp_path / "rising.wav"


def test_a_verb(rising: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    register(
        Verb(
            name="backwards",
            summary="draw a sound from its end to its beginning",
            options=BackwardsOptions,
            pipeline=backwards,
            arguments=(Argument("sound", "SOUND", "the sound file"),),
            models=("audio_model",),
        )
    )
    seen = eidophone.see(rising)
    with eidophone.Session() as session:
        (made,) = session.run(BackwardsOptions.make(sound=rising, start_s=0.1))
    assert made.verb == "backwards" and made.picture.pixels.shape[1] < seen.picture.pixels.shape[1]

    assert main(["backwards", str(rising), "--out", str(tmp_path / "out"), "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    stored = eidophone.load(tmp_path / "out" / "0000")
    assert row["verb"] == stored.verb == "backwards"
    rows = stored.spectrogram.argmax(0)  # of the strongest band; row 0 is the highest
    assert rows[-8:].mean() > rows[:8].mean() + 10  # the tone falls
    assert main(["remake", str(stored.folder), "--sound", str(rising), "--out", str(tmp_path / "again")]) == 0
    assert same(eidophone.load(tmp_path / "again" / "0000"), stored)


class Counting:
    """Says how much it heard."""

    name, rate_hz = "counting", 8000

    def caption(self, blocks: Iterable[Floats]) -> Caption:
        return Caption.from_text(f"{sum(map(len, blocks))} samples")


def test_a_captioner(rising: Path) -> None:
    register_captioner("counting", lambda device: Counting(), "counts samples")
    assert eidophone.caption(rising, captioner="counting").text == "8000 samples"


class Shade:
    """Pictures by their mean colour, sounds by their loudness, phrases by their length."""

    name = "shade"
    senses: ClassVar = frozenset({"picture", "sound", "text"})
    logit_scale, sees_whole, nothing = 1.0, True, ()

    def picture(self, pixels: Tensor) -> Tensor:
        return torch.nn.functional.normalize(pixels.mean((2, 3)) + 1e-3)

    def sound(self, samples: Tensor, rate_hz: int) -> Tensor:
        return torch.nn.functional.normalize(torch.ones(len(samples), 3))

    def text(self, phrases: Sequence[str]) -> Tensor:
        return torch.nn.functional.normalize(torch.ones(len(phrases), 3))


def test_an_embedder(draft: dict) -> None:
    register_embedder("shade", lambda device: Shade(), "compares shades of grey")
    (made,) = eidophone.compose(*PROMPTS, **draft, judges="shade")
    assert made.score.numbers["shade.sounds"] == pytest.approx(1.0)
    assert made.score.numbers["shade.looks"] == pytest.approx(1.0, abs=0.1)
