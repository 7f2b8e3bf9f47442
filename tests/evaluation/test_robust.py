"""Evaluations of results that strangers made, in bad places, several at once (ids: the robustness review)."""

import base64
import csv
import getpass
import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

import eidophone
from eidophone.cli import main
from eidophone.core.errors import BadInput, CannotWrite
from eidophone.core.values import Result
from eidophone.evaluation import evaluate as module
from eidophone.evaluation import journal as journals
from eidophone.evaluation.found import shareable_name
from eidophone.evaluation.journal import Journal, Row
from eidophone.media.lock import folder_lock
from eidophone.results import store as records
from eidophone.results.store import Store
from eidophone.scoring import judges
from tests.ending import exit_code
from tests.scoring.conftest import Formula, formula, make_result  # noqa: F401 (fixtures)


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "write_video", lambda path, *_, **__: path.write_bytes(b"film"))
    monkeypatch.setattr(judges, "load_embedder", lambda *_, **__: Formula())


@pytest.fixture
def run(make_result: Callable[..., Result], tmp_path: Path) -> Path:  # noqa: F811
    for index in range(4):
        Store(tmp_path / "run").save(make_result(index, width=64, facts={"seconds": 1.5}))
    return tmp_path / "run"


def change(record: Path, edit: Callable[[dict], None]) -> None:
    found = json.loads(record.read_text())
    edit(found)
    record.write_text(json.dumps(found))


