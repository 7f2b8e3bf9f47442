"""The protocol in-the-wild: data sets found or named, paintings resumed, differences paired, captions measured."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest

import eidophone
from eidophone.cli import main
from eidophone.core.errors import BadInput
from eidophone.core.values import Caption, Clip, Word
from eidophone.data.recordings import Recording
from eidophone.evaluation.journal import Row
from eidophone.evaluation.wild.cider import cider_d
from eidophone.evaluation.wild.datasets import DATASETS, Choice, recordings_of, spread
from eidophone.evaluation.wild.findings import compared, findings_of, named
from eidophone.evaluation.wild.paintings import METHODS, Place, key_of
from eidophone.media.audio import write_wav
from eidophone.models.captioners.nouns import Nouns
from eidophone.models.captioners.weights import attention, positioned, weigh
from eidophone.options.commands import EvaluateOptions
from tests.data.test_sets import table, tone


def noise(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = np.random.default_rng(seed).normal(0, 0.1, (1, 16_000)).astype(np.float32)
    write_wav(path, Clip(samples, 16_000))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Clotho with one sound, ESC-10 with two classes and two folds."""
    root = tmp_path / "data"
    tone(root / "clotho" / "evaluation" / "a b.wav", 440)
    said = {"file_name": "a b.wav"} | {f"caption_{i}": f"a tone sounds {i} times" for i in range(1, 6)}
    table(root / "clotho" / "clotho_captions_evaluation.csv", [said])
    for fold in (1, 4):
        for seed, label in enumerate(("rain", "dog_bark")):
            noise(root / "esc10" / label / f"{fold}-{seed}-A.wav", 10 * fold + seed)
    return root


def quiet(*_: object) -> None:
    pass


# --- attention terms ---------------------------------------------------------------------------------


class Given(Nouns):
    def probabilities(self, words):
        return [0.9 if word == "dog" else 0.2 for word in words]


def test_each_term_weighs_by_its_own_attention() -> None:
    heard = Caption(
        tuple(Word(text, sure, 0, 1) for text, sure in (("a", 0.5), ("dog", 0.4), ("barks", 0.8)))
    )
    audio, noun = [0.5, 0.4, 0.8], [0.2, 0.9, 0.2]
    assert weigh(heard, Given(), "none").weights == (1, 1, 1)
    assert list(weigh(heard, Given(), "audio").weights) == positioned(audio)
    assert list(weigh(heard, Given(), "sentence").weights) == positioned(noun)
    both = weigh(heard, Given(), "both")
    assert list(both.weights) == positioned(attention(audio, noun)) and both == weigh(heard, Given())
    assert both.weights[1] - positioned([0.0] * 3)[1] == pytest.approx(0.9 + 0.1 * 0.4)


# --- CIDEr-D -----------------------------------------------------------------------------------------

CAPTIONS = [
    "A dog barking, and rain.",
    "a church bell rings in the distance",
    "rain rain rain rain on a roof",
    "wind and a dog",
]
REFERENCES = [
    ["a dog barks while rain falls", "The dog is barking in the rain."],
    ["a bell rings in the distance", "church bells ring", "a church bell rings loudly over and over"],
    ["rain falls on a roof"],
    ["a car drives past and honks", "a car passes by on a wet road", "cars honk"],
]


def test_cider_is_that_of_the_published_implementation() -> None:
    """Numbers of pycocoevalcap 1.2, pycocoevalcap.cider.cider.Cider, for the same texts in lower case."""
    published = [1.613134791, 3.792865952, 2.243796492, 0.063730242]
    assert cider_d(CAPTIONS, REFERENCES) == pytest.approx(published, abs=1e-8)


def test_cider_is_10_for_the_only_reference_and_0_for_other_words() -> None:
    own = ["a dog barks at the gate", "rain falls on a tin roof", "church bells ring far away"]
    assert cider_d(own, [[text] for text in own]) == pytest.approx([10, 10, 10])
    assert cider_d(["wind", "waves", "owls"], [[text] for text in own]) == [0, 0, 0]


def test_a_label_is_named_whatever_the_ending() -> None:
    assert named("a dog barking", ["dog_bark"]) == 1
    assert named("a rooster crowing and ocean waves", ["sea_waves", "clock_tick"]) == 0.5
    assert named("a person walking", ["person_sneeze"]) == 0


# --- data sets ---------------------------------------------------------------------------------------


def test_all_sets_that_are_there_are_used(data: Path, tmp_path: Path) -> None:
    found = recordings_of(Choice(data, most=3), tmp_path / "made", quiet)
    counts = {name: len(chosen.recordings) for name, chosen in found.items()}
    assert counts == {"clotho": 1, "esc10": 3, "multi-esc10": 3}
    assert found["multi-esc10"].labels == found["esc10"].labels == ("dog_bark", "rain")
    assert {len(r.labels) for r in found["multi-esc10"].recordings} == {2}
    assert len(found["clotho"].recordings[0].captions) == 5


