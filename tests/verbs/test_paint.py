"""Pictures of sounds: prompts, gradients, plans, and the command on real files, with small random models."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

import eidophone
from eidophone.cli import main
from eidophone.core.errors import BadInput
from eidophone.core.values import Caption, Clip
from eidophone.diffusion.draws import Draws
from eidophone.media.audio import write_wav
from eidophone.models.kinds import EMBEDDERS, NetworkKind
from eidophone.models.load import Loader
from eidophone.verbs.paint.optimise import (
    Aim,
    Plan,
    Scene,
    Trial,
    best_of,
    optimise,
    sample,
    spherical,
    steps_of,
)
from eidophone.verbs.paint.options import PaintOptions
from eidophone.verbs.paint.prompts import make_prompt

CPU = torch.device("cpu")


class Projection:
    """An embedder that is a fixed random projection of small pictures and of spectra."""

    name, senses, logit_scale = "projection", frozenset({"picture", "sound", "text"}), 100.0
    sees_whole = False
    nothing: tuple[str, ...] = ()

    def __init__(self) -> None:
        drawn = torch.Generator().manual_seed(0)
        self.eyes, self.ears = torch.randn(3 * 64, 16, generator=drawn), torch.randn(65, 16, generator=drawn)

    def picture(self, pixels: torch.Tensor) -> torch.Tensor:
        return F.normalize(F.interpolate(pixels - 0.5, (8, 8), mode="area").flatten(1) @ self.eyes, dim=-1)

    def sound(self, samples: torch.Tensor, rate_hz: int) -> torch.Tensor:
        return F.normalize(samples.unfold(1, 128, 128).mean(1).abs().cumsum(1)[:, :65] @ self.ears, dim=-1)

    def text(self, phrases: list[str]) -> torch.Tensor:
        seeds = (torch.Generator().manual_seed(len(phrase)) for phrase in phrases)
        return F.normalize(torch.stack([torch.randn(16, generator=seed) for seed in seeds]), dim=-1)


@pytest.fixture
def projection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "projection"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "projection"}))
    EMBEDDERS.register("projection", NetworkKind(lambda *_: Projection()))
    return folder


@pytest.fixture
def flags(pair: tuple[Path, Path], projection: Path) -> list[str]:
    named = {
        "image-model": pair[0], "audio-model": pair[1], "embedder": projection, "device": "cpu",
        "caption": "a dog barking", "size": "64x32", "steps": 4, "gradient-steps": 2, "optimise": 3,
    }  # fmt: skip
    return [part for name, value in named.items() for part in (f"--{name}", str(value))]


@pytest.fixture
def barking(tmp_path: Path) -> Path:
    noise = np.random.default_rng(0).normal(0, 0.2, (2, 8000)).astype(np.float32)
    write_wav(tmp_path / "barking.wav", Clip(noise, 8000))
    return tmp_path / "barking.wav"


@pytest.fixture(scope="module")
def scene(pair: tuple[Path, Path]) -> Scene:
    model = Loader(CPU, torch.float32, offline=True).model(str(pair[0]), "image")
    noise = torch.randn(1, 4, 4, 8, generator=torch.Generator().manual_seed(3))
    words, nothing = (model.text.encode(text) for text in ("a painting of a dog", ""))
    return Scene(model, words, nothing, 3.0, noise, "ddim", 5)


def gradient(scene: Scene, plan: Plan) -> tuple[torch.Tensor, torch.Tensor]:
    weights = torch.ones(77, requires_grad=True)
    picture = sample(scene, weights, plan, lambda _: None)
    picture.square().mean().backward()
    return picture.detach(), weights.grad


def test_checkpointing_changes_no_gradient_and_late_gradients_no_picture(scene: Scene) -> None:
    picture, whole = gradient(scene, Plan())
    again, checkpointed = gradient(scene, Plan(checkpointed=True))
    assert torch.equal(picture, again)
    assert torch.allclose(whole, checkpointed, rtol=1e-4, atol=1e-9)
    late_picture, late = gradient(scene, Plan(gradient_steps=2))
    assert torch.equal(picture, late_picture)
    assert not torch.allclose(whole, late, rtol=0.1)
    _, all_of_them = gradient(scene, Plan(gradient_steps=5))
    assert torch.allclose(whole, all_of_them, rtol=1e-4, atol=1e-9)


def test_the_gradient_is_the_slope(scene: Scene) -> None:
    """Against a finite difference along the steepest way."""
    _, slope = gradient(scene, Plan())
    way = slope / slope.norm()
    with torch.no_grad():
        ends = [
            sample(scene, torch.ones(77) + sign * 1e-3 * way, Plan(), lambda _: None).double().square().mean()
            for sign in (1, -1)
        ]
    assert float(ends[0] - ends[1]) / 2e-3 == pytest.approx(float(slope.norm()), rel=0.05)


def test_the_first_trial_has_the_given_weights_and_the_loss_falls(scene: Scene) -> None:
    eyes = Projection()
    aim = Aim(eyes, eyes.text(["abc"]), eyes, eyes.text(["abcdef"]))
    given = 0.5 + torch.rand(77, generator=torch.Generator().manual_seed(2))
    nouns = torch.arange(77) == 5
    plan = Plan(trials=6, noun_rate=0.0, other_rate=0.03, condition_share=0.0)
    trials = list(optimise(scene, aim, plan, given, nouns, lambda _: None))
    assert torch.equal(trials[0].weights, given) and len(trials) == 6
    assert all(trial.weights[5] == given[5] for trial in trials)  # a rate of 0 moves no noun
    assert min(trial.loss for trial in trials[1:]) < trials[0].loss
    held = list(optimise(scene, aim, replace(plan, condition_share=1.0), given, nouns, lambda _: None))
    off = [float((run[-1].weights - 1).abs()[~nouns].mean()) for run in (held, trials)]
    assert off[0] < off[1]  # the first term pulls back to the plain caption


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # on a busy machine
@given(st.lists(st.tuples(st.floats(0, 3), st.floats(-1, 1)), min_size=1, max_size=12))
def test_the_best_trial_never_trades_the_sound_for_the_caption(pairs: list[tuple[float, float]]) -> None:
    nothing = torch.zeros(1)
    trials = [Trial(nothing, nothing, loss, to_sound, 0.0) for loss, to_sound in pairs]
    best = trials[best_of(trials)]
    assert best.to_sound >= trials[0].to_sound and best.loss <= trials[0].loss
    assert not any(t.loss < best.loss and t.to_sound >= trials[0].to_sound for t in trials)


def test_patience_ends_it(scene: Scene) -> None:
    eyes = Projection()
    aim = Aim(eyes, eyes.text(["abc"]), eyes, eyes.text(["abcdef"]))
    plan = Plan(trials=9, noun_rate=0.0, other_rate=0.0, patience=2)
    same = list(optimise(scene, aim, plan, torch.ones(77), torch.zeros(77, dtype=torch.bool), lambda _: None))
    assert len(same) == 3 and len({trial.loss for trial in same}) == 1


def test_the_spherical_distance_is_half_the_squared_angle() -> None:
    angles = torch.tensor([0.1, 1.0, 2.0, 3.0], dtype=torch.float64)
    assert torch.allclose(spherical(angles.cos()), angles.square() / 2, rtol=1e-6)


def test_words_find_their_tokens(scene: Scene) -> None:
    encoder = scene.model.text
    caption = Caption.from_text("woodpeckers hammering, then rain")
    prompt = make_prompt(caption, "a painting of {}, grayscale", encoder)
    assert prompt.text == "a painting of woodpeckers hammering, then rain, grayscale"
    ids = encoder.padded(prompt.text)
    parts = [encoder.tokenizer.decode(ids[first:end]).replace(" ", "") for first, end in prompt.spans]
    assert parts == ["woodpeckers", "hammering,", "then", "rain"]
    spread = prompt.spread([2, 3, 4, 5])
    inside = [place for first, end in prompt.spans for place in range(first, end)]
    assert [i for i, value in enumerate(spread.tolist()) if value != 1] == inside
    assert len(spread) == encoder.length and spread[inside[0]] == 2 and spread[inside[-1]] == 5
    assert make_prompt(caption, "oil painting", encoder).text.endswith("then rain, oil painting")
    with pytest.raises(BadInput, match="The caption has 92 tokens"):
        make_prompt(Caption.from_text("rain " * 90), "oil", encoder)


def test_paint_makes_a_whole_folder_and_remake_the_same(barking, flags, tmp_path, capsys) -> None:
    out = tmp_path / "out"
    assert main(["paint", str(barking), *flags, "--out", str(out), "--count", "2", "--json"]) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert (out / "contact-sheet.png").is_file()
    assert {
        "picture.png",
        "spectrogram.png",
        "sound.wav",
        "video.mp4",
        "weights.png",
        "iterations.png",
    } <= set(first["files"])
    assert (first["width"], first["height"], first["duration_s"]) == (64, 32, 1.0)
    facts = first["facts"]
    assert facts["prompt"] == "a dog barking" and [w["text"] for w in facts["words"]] == [
        "a",
        "dog",
        "barking",
    ]
    assert len(facts["losses"]) == 3 and facts["losses"][facts["kept"]] <= facts["losses"][0]
    before, after = facts["similarity_to_sound"]
    assert after >= before and (facts["kept"] > 0) == (after != before)
    assert facts["unet_evaluations"] == 2 * 4 * 3
    here = [*flags[: flags.index("--device")]] if "--device" in flags else flags
    names = ("--image-model", "--audio-model", "--embedder", "--captioner", "--text-embedder")
    models = [word for i, word in enumerate(here) if word in names or (i and here[i - 1] in names)]
    again = ["remake", str(out / "0001" / "picture.png"), "--sound", str(barking), *models]
    assert main([*again, "--out", str(tmp_path / "again")]) == 0
    for name in ("picture.png", "sound.wav", "iterations.png"):
        assert (out / "0001" / name).read_bytes() == (tmp_path / "again" / "0001" / name).read_bytes()
    assert second["seed"] == first["seed"] + 1
    assert eidophone.load(out / "0000").captions[1] == "barking.wav"


def test_what_cannot_be_read_is_named_and_the_others_painted(barking, flags, tmp_path, capsys) -> None:
    (tmp_path / "damaged.wav").write_bytes(b"RIFF, but no sound")
    out = tmp_path / "out"
    fast = [*flags, "--optimise", "0", "--steps", "1", "--out", str(out)]
    assert main(["paint", str(tmp_path), *fast]) == 1
    said = capsys.readouterr()
    assert "damaged.wav" in said.err and "Traceback" not in said.err
    assert sorted(p.name for p in out.iterdir()) == ["barking"]
    assert not (out / "barking" / "0000" / "iterations.png").exists()
    assert main(["paint", str(tmp_path / "damaged.wav"), *fast]) == 2
    assert main(["paint", str(tmp_path / "projection"), *fast]) == 2
    assert "no sounds in this folder" in capsys.readouterr().err


def test_what_cannot_work_is_said_before_the_first_step(barking, flags, tmp_path, capsys) -> None:
    def said(*more: str) -> str:
        assert main(["paint", str(barking), *flags, "--out", str(tmp_path / "o"), *more]) == 2
        return capsys.readouterr().err

    assert "--size 60x32: width and height must be multiples of 8; the nearest size is 64x32" in said(
        "--size", "60x32"
    )
    assert "has more than one {}" in said("--style", "{} {}")
    assert "--size" in said("--size", "large")
    assert not (tmp_path / "o").exists()


def test_the_paper_preset_is_the_published_method() -> None:
    paper = PaintOptions.make(preset="paper", sound="x.wav")
    assert (paper.sampler, paper.steps, paper.image_guidance, paper.optimise) == ("plms", 40, 7.5, 10)
    assert (paper.noun_rate, paper.other_rate, paper.condition_share) == (0.01, 0.01, 0.01)
    assert paper.gradient_steps is None and paper.patience is None
    assert paper.keep == "last" and not paper.checkpointing and paper.weights_per == "channel"
    models = (paper.image_model, paper.captioner, paper.embedder, paper.text_embedder, paper.nouns)
    assert models == ("sd14", "act", "audioclip", "clip-b32", "flair")
    mine = PaintOptions.make(preset="paper", sound="x.wav", image_model="sd15", nouns="wordnet")
    assert (mine.image_model, mine.nouns, mine.captioner) == ("sd15", "wordnet", "act")
    fast = PaintOptions.make(sound="x.wav")
    assert fast.weights_per == "token" and fast.image_model == "tiny" and fast.nouns == "wordnet"


def test_paper_offline_names_all_that_is_missing(barking, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "flair.data", None)
    command = ["paint", str(barking), "--preset", "paper", "--offline", "--out", str(tmp_path / "o")]
    assert main(command) == 2
    said = capsys.readouterr().err
    for words in (
        "`pip install flair`", "fetch AudioCLIP-Full-Training.pt from", "fetch ACTm.pth from",
        "`eidophone models pull clip-b32`", "`eidophone models pull sd14`",
    ):  # fmt: skip
        assert words in said
    assert "Traceback" not in said and not (tmp_path / "o").exists()
    assert main([*command, "--caption", "a dog", "--nouns", "wordnet"]) == 2
    said = capsys.readouterr().err
    assert "ACTm" not in said and "flair" not in said and "models pull sd14" in said


def test_files_that_no_hub_has_are_missed_before_anything_is_fetched(
    barking, tmp_path, monkeypatch, capsys
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("eidophone.models.source.fetched", lambda *_, **__: pytest.fail("fetched"))
    assert main(["paint", str(barking), "--preset", "paper", "--nouns", "wordnet"]) == 2
    assert "fetch ACTm.pth from" in capsys.readouterr().err


def test_the_tagger_that_was_chosen_finds_the_nouns(barking, flags, tmp_path, monkeypatch, capsys) -> None:
    class Flair:
        def __init__(self, *, offline: bool) -> None:
            assert offline

        def probabilities(self, words: list[str]) -> list[float]:
            return [0.0, 0.1, 0.9]

    monkeypatch.setattr("eidophone.verbs.paint.models.FlairNouns", Flair)
    few = [*flags, "--optimise", "0", "--steps", "1", "--offline", "--json"]
    for more, nouns in (([], [1]), (["--nouns", "flair"], [2])):
        out = str(tmp_path / "-".join(["out", *more]))
        assert main(["paint", str(barking), *few, *more, "--out", out]) == 0
        (row,) = json.loads(capsys.readouterr().out)
        assert [i for i, word in enumerate(row["facts"]["words"]) if word["noun"] > 0.7] == nouns


def test_weights_per_channel_are_as_many_independent_numbers(scene: Scene) -> None:
    eyes = Projection()
    aim = Aim(eyes, eyes.text(["abc"]), eyes, eyes.text(["abcdef"]))
    width = scene.condition.shape[-1]
    begin = (0.5 + torch.rand(77, generator=torch.Generator().manual_seed(2)))[:, None].repeat(1, width)
    nouns = torch.arange(77) == 5
    plan = Plan(trials=3, noun_rate=0.0, other_rate=0.03, condition_share=0.0)
    trials = list(optimise(scene, aim, plan, begin, nouns, lambda _: None))
    assert torch.equal(trials[0].weights, begin) and trials[-1].weights.shape == (77, width)
    assert torch.equal(trials[-1].weights[5], begin[5])  # a rate of 0 moves no noun
    moved = (trials[-1].weights - begin)[~nouns]
    assert (moved.abs() > 0).float().mean() > 0.9
    assert (moved.std(1) > 0.01).float().mean() > 0.9  # each channel goes its own way
    alike = list(optimise(scene, aim, plan, begin[:, 0], nouns, lambda _: None))
    assert alike[0].loss == pytest.approx(trials[0].loss, rel=1e-5)  # both begin at the same picture


def test_eta_adds_the_same_noise_to_every_picture(scene: Scene) -> None:
    """Between DDIM (0) and DDPM (1); the noise is part of the sample, not of the trial."""
    draws = Draws.seeded(3)
    pictures = {}
    for eta in (0.0, 0.5, 1.0):
        noisy = replace(scene, eta=eta, draws=draws)
        with torch.no_grad():
            both = [sample(noisy, torch.ones(77), Plan(), lambda _: None) for _ in range(2)]
        assert torch.equal(*both)
        pictures[eta] = both[0]
    assert not torch.equal(pictures[0.0], pictures[0.5]) and not torch.equal(pictures[0.5], pictures[1.0])
    with torch.no_grad():
        assert torch.equal(pictures[0.0], sample(scene, torch.ones(77), Plan(), lambda _: None))
    with pytest.raises(BadInput, match=r"--eta 0.5: only the sampler ddim has it"):
        PaintOptions.make(sound="x.wav", eta=0.5)


def test_progress_counts_every_step_of_plms(scene: Scene) -> None:
    """17 steps of PLMS are 18, and the first asks twice."""
    steps: list[int] = []
    eyes = Projection()
    aim = Aim(eyes, eyes.text(["abc"]), eyes, eyes.text(["abcdef"]))
    plms = replace(scene, sampler="plms", steps=17)
    none = torch.zeros(77, dtype=torch.bool)
    list(optimise(plms, aim, Plan(trials=2), torch.ones(77), none, steps.append))
    assert sorted(set(steps)) == list(range(1, 37)) and steps_of(plms) == 18