def rows_of(out: Path) -> list[dict[str, str]]:
    with (out / "samples.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def evaluated(run: Path, out: Path, capsys, *more: str) -> tuple[int, str, str]:
    code = main(["evaluate", str(run), "--out", str(out), "--judges", "signal", *more])
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    return code, said.out, said.err


def test_r7_shared_files_show_no_path_of_the_user(run: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    secret = tmp_path / f"home-of-{getpass.getuser()}-secret"
    embedder = secret / "models" / "clap"
    embedder.mkdir(parents=True)
    place = Path(shutil.move(run, secret / "art"))
    (place / "0001" / "sound.wav").write_bytes(b"RIFF")
    (place / "0002" / "picture.png").unlink()
    monkeypatch.setenv("HOME", str(secret))
    out = tmp_path / "elsewhere"
    code = main(
        ["evaluate", str(place), "--out", str(out), "--judges", f"{embedder},signal", "--select", "1"]
    )
    assert code == 1
    for path in out.rglob("*"):
        if path.is_file() and "selected" not in path.parts:
            content = path.read_bytes()
            assert str(secret).encode() not in content and secret.name.encode() not in content, path
    assert [row["folder"] for row in rows_of(out)] == [f"art/{i:04d}" for i in range(4)]
    assert float(rows_of(out)[0]["clap.looks"])


def test_r7_names_lead_from_the_evaluation_to_the_sample(run: Path, tmp_path: Path) -> None:
    eidophone.evaluate([run], tmp_path / "deep" / "out", judges="signal")
    for row in rows_of(tmp_path / "deep" / "out"):
        assert (tmp_path / "deep" / "out" / row["folder"] / "record.json").is_file()


def test_r7_two_folders_of_one_name_stay_apart() -> None:
    out = Path("/tmp/e")
    names = [shareable_name(Path(f"/home/{user}/run/0000"), Path(f"/home/{user}/run"), out) for user in "ab"]
    assert names == ["run/0000", "run/0000"]  # numbered where they are gathered
    assert not shareable_name(Path("/home/a/run"), Path("/home/a/run"), out).startswith("..")


def test_r9_a_verb_with_escape_codes_is_refused_and_printed_escaped(
    run: Path, tmp_path: Path, capsys
) -> None:
    change(run / "0000" / "record.json", lambda x: x.update(verb="\x1b[31mx\nfake"))
    code, out, err = evaluated(run, tmp_path / "out", capsys)
    assert code == 1 and "\x1b" not in out + err and "'verb'" in err


def test_r11_prompts_are_never_formulas(make_result, tmp_path: Path) -> None:  # noqa: F811
    bad = ["=HYPERLINK(1)", "+1", "-1", "@x", "\t=1", " =1", "\r=1"]
    for index, prompt in enumerate(bad):
        result = make_result(index)
        recipe = result.recipe.changed(options={"image_prompt": prompt})
        Store(tmp_path / "run").save(replace(result, recipe=recipe))
    eidophone.evaluate([tmp_path / "run"], tmp_path / "out", judges="signal")
    cells = [row["image_prompt"] for row in rows_of(tmp_path / "out")]
    assert all(cell[0] not in "=+-@\t\r " for cell in cells)
    assert cells[0] == "'=HYPERLINK(1)"


@pytest.mark.parametrize("how", ["link", "swap"])
def test_r12_a_picture_that_is_not_the_recorded_one_is_not_judged(
    how: str, run: Path, tmp_path: Path, capsys
) -> None:
    picture, private = run / "0000" / "picture.png", tmp_path / "private.png"
    Image.new("RGB", (64, 32), "red").save(private)
    picture.unlink()
    if how == "link":
        picture.symlink_to(private)
    else:
        shutil.copy(private, picture)
    code, out, err = evaluated(run, tmp_path / "out", capsys)
    assert code == 1 and "3 samples;" in out and "0000/picture.png" in err
    assert (tmp_path / "out" / "report.html").read_text().count("<img") == 3


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Every path that is opened, links not followed."""
    found, really = [], Path.open

    def _open(path: Path, *given: object, **named: object) -> object:
        found.append(path)
        return really(path, *given, **named)

    monkeypatch.setattr(Path, "open", _open)
    return found


@pytest.mark.parametrize("name", ["record.json", "picture.png", "spectrogram.png", "sound.wav"])
def test_r12_no_link_in_a_result_is_opened(name: str, run: Path, tmp_path: Path, opened, capsys) -> None:
    path, private = run / "0000" / name, tmp_path / "private"
    path.rename(private)  # the right content, which only the link shows not to be the sender's
    path.symlink_to(private)
    code, _, err = evaluated(run, tmp_path / "out", capsys)
    assert code == 1 and name in err
    assert opened and not [one for one in opened if one.is_symlink()]


def test_a_record_of_another_number_of_mel_bands_is_refused(run: Path, tmp_path: Path, capsys) -> None:
    change(run / "0000" / "record.json", lambda x: x["recipe"]["mel_spec"].update(n_mels=7))
    code, _, err = evaluated(run, tmp_path / "out", capsys)
    assert code == 1 and "says 7 mel bands" in err and err.count("mel bands") == 1


@pytest.mark.parametrize("size", [(70_000, 1), (600_000, 1), (1, 70_000)])
def test_r14_a_picture_of_an_impossible_size_is_refused_before_it_is_read(
    size: tuple[int, int], run: Path, tmp_path: Path, capsys
) -> None:
    picture = run / "0000" / "picture.png"
    Image.new("RGB", size).save(picture)
    digest = records.sha256(picture)
    change(run / "0000" / "record.json", lambda x: x["files"].update({"picture.png": digest}))
    code, _, err = evaluated(run, tmp_path / "out", capsys)
    assert code == 1 and f"{size[0]} x {size[1]} pixels" in err


def test_r14_the_report_shrinks_wide_pictures(make_result, tmp_path: Path) -> None:  # noqa: F811
    Store(tmp_path / "run").save(make_result(0, width=40_000))
    eidophone.evaluate([tmp_path / "run"], tmp_path / "out", judges="none")
    source = re.search(
        r'<img src="data:image/png;base64,([^"]*)"', (tmp_path / "out" / "report.html").read_text()
    )
    assert Image.open(io.BytesIO(base64.b64decode(source[1]))).size[0] == 4096


@pytest.mark.slow
def test_r21_four_evaluations_of_one_folder_give_right_numbers_or_a_sentence(
    run: Path, tmp_path: Path
) -> None:
    given = [
        sys.executable,
        "-m",
        "eidophone",
        "evaluate",
        str(run),
        "--out",
        str(tmp_path / "out"),
        "--judges",
    ]
    running = [
        subprocess.Popen([*given, "roundtrip"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    codes = []
    for process in running:
        out, err = process.communicate(timeout=300)
        codes.append(process.returncode)
        assert "Traceback" not in err
        if process.returncode == 0:
            assert "4 samples;" in out
        else:
            assert process.returncode == 2 and "Another process is evaluating into" in err
    assert 0 in codes and len(rows_of(tmp_path / "out")) == 4


def test_r21_a_second_evaluation_into_a_folder_is_refused_at_once(run: Path, tmp_path: Path, capsys) -> None:
    with folder_lock(tmp_path / "out", "evaluating"):
        code, out, err = evaluated(run, tmp_path / "out", capsys)
    assert code == 2 and out == "" and "Another process is evaluating into" in err
    assert evaluated(run, tmp_path / "out", capsys)[0] == 0


def test_r21_a_sample_counts_once_even_if_its_row_stands_twice(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    eidophone.evaluate([run], out, judges="signal")
    lines = (out / "samples.jsonl").read_text().splitlines(keepends=True)
    (out / "samples.jsonl").write_text("".join([*lines, *lines[1:]]))
    assert eidophone.evaluate([run], out, judges="signal").judged == 4


@pytest.mark.parametrize("flag", ["--looks-bar", "--sounds-bar"])
@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_r31_a_bar_is_a_finite_number(flag: str, value: str, run: Path, tmp_path: Path, capsys) -> None:
    code, _, err = evaluated(run, tmp_path / "out", capsys, f"{flag}={value}")
    assert code == 2 and flag in err and not (tmp_path / "out").exists()


EDITS = {
    "r37-score": lambda x: x.update(score={"numbers": 1}),
    "r37-score-number": lambda x: x.update(score={"numbers": {"a.looks": "x"}}),
    "r38-seconds-text": lambda x: x["facts"].update(seconds="x"),
    "r38-seconds-list": lambda x: x["facts"].update(seconds=[1]),
    "r38-seconds-huge": lambda x: x["facts"].update(seconds=10**400),
    "r39-prompt-number": lambda x: x["recipe"]["options"].update(image_prompt=5),
    "r39-prompt-list": lambda x: x["recipe"]["options"].update(audio_prompt=["a"]),
    "r39-prompt-object": lambda x: x["recipe"]["options"].update(image_prompt={}),
    "r40-weight-list": lambda x: x["recipe"]["options"].update(audio_weight=[]),
    "r40-weight-object": lambda x: x["recipe"]["options"].update(audio_weight={}),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_r37_to_r40_a_damaged_record_is_named_and_the_rest_is_judged(
    edit: Callable, run: Path, tmp_path: Path, capsys
) -> None:
    change(run / "0002" / "record.json", edit)
    code, out, err = evaluated(run, tmp_path / "out", capsys)
    assert code == 1 and "3 samples;" in out and "0002" in err and "1 sample could not be read" in err
    assert main(["score", str(run), "--judges", "signal"]) == 1


def test_r38_seconds_may_be_missing_or_null(run: Path, tmp_path: Path, capsys) -> None:
    change(run / "0002" / "record.json", lambda x: x["facts"].update(seconds=None))
    assert evaluated(run, tmp_path / "out", capsys)[0] == 0


@pytest.mark.parametrize("name", ["x" * 300, "a\x00b"])
def test_r45_a_name_that_cannot_be_one_is_a_sentence(name: str, run: Path, tmp_path: Path, capsys) -> None:
    for given in (["evaluate", name], ["evaluate", str(run), "--out", str(tmp_path / name)], ["score", name]):
        assert exit_code([*given, "--judges", "signal"]) == 2
        err = [line for line in capsys.readouterr().err.splitlines() if "judging" not in line]
        assert len(err) == 1 and "Unexpected" not in err[0]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_r46_a_folder_without_permission_is_a_sentence(run: Path, tmp_path: Path, capsys) -> None:
    run.chmod(0)
    try:
        assert evaluated(run, tmp_path / "out", capsys)[0] == 2
    finally:
        run.chmod(0o755)


DAMAGES = {
    "numbers": [None, [], {"a": "x"}, {"a": float("nan")}],
    "features": [None, [], {"a": "!"}, {"a": "AAA="}],
}
DAMAGES |= {
    "failed": [None, {"a": 1}],
    "image_prompt": [None, [], 5],
    "index": ["0", None, -1],
    "seed": [[], "1"],
}


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, values in DAMAGES.items() for v in values])
def test_r48_a_damaged_row_is_judged_again(name: str, value: object, run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    whole = eidophone.evaluate([run], out, judges="formula,signal")
    lines = (out / "samples.jsonl").read_text().splitlines()
    lines[2] = json.dumps(json.loads(lines[2]) | {name: value})
    (out / "samples.jsonl").write_text("\n".join(lines) + "\n")
    again = eidophone.evaluate([run], out, judges="formula,signal")
    assert again.judged == 4 and again.methods == whole.methods


@pytest.mark.parametrize(
    "head", ["null", "[]", "{", '{"format": 2}', '{"format": 1, "judges": "signal"}', ""]
)
def test_r48_what_is_not_this_journal_is_refused(head: str, tmp_path: Path) -> None:
    (tmp_path / "samples.jsonl").write_text(head + "\n")
    with pytest.raises(BadInput, match="--out"):
        Journal(tmp_path / "samples.jsonl", "signal").open({})


def test_r49_a_full_disk_while_a_row_is_added_is_a_sentence(tmp_path: Path, monkeypatch) -> None:
    journal = Journal(tmp_path / "samples.jsonl", "signal")
    journal.open({})
    monkeypatch.setattr(
        journals.Row, "to_line", lambda _: (_ for _ in ()).throw(OSError(28, "No space left"))
    )
    with pytest.raises(CannotWrite, match="disk is full"):
        journal.append(Row("a"))


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes")
def test_r51_names_that_are_not_utf8_are_escaped(run: Path, tmp_path: Path, capsysbinary) -> None:
    place = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")
    shutil.move(run, place)
    for given in (["evaluate", place, "--out", str(tmp_path / "out")], ["score", place]):
        assert main([*given, "--judges", "signal"]) in (0, 1, 2)
        assert b"Unexpected" not in capsysbinary.readouterr().err
    shared = (tmp_path / "out" / "samples.csv").read_text(encoding="utf-8")
    assert "caf\\xe9/0000" in shared


def test_r52_a_terminal_without_the_letters_gets_them_escaped(run: Path, tmp_path: Path) -> None:
    place = tmp_path / "評価"
    given = [
        sys.executable,
        "-m",
        "eidophone",
        "evaluate",
        str(run),
        "--out",
        str(place),
        "--judges",
        "signal",
    ]
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run(given, capture_output=True, env=environment)
    assert done.returncode == 0 and b"\\u8a55" in done.stdout, done.stderr


def test_prompts_with_lone_surrogates_can_be_written(make_result, tmp_path: Path) -> None:  # noqa: F811
    saved = Store(tmp_path / "run").save(make_result(0))
    record = saved.folder / "record.json"
    record.write_text(record.read_text().replace('"castle"', '"\\ud800 castle"'))
    assert eidophone.evaluate([tmp_path / "run"], tmp_path / "out", judges="signal").judged <= 1
    json.loads((tmp_path / "out" / "summary.json").read_text())


def test_a_selection_by_looks_alone_asks_nothing_of_the_sound(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    eidophone.evaluate([run], out, judges="formula", select=0.5, select_by="looks")
    found = json.loads((out / "summary.json").read_text())
    rows = [Row.from_line(line) for line in (out / "samples.jsonl").read_text().splitlines()[1:]]
    for method in found["methods"]:
        looks = sorted(row.numbers["formula.looks"] for row in rows if row.method == method)
        kept = [one["looks"] for one in found["selected"] if one["method"] == method]
        assert sorted(kept) == looks[-max(1, len(looks) // 2) :]


def test_a_selection_is_copied_and_listed(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    eidophone.evaluate([run], out, judges="formula", select=0.75)
    chosen = json.loads((out / "summary.json").read_text())["selected"]
    rows = {row["folder"]: row for row in rows_of(out)}
    for side in ("looks", "sounds"):
        numbers = sorted((float(row[f"formula.{side}"]) for row in rows.values()), reverse=True)
        assert all(one[side] >= numbers[2] for one in chosen)
    best = {
        s: {
            n
            for n, r in rows.items()
            if float(r[f"formula.{s}"])
            >= sorted((float(x[f"formula.{s}"]) for x in rows.values()), reverse=True)[2]
        }
        for s in ("looks", "sounds")
    }
    assert {one["folder"] for one in chosen} == best["looks"] & best["sounds"]
    for one in chosen:
        for name in ("picture.png", "sound.wav", "record.json"):
            assert (out / one["copy"] / name).read_bytes() == (out / one["folder"] / name).read_bytes()
    eidophone.evaluate([run], out, judges="formula", select=0.01)
    assert len(list((out / "selected").rglob("record.json"))) <= 1


def test_an_interrupted_evaluation_leaves_its_lock_free(run: Path, tmp_path: Path, monkeypatch) -> None:
    def stop(*_: object) -> Row:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "row_of", stop)
    with pytest.raises(KeyboardInterrupt):
        eidophone.evaluate([run], tmp_path / "out", judges="signal")
    monkeypatch.undo()
    assert eidophone.evaluate([run], tmp_path / "out", judges="signal").judged == 4


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_the_size_of_a_picture_is_not_read_through_a_link_or_a_pipe(kind: str, tmp_path: Path) -> None:
    """A linked picture of a size that no result has would be named, so it was opened."""
    import os

    from PIL import Image

    from eidophone.evaluation.seen import _check_sizes

    Image.new("L", (1, 1)).save(tmp_path / "private.png")
    path = tmp_path / "picture.png"
    path.symlink_to(tmp_path / "private.png") if kind == "link" else os.mkfifo(path)
    _check_sizes(tmp_path)