def test_more_mixtures_keep_the_first_ones(data: Path, tmp_path: Path) -> None:
    few, many = (
        recordings_of(Choice(data, ("multi-esc10",), n), tmp_path / "m", quiet)["multi-esc10"].recordings
        for n in (2, 4)
    )
    assert [key_of(r) for r in few] == [key_of(r) for r in many[:2]]
    assert [r.path.read_bytes() for r in few] == [r.path.read_bytes() for r in many[:2]]


def test_a_fold_is_used_alone(data: Path, tmp_path: Path) -> None:
    chosen = recordings_of(Choice(data, ("esc10",), fold=4), tmp_path, quiet)["esc10"]
    assert {r.fold for r in chosen.recordings} == {4}
    with pytest.raises(BadInput, match="--fold 3"):
        recordings_of(Choice(data, ("esc10",), fold=3), tmp_path, quiet)


def test_fewer_recordings_are_spread_over_all() -> None:
    every = [Recording(Path(str(i))) for i in range(80)]
    few, more = spread(every, 10), spread(every, 20)
    assert [int(r.path.name) for r in few] == list(range(0, 80, 8))
    assert set(few) < set(more) and spread(every, 100) == every


@pytest.mark.parametrize("name", ["clotho", "audiocaps", "esc50", "multi-esc50"])
def test_a_missing_set_says_where_to_get_it_and_how_it_lies(name: str, tmp_path: Path, capsys) -> None:
    (tmp_path / "data").mkdir()
    code = main(["evaluate", "--protocol", "in-the-wild", "--data", str(tmp_path / "data"), "--datasets", name,
                 "--out", str(tmp_path / "out")])  # fmt: skip
    said = capsys.readouterr().err
    source = DATASETS["esc50" if name == "multi-esc50" else name]
    assert code == 2 and source.title in said and source.source in said and source.layout in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({}, "--data"),
        ({"data": "{data}", "datasets": "fsd50k"}, "there is no fsd50k"),
        ({"data": "{data}", "methods": "loud"}, "there is no loud"),
        ({"data": "{data}", "judges": "tagger"}, "needs an embedder"),
        ({"data": "{empty}"}, "holds no data set"),
    ],
)
def test_bad_settings_are_refused_before_any_work(settings, reason, data: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    given = {k: v.format(data=data, empty=tmp_path / "empty") for k, v in settings.items()}
    with pytest.raises(BadInput, match=reason):
        eidophone.evaluate([], tmp_path / "out", protocol="in-the-wild", **given)
    assert not list((tmp_path / "out").rglob("record.json"))


# --- findings ----------------------------------------------------------------------------------------


def test_differences_pair_the_same_recordings() -> None:
    values = {
        ("esc10", "none", "tiny.agrees"): {"a": 0.1, "b": 0.5, "c": 0.3},
        ("esc10", "both", "tiny.agrees"): {"b": 0.6, "a": 0.3},
        ("esc10", "both-optimised", "tiny.agrees"): {"a": 0.3, "b": 0.9},
    }
    found = {(one.method, one.against): one for one in compared(values)}
    assert set(found) == {("both", "none"), ("both-optimised", "none"), ("both-optimised", "both")}
    assert found["both", "none"].mean.mean == pytest.approx((0.2 + 0.1) / 2)
    assert found["both", "none"].mean.count == 2
    assert found["both-optimised", "both"].mean.mean == pytest.approx(0.15)
    assert found["both-optimised", "both"].better == 0.75  # one is equal
    assert found["both-optimised", "both"].wins is None


@pytest.mark.parametrize(
    ("count", "sign", "wins"), [(5, 1, None), (6, 1, True), (6, -1, False), (6, 0, None)]
)
def test_few_recordings_leave_it_open(count: int, sign: int, wins: bool | None) -> None:
    """Six that agree are the fewest that a sign test takes for more than chance."""
    plain = {str(i): 0.1 * i for i in range(count)}
    better = {key: value + sign * 0.1 + 0.01 * (int(key) % 2 * 2 - 1) for key, value in plain.items()}
    values = {("esc10", "none", "tiny.agrees"): plain, ("esc10", "both", "tiny.agrees"): better}
    (found,) = compared(values)
    assert found.wins is wins
    assert binomtest(count, count).pvalue < 0.05 or count < 6


def test_several_paintings_of_a_recording_count_once() -> None:
    recording = Recording(Path("x.wav"), labels=("rain",))
    rows = [
        Row(f"results/esc10/{method}/x/{i:04d}", image_prompt="rain", numbers={"tiny.agrees": value})
        for method, values in (("none", (0.1, 0.3)), ("audio", (0.5, 0.9)))
        for i, value in enumerate(values)
    ]
    found = findings_of(rows, {("esc10", "x"): recording})
    assert found.means["esc10", "audio"]["tiny.agrees"].mean == pytest.approx(0.7)
    assert found.means["esc10", "audio"]["tiny.agrees"].count == 1
    assert found.differences[0].mean.mean == pytest.approx(0.5)
    assert found.captions["esc10"].named.mean == 1 and found.captions["esc10"].cider_d is None


# --- the whole protocol ------------------------------------------------------------------------------


def test_the_protocol_runs_stops_and_goes_on(data: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    out = tmp_path / "out"
    command = ["evaluate", "--protocol", "in-the-wild", "--data", str(data), "--datasets", "clotho,esc10",
               "--recordings", "1", "--methods", "none,both-optimised", "--preset", "draft", "--judges", "tiny",
               "--out", str(out)]  # fmt: skip
    from eidophone.evaluation.wild import paintings

    monkeypatch.setattr(paintings, "TRIALS", 2)
    monkeypatch.setitem(
        paintings.PaintOptions.PRESETS, "draft", {"sampler": "unipc", "steps": 2, "optimise": 0}
    )
    kept, session = [], paintings.default_session()

    def _stopping(options, output):
        if len(kept) == 3:
            raise KeyboardInterrupt
        kept.append(options)
        return session.run(options, output)

    stand_in = type("S", (), {"run": staticmethod(_stopping)})()
    monkeypatch.setattr(paintings, "default_session", lambda: stand_in)
    assert main(command) == 130
    assert len(list(out.rglob("record.json"))) == 3
    before = {path: path.read_bytes() for path in out.rglob("record.json")}
    monkeypatch.setattr(paintings, "default_session", lambda: session)
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "4 paintings" in said and "ESC-10" in said and "CIDEr-D" in said
    assert {path: path.read_bytes() for path in before} == before
    summary = json.loads((out / "summary.json").read_text())
    assert {(d["dataset"], d["method"]) for d in summary["datasets"]} == {
        (name, method) for name in ("clotho", "esc10") for method in ("none", "both-optimised")
    }
    tables = (out / "tables.md").read_text()
    assert "| Clotho | both, optimised | 1 |" in tables and "| ESC-10 | both, optimised | none |" in tables
    rows = [Row.from_line(line) for line in (out / "samples.jsonl").read_text().splitlines()[1:]]
    for row in rows:
        place = Place.of(row.folder)
        record = json.loads((out / row.folder / "record.json").read_text())
        attention_used, optimised = METHODS[place.method]
        assert record["recipe"]["options"]["attention"] == attention_used
        assert record["recipe"]["options"]["optimise"] == (2 if optimised else 0)
        # the judge sees what the optimiser saw: the kept picture, but for rounding to 8 bits
        assert row.numbers["tiny.agrees"] == pytest.approx(
            record["facts"]["similarity_to_sound"][1], abs=0.03
        )
    by_method = {Place.of(row.folder).method: row.numbers for row in rows if "esc10" in row.folder}
    (one,) = [d for d in summary["differences"] if d["dataset"] == "esc10" and d["measure"] == "tiny.agrees"]
    apart = by_method["both-optimised"]["tiny.agrees"] - by_method["none"]["tiny.agrees"]
    assert one["mean"]["mean"] == pytest.approx(apart, abs=1e-5)
    with pytest.raises(BadInput, match="fold None, not 4"):
        eidophone.evaluate([], out, protocol="in-the-wild", data=data, fold=4, preset="draft", judges="tiny")


def test_a_recording_that_cannot_be_read_is_named_and_skipped(data: Path, tmp_path: Path) -> None:
    from eidophone.evaluation.wild.paintings import Painter

    broken = data / "esc10" / "rain" / "1-0-A.wav"
    broken.write_bytes(b"RIFF")
    options = EvaluateOptions.make(protocol="in-the-wild", data=data, methods="none")
    painter = Painter(options, {"esc10": [Recording(broken, ("rain",))]}, tmp_path / "out")
    painter.make(quiet)
    assert list(painter.unreadable) == ["rain/1-0-A.wav"]
    assert not (tmp_path / "out").exists()


def test_models_and_beam_search_reach_the_paintings(data: Path, tmp_path: Path) -> None:
    from eidophone.evaluation.wild.paintings import Painter

    recordings = {"esc10": [Recording(data / "esc10" / "rain" / "1-0-A.wav", ("rain",))]}
    options = EvaluateOptions.make(
        protocol="in-the-wild", preset="paper", captioner="act-beam-3", methods="both-optimised"
    )
    (run, _), *_ = Painter(options, recordings, tmp_path)._missing()
    assert (run.captioner, run.image_model, run.embedder, run.text_embedder) == (
        "act-beam-3", "sd14", "audioclip", "clip-b32",
    )  # fmt: skip
    assert (run.sampler, run.steps, run.optimise, run.nouns) == ("plms", 40, 10, "flair")
