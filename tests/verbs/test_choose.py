"""The best of many: what is chosen, at which cost, and that a survivor is what it would have been."""

from pathlib import Path

import numpy as np
import pytest
import torch

import eidophone
from eidophone.cli import main
from eidophone.core.errors import BadInput
from eidophone.core.values import Result, Score
from eidophone.diffusion.canvas import start_noise
from eidophone.diffusion.sampler import cumulative_alphas, make_scheduler, sampling_steps
from eidophone.verbs.compose.options import ComposeOptions
from eidophone.verbs.shared.best_of_n import rejection_plan
from tests.verbs.test_samples import FILES, PROMPTS, models, off


def by_light(result: Result) -> Score:
    """A judge that costs nothing: light at the left, light at the right."""
    gray = result.picture.gray()
    half = gray.shape[1] // 2
    return Score({"light.looks": float(gray[:, :half].mean()), "light.sounds": float(gray[:, half:].mean())})


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("compose", "imprint"):
        monkeypatch.setattr(f"eidophone.verbs.{module}.pipeline.open_judge", lambda *_: by_light)


@pytest.mark.parametrize("sampler", ["ddim", "plms", "dpm++2m", "unipc"])
def test_a_survivor_is_what_it_is_without(sampler: str, judged, settings) -> None:
    given = {"steps": 12, "sampler": sampler, "batch_size": 4, **settings}
    every = eidophone.compose(*PROMPTS, count=7, **given)
    chosen = eidophone.compose(*PROMPTS, count=2, from_=7, judges="light", **given)
    assert len(chosen) == 2
    for result in chosen:
        alone = every[result.index]
        assert off(alone.arrays["latents"], result.arrays["latents"]) < 1e-4
        assert result.recipe.seed == alone.recipe.seed


def test_without_early_rejection_it_is_the_best_of_all(judged, settings) -> None:
    every = eidophone.compose(*PROMPTS, count=9, steps=5, judges="light", **settings)
    given = {"steps": 5, "judges": "light", "rank_by": "weights", "looks_weight": 0.3, **settings}
    chosen = eidophone.compose(*PROMPTS, count=2, from_=9, early_rejection=False, **given)
    looks, sounds = (np.array([r.score.side(side) for r in every]) for side in ("looks", "sounds"))
    merit = 0.3 * (looks - looks.mean()) / looks.std() + 0.7 * (sounds - sounds.mean()) / sounds.std()
    assert [r.index for r in chosen] == np.argsort(-merit)[:2].tolist()
    for result in chosen:
        assert result.score.numbers == pytest.approx(every[result.index].score.numbers, abs=1e-4)


def test_a_survivor_is_remade_byte_for_byte(judged, settings, tmp_path: Path) -> None:
    given = {"steps": 12, "reuse_steps": 1, "batch_size": 4, "judges": "light", **settings}
    chosen = eidophone.compose(*PROMPTS, count=2, from_=9, index=5, out=tmp_path / "a", **given)
    assert [r.recipe.options.plain()["samples"] for r in chosen] == [sorted(r.index for r in chosen)] * 2
    for result, name in zip(chosen, ("picture.png", "sound.wav"), strict=True):
        again = eidophone.remake(result.folder / name, out=tmp_path / "b", **models(settings))
        for file in FILES - {"record.json"}:
            assert (again.folder / file).read_bytes() == (result.folder / file).read_bytes(), file


def test_evaluations_are_counted_for_survivors_and_for_all(judged, settings) -> None:
    given = {"steps": 12, "reuse_steps": 1, "judges": "light", **settings}
    chosen = eidophone.compose(*PROMPTS, count=2, from_=8, **given)
    assert all(r.facts["unet_evaluations"] == 4 * 12 for r in chosen)
    assert {r.facts["unet_evaluations_of_all"] for r in chosen} == {4 * (8 * 4 + 2 * 12)}


