"""The two-choice test: drawn by seed, blind, and analysed with intervals; strangers' files are checked."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest

from eidophone.cli import main
from eidophone.core.errors import BadInput
from eidophone.core.values import Result
from eidophone.evaluation.questionnaire import page
from eidophone.evaluation.questionnaire.answers import Answer, Answers, Sheet, read_answers
from eidophone.evaluation.questionnaire.preference import verdict_of, wilson
from eidophone.evaluation.questionnaire.trials import DECOY, Key, Plan, Sample, Trial, drawn
from eidophone.results import store as records
from eidophone.results.store import Store
from tests.scoring.conftest import make_result  # noqa: F401 (fixture)

METHODS = ("average", "inlay")
PROMPTS = [("a castle", "bell ringing"), ("three frogs", "frog croaking"), ("</script><b>", 'say "no"')]


def samples(method: str, count: int = 4) -> list[Sample]:
    return [
        Sample(f"{method}/{i}-{looks}", looks, sounds, i) for looks, sounds in PROMPTS for i in range(count)
    ]


SAMPLES = [samples(name) for name in METHODS]
PLAN = Plan(pairs=8, repeats=3, catches=2, seed=5)


# --- what is asked -----------------------------------------------------------------------------------


def test_pairs_share_prompts_and_index() -> None:
    trials = drawn(METHODS, SAMPLES, PLAN)
    pairs = [trial for trial in trials.values() if trial.kind == "pair"]
    assert len(pairs) == 8 and len({frozenset((t.left_sample, t.right_sample)) for t in pairs}) == 8
    for trial in pairs:
        assert {trial.left, trial.right} == set(METHODS)
        assert trial.left_sample.startswith(trial.left) and trial.right_sample.startswith(trial.right)
        assert trial.left_sample.split("/")[1] == trial.right_sample.split("/")[1]
        assert trial.image_prompt in trial.left_sample


def test_repeats_are_swapped_and_come_last() -> None:
    trials = drawn(METHODS, SAMPLES, PLAN)
    repeats = {name: trial for name, trial in trials.items() if trial.kind == "repeat"}
    assert list(repeats) == list(trials)[-3:]
    for trial in repeats.values():
        before = trials[trial.of]
        assert before.kind == "pair"
        assert (trial.left, trial.right_sample) == (before.right, before.left_sample)


def test_the_seed_decides_and_sides_are_even() -> None:
    assert drawn(METHODS, SAMPLES, PLAN) == drawn(METHODS, SAMPLES, PLAN)
    assert drawn(METHODS, SAMPLES, PLAN) != drawn(METHODS, SAMPLES, replace(PLAN, seed=6))
    many = [samples(name, 300) for name in METHODS]
    left = [t.left for t in drawn(METHODS, many, Plan(200, 0, 0, 1)).values()]
    assert binomtest(left.count("average"), 200).pvalue > 0.001
    order = [t.image_prompt for t in drawn(METHODS, many, Plan(200, 0, 0, 1)).values()]
    assert order != sorted(order)


def test_catch_trials_show_a_sample_beside_noise() -> None:
    caught = [t for t in drawn(METHODS, SAMPLES, replace(PLAN, catches=40)).values() if t.kind == "catch"]
    assert len(caught) == 40
    for trial in caught:
        assert (trial.left == DECOY) != (trial.right == DECOY)
        assert bool(trial.left_sample) == (trial.left != DECOY)
    assert {trial.left == DECOY for trial in caught} == {True, False}


def test_fewer_samples_make_fewer_pairs() -> None:
    trials = drawn(METHODS, [SAMPLES[0], SAMPLES[1][:1]], PLAN)
    assert [t.kind for t in trials.values()].count("pair") == 1
    other = [replace(sample, image_prompt="other") for sample in SAMPLES[1]]
    with pytest.raises(BadInput, match="same prompts"):
        drawn(METHODS, [SAMPLES[0], other], PLAN)


def test_pictures_of_recordings_are_paired_by_their_recording() -> None:
    """One caption may stand for many recordings, and names may be in another order."""
    heard = {"a/0": "rain", "a/1": "wind", "b/0": "wind", "b/1": "rain"}
    both = [
        [Sample(name, "noise", "", 0, sound) for name, sound in heard.items() if name[0] == m] for m in "ab"
    ]
    for trial in drawn(("a", "b"), both, Plan(2, 0, 0, 0)).values():
        assert heard[trial.left_sample] == heard[trial.right_sample]


def test_only_what_has_a_prompt_is_asked() -> None:
    trial = Trial(kind="pair", left="a", right="b", image_prompt="x")
    assert trial.questions() == ("looks", "overall")


# --- the page ----------------------------------------------------------------------------------------


@pytest.fixture
def runs(make_result: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:  # noqa: F811
    monkeypatch.setattr(records, "write_video", lambda path, *_, **__: path.write_bytes(b"film"))
    folders = [tmp_path / "runs" / name for name in METHODS]
    for side, folder in enumerate(folders):
        for i, (looks, sounds) in enumerate(PROMPTS):
            result = make_result(10 * side + i, width=64)
            recipe = result.recipe.changed(options={"image_prompt": looks, "audio_prompt": sounds})
            Store(folder / str(i)).save(replace(result, index=0, recipe=recipe))
    return folders


def asked(runs: list[Path], out: Path, *more: str) -> int:
    return main(["evaluate", "--questionnaire", *map(str, runs), "--out", str(out), *more])


def test_the_page_is_whole_small_and_blind(runs: list[Path], tmp_path: Path, capsys) -> None:
    assert asked(runs, tmp_path / "out", "--pairs", "3", "--repeats", "1", "--catches", "1") == 0
    assert "3 pairs, 1 of them twice, 1 catch trials" in capsys.readouterr().out
    html = (tmp_path / "out" / "questionnaire.html").read_text()
    key = Key.read(tmp_path / "out" / "key.json")
    assert len(html) < 2_000_000
    data = json.loads(html.split('id="data">')[1].split("</script>")[0])
    assert set(data) == {"questionnaire", "trials", "media"}
    assert [one["name"] for one in data["trials"]] == list(key.trials)
    assert set(data["trials"][0]) == {"name", "sides", "prompts", "questions"}
    assert data["questionnaire"] == key.questionnaire
    told = json.dumps(data["trials"])  # which sample or method is on which side is not
    assert not any(secret in told for secret in (*METHODS, "runs", "kind", "catch", "repeat", DECOY, "0000"))
    shown = {one["prompts"]["image"] for one in data["trials"]}
    assert shown == {looks for looks, _ in PROMPTS}  # also the one that looks like markup
    assert "<b>" not in html and html.count("</script>") == 2
    assert 'src="http' not in html and "https:" not in html
    # a repeated pair and a catch trial use what is there: 6 samples and a decoy, a picture and a sound each
    assert len(data["media"]) == 14


def test_the_same_seed_makes_the_same_page(runs: list[Path], tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert asked(runs, tmp_path / name, "--order-seed", "3") == 0
    for file in ("questionnaire.html", "key.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_bad_folders_are_named(runs: list[Path], tmp_path: Path, capsys, monkeypatch) -> None:
    (tmp_path / "empty").mkdir()
    assert asked(runs[:1], tmp_path / "out") == 2
    assert "two folders" in capsys.readouterr().err
    assert asked([runs[0], tmp_path / "empty"], tmp_path / "out") == 2
    assert "no finished samples" in capsys.readouterr().err
    monkeypatch.setattr(page, "MOST_BYTES", 1000)
    assert asked(runs, tmp_path / "out") == 2
    assert "lower --pairs" in capsys.readouterr().err
    assert not (tmp_path / "out" / "questionnaire.html").exists()


# --- answers and preferences -------------------------------------------------------------------------

KEY = Key(questionnaire="q", methods=list(METHODS), trials=drawn(METHODS, SAMPLES, PLAN))


def sheet(person: str, prefers: Callable[[str, str], bool], *, noise: bool = False) -> Sheet:
    """Answers of somebody who takes the first method where `prefers(trial, question)` says so."""
    answers = []
    for name, trial in KEY.trials.items():
        for question in trial.questions():
            first = prefers(trial.of or name, question)
            wanted = METHODS[0] if first else METHODS[1]
            if trial.kind == "catch":
                wanted = DECOY if noise else next(x for x in (trial.left, trial.right) if x != DECOY)
            choice = "left" if trial.left == wanted else "right"
            answers.append(Answer(trial=name, question=question, choice=choice, seconds=2.5))
    return Sheet(questionnaire="q", participant=person, answers=answers)


def test_a_clear_preference_is_found_whichever_side_it_is_on() -> None:
    people = [sheet(f"p{i}", lambda _, question: question == "looks") for i in range(3)]
    verdict = verdict_of(Answers(people, []), KEY)
    found = {one.question: one for one in verdict.preferences}
    assert (found["looks"].chosen, found["looks"].count) == (24, 24)
    assert (found["sounds"].chosen, found["overall"].chosen) == (0, 0)
    assert found["looks"].decided and found["sounds"].decided
    assert (verdict.repeats, verdict.consistent) == (27, 27)


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    hits = [low <= 0.6 <= high for low, high in (wilson(int(k), 40) for k in rng.binomial(40, 0.6, 2000))]
    assert 0.93 < np.mean(hits) < 0.97
    reference = binomtest(17, 40).proportion_ci(method="wilson")
    assert wilson(17, 40) == pytest.approx((reference.low, reference.high), abs=1e-4)


def test_people_who_differ_widen_the_interval_over_people() -> None:
    """Two who always say one thing and two who say the other: many answers, but four opinions."""
    people = [sheet(f"p{i}", lambda *_, i=i: i < 2) for i in range(4)]
    (looks, *_) = verdict_of(Answers(people, []), KEY).preferences
    assert looks.share == 0.5 and not looks.decided
    assert looks.bootstrap_low == 0 and looks.bootstrap_high == 1
    assert looks.low > 0.3


def test_who_takes_the_noise_does_not_count() -> None:
    people = [sheet("careful", lambda *_: True), sheet("asleep", lambda *_: False, noise=True)]
    verdict = verdict_of(Answers(people, []), KEY)
    assert verdict.inattentive == ["asleep"] and verdict.participants == 1
    assert all(one.share == 1 and one.bootstrap_low is None for one in verdict.preferences)


def written(path: Path, one: Sheet) -> Path:
    path.write_text(json.dumps({"format": 1, "name": "Al", "started": "", **one.model_dump()}))
    return path


def test_the_fuller_file_of_a_participant_counts(tmp_path: Path) -> None:
    whole = sheet("p", lambda *_: True)
    part = whole.model_copy(update={"answers": whole.answers[:4]})
    files = [written(tmp_path / "part.json", part), written(tmp_path / "whole.json", whole)]
    rows = ["questionnaire,participant,trial,question,choice,seconds"]
    rows += [f"q,p,{a.trial},{a.question},{a.choice},{a.seconds}" for a in whole.answers]
    (tmp_path / "whole.csv").write_text("\r\n".join(rows) + "\r\n")
    found = read_answers([*files, tmp_path / "whole.csv"], KEY)
    assert [one.answers for one in found.sheets] == [whole.answers]
    assert [Path(name).name for name in found.duplicates] == ["part.json", "whole.csv"]
    assert read_answers([tmp_path / "whole.csv"], KEY).sheets[0].answers == whole.answers


def test_answers_to_what_was_not_asked_do_not_count(tmp_path: Path) -> None:
    good = sheet("p", lambda *_: True)
    more = [Answer(trial="t999", question="looks", choice="left"), good.answers[0]]
    found = read_answers(
        [written(tmp_path / "a.json", good.model_copy(update={"answers": [*good.answers, *more]}))], KEY
    )
    assert found.sheets[0].answers == good.answers


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", "{"),
        ("a.json", '{"format": 2}'),
        ("a.json", '{"format": 1, "questionnaire": "q", "participant": "p", "answers": [{"trial": "t001"}]}'),
        ("a.json", '{"format": 1, "questionnaire": "other", "participant": "p", "answers": []}'),
        ("a.csv", "x,y\n1,2\n"),
        ("a.csv", "questionnaire,participant,trial,question,choice,seconds\n"),
        ("a.csv", "questionnaire,participant,trial,question,choice,seconds\nq,p,t001,looks,left,nan\n"),
        ("a.csv", "\xff\xfe\x00"),
    ],
)
def test_damaged_answers_are_named(name: str, content: str, tmp_path: Path, capsys) -> None:
    (tmp_path / name).write_text(content, encoding="latin-1")
    KEY.write(tmp_path / "key.json")
    code = main(["evaluate", "--answers", str(tmp_path / name), "--out", str(tmp_path / "out")])
    said = capsys.readouterr().err
    assert code == 2 and name in said and said.count("\n") == 1 and "Traceback" not in said


def test_the_command_says_what_people_prefer(tmp_path: Path, capsys) -> None:
    KEY.write(tmp_path / "key.json")
    files = [
        written(tmp_path / f"answers-{i}.json", sheet(f"p{i}", lambda _, question: question == "looks"))
        for i in range(3)
    ]
    written(tmp_path / "again.json", sheet("p0", lambda *_: True))
    code = main(
        [
            "evaluate",
            "--answers",
            *map(str, files),
            str(tmp_path / "again.json"),
            "--out",
            str(tmp_path / "out"),
        ]
    )
    said = capsys.readouterr()
    assert code == 0 and "3 participants; share that chose average over inlay" in said.out
    assert "average preferred" in said.out and "inlay preferred" in said.out
    assert "again.json was left out" in said.err
    found = json.loads((tmp_path / "out" / "preferences.json").read_text())
    assert found["preferences"][0] == {
        "question": "looks", "chosen": 24, "count": 24, "share": 1.0, "decided": True,
        "low": pytest.approx(0.862, abs=1e-3), "high": 1.0, "bootstrap_low": 1.0, "bootstrap_high": 1.0,
    }  # fmt: skip


def test_a_key_that_is_not_there_is_asked_for(tmp_path: Path, capsys) -> None:
    file = written(tmp_path / "a.json", sheet("p", lambda *_: True))
    assert main(["evaluate", "--answers", str(file), "--out", str(tmp_path / "out")]) == 2
    assert "--key" in capsys.readouterr().err
