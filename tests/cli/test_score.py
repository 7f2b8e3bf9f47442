"""`eidophone score` as a user types it."""

import json
import shutil
from pathlib import Path

import pytest

import eidophone
from eidophone.cli import main

TEXT = ("castle", "dog barking")


def sentences(err: str) -> list[str]:
    """Lines of standard error that are not progress."""
    return [line for line in err.splitlines() if "judging" not in line]


@pytest.fixture(scope="module")
def run_folder(settings: dict, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    eidophone.compose(*TEXT, count=3, steps=2, out=out, **settings)
    return out


def test_one_result_prints_every_number(run_folder: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["score", str(run_folder / "0001")]) == 0
    said = capsys.readouterr().out
    for name in (
        "tiny.looks",
        "tiny.agrees",
        "tagger.sounds",
        "roundtrip.ssim_mp3",
        "roundtrip.psnr_db_aac",
        "signal.clipped",
    ):
        assert name in said


def test_a_run_is_ranked_best_first(run_folder: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["score", str(run_folder), "--json", "--judges", "tagger"]) == 0
    rows = json.loads(capsys.readouterr().out)
    heard = [row["numbers"]["tagger.sounds"] for row in rows]
    assert len(rows) == 3 and heard == sorted(heard, reverse=True)
    for row in rows:
        alone = eidophone.score(row["path"], judges="tagger")
        assert alone.numbers == pytest.approx(row["numbers"], abs=1e-5)
    assert main(["score", str(run_folder), "--judges", "tagger"]) == 0
    assert capsys.readouterr().out.splitlines()[1].endswith(rows[0]["path"])


def test_a_picture_and_a_sound(run_folder: Path, capsys: pytest.CaptureFixture) -> None:
    files = [str(run_folder / "0000" / name) for name in ("picture.png", "sound.wav")]
    assert main(["score", *files, "--audio-prompt", "dog barking", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    whole = eidophone.score(run_folder / "0000").numbers
    assert row["numbers"]["tagger.sounds"] == pytest.approx(whole["tagger.sounds"], abs=1e-5)


def test_a_picture_and_a_sound_without_prompts_get_the_numbers_that_need_none(
    run_folder: Path, capsys: pytest.CaptureFixture
) -> None:
    files = [str(run_folder / "0000" / name) for name in ("picture.png", "sound.wav")]
    assert main(["score", *files, "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert set(row["numbers"]) == {"tiny.agrees", "signal.clipped", "signal.dc", "signal.silent"}
    assert row["failed"] == {}


def test_every_number_has_its_unit_and_direction(run_folder: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["score", str(run_folder / "0001"), "--audio-prompt", "white noise"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert " dB " in lines["roundtrip.psnr_db_mp3"] and "higher is better" in lines["roundtrip.psnr_db_mp3"]
    assert "lower is better" in lines["signal.clipped"] and "0 to 1" in lines["signal.clipped"]
    assert "-1 to 1" in lines["tiny.looks"] and "picture and image prompt" in lines["tiny.looks"]


def test_chosen_samples_keep_their_order(
    settings: dict, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """`compose --from` and `score` print the same order (T1)."""
    given = {"steps": 1, "judges": "tiny", "early_rejection": False, **settings}
    chosen = eidophone.compose(*TEXT, count=4, from_=6, out=tmp_path / "run", **given)
    order = [result.folder.name for result in sorted(chosen, key=lambda r: r.facts["rank"])]
    assert main(["score", str(tmp_path / "run"), "--json"]) == 0
    assert [Path(row["path"]).name for row in json.loads(capsys.readouterr().out)] == order


def test_a_broken_result_is_named_and_the_rest_is_judged(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    run = shutil.copytree(run_folder, tmp_path / "run")
    (run / "0001" / "sound.wav").write_bytes(b"RIFF")
    assert main(["score", str(run), "--json", "--judges", "signal"]) == 1
    said = capsys.readouterr()
    assert [Path(row["path"]).name for row in json.loads(said.out)] == ["0000", "0002"]
    assert "0001" in said.err and len(sentences(said.err)) == 1


def test_a_named_judge_that_fails_shows_in_the_exit_code(
    run_folder: Path, capsys: pytest.CaptureFixture
) -> None:
    place = [str(run_folder / "0000"), "--audio-prompt", "qwxz"]
    assert main(["score", *place]) == 0
    assert main(["score", *place, "--judges", "tagger,signal"]) == 1
    said = capsys.readouterr()
    assert "no class that 'qwxz' names" in said.err and "qwxz" not in said.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "there is no such folder"), (["."], "holds no finished result"),
        (["{run}", "--judges", "nobody"], "or name one of the judges canvas, roundtrip, signal, tagger"),
        (["{run}", "--rank-by", "luck"], "--rank-by"), (["{run}/0000/sound.wav"], "is a file"),
    ],
)  # fmt: skip
def test_bad_input_is_one_sentence(arguments, words, run_folder, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["score", *(a.format(run=run_folder) for a in arguments)]) == 2
    said = capsys.readouterr()
    assert words in said.err and said.out == "" and len(sentences(said.err)) == 1