@pytest.mark.parametrize(("count", "many"), [(1, 1), (1, 2), (4, 5), (4, 32), (30, 32), (1, 64)])
@pytest.mark.parametrize("steps", [1, 2, 3, 12, 25, 100])
def test_scouting_shrinks_and_costs_less_than_it_saves(count: int, many: int, steps: int) -> None:
    plain = {"guidance_stop_step": None, "reuse_steps": 1, "judges": "tagger"}
    options = ComposeOptions.make(count=count, from_=many, steps=steps, **plain)
    plan = rejection_plan(options)
    if plan:
        assert count <= plan.keep < many
        assert plan.steps <= max(0.24 * steps, 4) and plan.steps <= steps / 3
    else:
        assert steps < 12 or many - count < 2
    assert rejection_plan(options.model_copy(update={"early_rejection": False})) is None


def test_cheap_samples_are_not_made_roughly_first() -> None:
    """Where inner features are reused, a rough sample costs nearly as much as a whole one."""
    given = {"count": 1, "from_": 32, "steps": 12, "judges": "tagger"}
    plain = ComposeOptions.make(**given, guidance_stop_step=None, reuse_steps=1)
    reused = ComposeOptions.make(**given, guidance_stop_step=8, reuse_steps=2)
    # two answers a step, of which the unguided ones are saved; every second one costs a tenth
    assert (plain.cost_per_sample, reused.cost_per_sample) == (24, pytest.approx(6 + 4 + 0.1 * 10))
    assert rejection_plan(plain) is not None and rejection_plan(reused) is None
    assert reused.coarse(6).reuse_steps == 1


