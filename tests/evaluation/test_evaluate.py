"""`eidophone evaluate` on folders of results: nothing lost, nothing mixed up, nothing fatal."""

import csv
import json
import re
import shutil
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet

import eidophone
from eidophone.cli import main
from eidophone.core.errors import BadInput
from eidophone.core.values import Result
from eidophone.evaluation import evaluate as module
from eidophone.evaluation.journal import Journal, Row
from eidophone.evaluation.protocol import protocol
from eidophone.results import store as records
from eidophone.results.store import Store
from eidophone.scoring import judges
from tests.scoring.conftest import Formula, formula, make_result  # noqa: F401 (fixtures)

DC = 0.01
ALONE = {"picture alone": 0.0, "sound alone": 1.0}


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "write_video", lambda path, *_, **__: path.write_bytes(b"film"))
    monkeypatch.setattr(judges, "load_embedder", lambda *_, **__: Formula())


@pytest.fixture
def folder(make_result: Callable[..., Result], tmp_path: Path) -> Path:  # noqa: F811
    """Twelve results of three methods and two pairs of prompts; offset DC x index."""
    for index in range(12):
        result = make_result(index, width=64, dc=DC * index, facts={"seconds": 1.5, "unet_evaluations": 8})
        weight = [0.5, 0.0, 1.0][index % 3]
        options = {
            "image_prompt": ["castle", "dogs"][index // 6],
            "audio_prompt": ["bell", "rain"][index // 6],
        }
        recipe = result.recipe.changed(options=options | {"audio_weight": weight})
        Store(tmp_path / "runs" / str(97 * index % 13)).save(replace(result, recipe=recipe))
    return tmp_path / "runs"


def rows_of(out: Path) -> list[dict[str, str]]:
    with (out / "samples.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_sample_keeps_its_own_numbers(folder: Path, tmp_path: Path) -> None:
    summary = eidophone.evaluate([folder], tmp_path / "out", judges="formula,signal")
    rows = rows_of(tmp_path / "out")
    assert summary.judged == len(rows) == 12
    for row in rows:
        index = int(row["index"])
        assert float(row["signal.dc"]) == pytest.approx(DC * index, abs=1e-4)
        assert row["method"] == ["compose", "picture alone", "sound alone"][index % 3]
        assert row["image_prompt"] == ["castle", "dogs"][index // 6]
        alone = eidophone.score(row["folder"], judges="signal").numbers["signal.dc"]
        assert alone == pytest.approx(float(row["signal.dc"]), abs=1e-7)
    table = parquet.read_table(tmp_path / "out" / "samples.parquet").to_pylist()
    assert [r["folder"] for r in table] == [r["folder"] for r in rows]
    assert [r["signal.dc"] for r in table] == [float(r["signal.dc"]) for r in rows]


def test_means_are_those_of_the_table(folder: Path, tmp_path: Path) -> None:
    summary = eidophone.evaluate([folder], tmp_path / "out", judges="formula,signal")
    rows = rows_of(tmp_path / "out")
    for method, means in summary.methods.items():
        for name in ("formula.looks", "signal.dc", "seconds"):
            x = np.array([float(row[name]) for row in rows if row["method"] == method])
            assert means[name].mean == pytest.approx(x.mean()) and means[name].count == 4
            half = 1.96 * x.std(ddof=1) / 2
            assert means[name].high == pytest.approx(x.mean() + half)
    assert set(summary.pairs) == {
        (method, *pair) for method in summary.methods for pair in (("castle", "bell"), ("dogs", "rain"))
    }
    stored = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert stored["methods"]["compose"]["signal.dc"]["mean"] == pytest.approx(
        summary.methods["compose"]["signal.dc"].mean, abs=1e-6
    )
    assert ("compose", "formula.gray") in summary.distances
    assert ("sound alone", "formula.sound") not in summary.distances


def test_success_is_being_nearest_to_ones_own_prompt(folder: Path, tmp_path: Path) -> None:
    summary = eidophone.evaluate([folder], tmp_path / "out", judges="formula")
    judge = Formula()
    texts = {p: judge.text([p])[0].numpy() for p in ("castle", "dogs", "bell", "rain")}
    hits = []
    for row in (Row.from_line(x) for x in (tmp_path / "out" / "samples.jsonl").read_text().splitlines()[1:]):
        other = {"castle": "dogs", "dogs": "castle"}[row.image_prompt]
        seen = row.features["formula.gray"]
        if row.method == "compose":
            hits.append(float(seen @ texts[row.image_prompt] > seen @ texts[other]))
    assert summary.methods["compose"]["success.looks"].mean == pytest.approx(np.mean(hits))
    barred = eidophone.evaluate([folder], tmp_path / "out", judges="formula", looks_bar=-1, sounds_bar=2)
    assert barred.methods["compose"]["success.looks"].mean == 1
    assert barred.methods["compose"]["success.both"].mean == 0


def test_an_interrupted_evaluation_goes_on(folder: Path, tmp_path: Path, monkeypatch) -> None:
    out, judged = tmp_path / "out", []
    real = module.row_of

    def counting(place: str, *rest: object) -> Row:
        judged.append(place)
        if len(judged) == 6:
            raise KeyboardInterrupt
        return real(place, *rest)

    monkeypatch.setattr(module, "row_of", counting)
    with pytest.raises(KeyboardInterrupt):
        eidophone.evaluate([folder], out, judges="signal")
    with (out / "samples.jsonl").open("a") as file:
        file.write('{"folder": "cut off in the mid')
    summary = eidophone.evaluate([folder], out, judges="signal")
    assert summary.judged == 12 and len(judged) == 6 + 7
    assert len(rows_of(out)) == 12
    again = eidophone.evaluate([folder], out, judges="signal")
    assert len(judged) == 13 and again == summary
    changed = folder / judged[0].removeprefix(str(folder) + "/") / "record.json"
    changed.write_text(changed.read_text() + "\n")
    eidophone.evaluate([folder], out, judges="signal")
    assert judged[13:] == [judged[0]]
    with pytest.raises(BadInput, match="another --out"):
        eidophone.evaluate([folder], out, judges="roundtrip")


def test_a_broken_result_is_named_and_counted(folder: Path, tmp_path: Path, capsys) -> None:
    places = sorted(path.parent for path in folder.rglob("record.json"))
    (places[0] / "sound.wav").write_bytes(b"RIFF")
    (places[1] / "record.json").write_text("{")
    (places[2] / "picture.png").unlink()
    assert main(["evaluate", str(folder), "--out", str(tmp_path / "out"), "--judges", "signal"]) == 1
    said = capsys.readouterr()
    assert "9 samples;" in said.out and "3 samples could not be read" in said.err
    for place in places[:3]:
        assert str(place) in said.err
    assert "Traceback" not in said.err
    assert sum(bool(row["broken"]) for row in rows_of(tmp_path / "out")) == 3


def test_the_report_needs_nothing_else(folder: Path, tmp_path: Path) -> None:
    eidophone.evaluate([folder], tmp_path / "out", judges="formula,signal", shown=5)
    html = (tmp_path / "out" / "report.html").read_text()
    assert html.count("<audio") == html.count("<img") == 5
    assert html.count("<svg") == 7  # looks, looks_gray, sounds, agrees; three successes
    sources = re.findall(r'(?:src|href)="([^"]*)"', html)
    assert len(sources) == 10 and all(source.startswith("data:") for source in sources)
    assert "http" not in html.replace("http-equiv", "")


def test_prompts_are_not_markup(make_result, tmp_path: Path) -> None:  # noqa: F811
    result = make_result(0)
    recipe = result.recipe.changed(options={"image_prompt": "<script>alert(1)</script>"})
    Store(tmp_path / "run").save(replace(result, recipe=recipe))
    eidophone.evaluate([tmp_path / "run"], tmp_path / "out", judges="signal")
    assert "<script" not in (tmp_path / "out" / "report.html").read_text()


def test_memory_does_not_grow_with_the_samples(make_result, tmp_path: Path) -> None:  # noqa: F811
    saved = Store(tmp_path / "one").save(make_result(0, width=64))

    def peak(count: int) -> int:
        runs = tmp_path / str(count)
        for index in range(count):
            shutil.copytree(saved.folder, runs / f"{index:04d}")
        tracemalloc.start()
        eidophone.evaluate([runs], tmp_path / f"out-{count}", judges="formula,signal", shown=2)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(3)  # what is loaded once
    few, many = peak(10), peak(110)
    assert many - few < 100 * 4000, (few, many)  # a result of this size has 60 kB in memory


def test_samples_are_told_by_content_when_folders_overlap(folder: Path, tmp_path: Path) -> None:
    inner = sorted(folder.iterdir())[0]
    summary = eidophone.evaluate([folder, inner, folder], tmp_path / "out", judges="signal")
    assert summary.judged == 12


def test_a_row_survives_its_line() -> None:
    row = Row(
        "a", "b", "compose", "“x”", "y\n", 3, None, {"n": 1 / 3}, {"j": "r"}, {"f": np.ones(3, np.float32)}
    )
    back = Row.from_line(row.to_line())
    assert replace(back, features={}) == replace(row, features={})
    assert np.array_equal(back.features["f"], row.features["f"])


def test_what_is_no_journal_is_refused(tmp_path: Path) -> None:
    (tmp_path / "samples.jsonl").write_text("hello\n")
    with pytest.raises(BadInput, match="choose another --out"):
        Journal(tmp_path / "samples.jsonl", "signal").open({})


def test_the_published_protocol_has_a_hundred_pairs_of_ten() -> None:
    found = protocol("published")
    assert found.samples == 10 and len(set(found.pairs("compose", None))) == 100
    assert len(found.pairs("sound-alone", None)) == 10 and len(found.pairs("imprint", 3)) == 9
    with pytest.raises(BadInput, match="published"):
        protocol("secret")


def test_a_protocol_makes_what_is_missing(settings, tmp_path: Path, capsys, monkeypatch) -> None:
    models = ["--image-model", settings["image_model"], "--audio-model", settings["audio_model"]]
    more = ["--protocol", "published", "--prompts", "1", "--preset", "draft", "--device", "cpu"]
    given = ["evaluate", "--out", str(tmp_path), *more, *models, "--judges", "signal"]
    methods = ["compose", "distill", "picture-alone"]
    assert main([*given, "--samples", "1", "--methods", ",".join(methods)]) == 0
    made = sorted(tmp_path.glob("results/*/*/*/record.json"))
    assert sorted(p.parts[-4] for p in made) == methods
    times = [p.stat().st_mtime_ns for p in made]
    assert main([*given, "--samples", "2", "--methods", "compose"]) == 0
    assert [p.stat().st_mtime_ns for p in made] == times
    assert len(list(tmp_path.glob("results/*/*/*/record.json"))) == len(made) + 1
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["methods"]["picture alone"]["unet_evaluations"]["mean"] == 2 * 12
    assert main(["evaluate"]) == 2
    assert "--protocol published" in capsys.readouterr().err