def test_a_rough_sample_is_nearly_what_it_is_going_to_be() -> None:
    """The law behind early rejection, for a denoiser that is known: of one noise, few steps end near many."""
    schedule = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
    alphas = cumulative_alphas(schedule)

    def two_points(x: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        """The noise in x if clean numbers are -1 or 1, each half of the time."""
        a = alphas[int(timestep)]
        clean = torch.tanh(x * a.sqrt() / (1 - a))
        return (x - a.sqrt() * clean) / (1 - a).sqrt()

    noise, ends = start_noise((1, 500), 3), {}
    for steps in (4, 8, 100):
        scheduler = make_scheduler("dpm++2m", schedule, steps)
        ends[steps] = [state.latents for state in sampling_steps(two_points, noise, scheduler)][-1]
    same = {steps: float((ends[steps].sign() == ends[100].sign()).float().mean()) for steps in (4, 8)}
    assert same[4] > 0.95 and same[8] > 0.98


@pytest.mark.parametrize("view", ["identity", "rows"])
def test_rough_samples_begin_their_parts_at_the_same_share(view: str) -> None:
    options = ComposeOptions.make(preset="paper", view=view, crop=False, guidance_stop_step=90)
    rough = options.coarse(8)
    assert (rough.steps, rough.image_start_step, rough.audio_start_step) == (8, 1, 0)
    assert rough.guidance_stop_step == 7
    assert options.model_copy(update={"image_start_step": 100}).coarse(8).image_start_step == 8


def test_candidates_take_audio_weights_in_turn(judged, settings, tmp_path: Path) -> None:
    given = {"steps": 12, "judges": "light", "index": 4, **settings}
    chosen = eidophone.compose(
        *PROMPTS, count=3, from_=9, audio_weights="0.2,0.5,0.9", out=tmp_path / "a", **given
    )
    for result in chosen:
        weight = (0.2, 0.5, 0.9)[(result.index - 4) % 3]
        assert result.recipe.options.plain()["audio_weight"] == weight
        (alone,) = eidophone.compose(
            *PROMPTS, **{**given, "index": result.index}, count=1, audio_weight=weight
        )
        assert off(alone.arrays["latents"], result.arrays["latents"]) < 1e-4
        again = eidophone.remake(result.folder, out=tmp_path / "b", **models(settings))
        assert (again.folder / "picture.png").read_bytes() == (result.folder / "picture.png").read_bytes()


def test_failed_scores_do_not_stop_a_choice(settings, monkeypatch) -> None:
    def failing(result: Result) -> Score:
        return by_light(result) if result.index % 2 else Score({}, {"light": "looked away"})

    monkeypatch.setattr("eidophone.verbs.compose.pipeline.open_judge", lambda *_: failing)
    chosen = eidophone.compose(*PROMPTS, count=3, from_=5, steps=5, judges="light", **settings)
    assert {r.index for r in chosen[:2]} == {1, 3} and chosen[2].index in {0, 2, 4}


def test_the_best_imprints(judged, settings, tmp_path: Path) -> None:
    given = {"image_steps": 2, "audio_steps": 2, "batch_size": 2, "judges": "light", **settings}
    every = eidophone.imprint(*PROMPTS, count=5, **given)
    chosen = eidophone.imprint(*PROMPTS, count=2, from_=5, out=tmp_path / "a", **given)
    weakest = [min(by_light(r).numbers.values()) for r in every]
    assert len({r.index for r in chosen}) == 2
    assert chosen[0].facts["candidates"] == 5
    assert chosen[0].facts["unet_evaluations_of_all"] == sum(r.facts["unet_evaluations"] for r in every)
    assert max(weakest) >= min(by_light(chosen[0]).numbers.values())
    again = eidophone.remake(chosen[0].folder, out=tmp_path / "b", **models(settings))
    assert (again.folder / "sound.wav").read_bytes() == (chosen[0].folder / "sound.wav").read_bytes()


def test_the_command_prints_scores_best_first(settings, tmp_path, capsys) -> None:
    models = ["--image-model", settings["image_model"], "--audio-model", settings["audio_model"]]
    more = ["--count", "2", "--from", "6", "--steps", "5", "--device", "cpu", "--judges", "tagger"]
    assert main(["compose", "castle", "dog barking", *more, *models, "--out", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["sample", "seed", "sounds"]
    assert float(lines[1].split()[2]) >= float(lines[2].split()[2])
    assert lines[3].startswith("Best of 6 candidates, which took ")
    stored = [eidophone.load(folder.parent) for folder in tmp_path.glob("*/record.json")]
    assert all("tagger.sounds" in result.score.numbers for result in stored)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"from_": 2, "count": 3, "judges": "clean"}, "--from 2: too few"),
        ({"from_": 8, "judges": "none"}, "needs a judge"),
        ({"from_": 8, "audio_weights": "0.3,1.5"}, "weights from 0 to 1"),
        ({"from_": 8, "audio_weights": "some"}, "weights from 0 to 1"),
        ({"audio_weights": "0.3,0.5"}, "needs --from"),
        ({"samples": (3, 3), "count": 2}, "lists one sample, but --count is 2"),
        ({"samples": (3, 4, 9), "count": 2}, "lists 3 different samples, but --count is 2"),
    ],
)
def test_what_cannot_be_chosen_is_refused(given, words) -> None:
    with pytest.raises(BadInput, match=words):
        ComposeOptions.make(**given)


def test_who_judges_unless_somebody_is_named() -> None:
    assert ComposeOptions.make().judge_names == "none"
    assert ComposeOptions.make(from_=8).judge_names == "canvas"
    assert ComposeOptions.make(judges="tagger").judge_names == "tagger"


def test_choosing_stays_within_the_aimed_cost() -> None:
    """At most 40 % of 25 steps for each of 32, all computed and guided: scouted, or by default as cheap as that."""
    plain = {"steps": 25, "guidance_stop_step": None, "reuse_steps": 1}
    for count in (1, 4):
        scouted = ComposeOptions.make(from_=32, count=count, judges="tagger", **plain)
        aim = 0.4 * 32 * scouted.cost_per_sample
        plan = rejection_plan(scouted)
        assert plan is not None
        assert 32 * scouted.coarse(plan.steps).cost_per_sample + plan.keep * scouted.cost_per_sample <= aim
        default = ComposeOptions.make(from_=32, count=count, judges="tagger")
        assert rejection_plan(default) is None and 32 * default.cost_per_sample <= aim
