"""training/run.sh: every stage, resuming, the family in one folder, checks and install."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("mido", reason="needs the extra `training`")

from eidophone.models.cards import package_folder
from tests.training.conftest import SCRIPT, run_script
from training import install, train
from training.config import Run, TrainingError, claim
from training.data.fetch import sha256
from training.networks import codec, export, import_weights, text
from training.stages import STAGES, mark, perform


def copied(smoke: Path, work: Path) -> Run:
    """The smoke run's family and marks in a folder that a test may change."""
    for name in ("tiny", "done"):
        shutil.copytree(smoke / name, work / name)
    return Run.open("smoke", work, "cpu")


@pytest.mark.slow
def test_a_smoke_run_does_every_stage_and_a_second_one_none(smoke: Path) -> None:
    alone = {"import-weights", "self-training"}  # they need a family to go on from
    assert {stage for stage in STAGES if mark(Run.open("smoke", smoke, "cpu"), stage).exists()} == set(
        STAGES
    ) - alone
    before = {file: file.stat().st_mtime_ns for file in smoke.rglob("*") if file.is_file()}
    again = run_script("smoke", "--work", str(smoke), "--device", "cpu")
    assert again.returncode == 0, again.stderr
    assert again.stdout.count("done already") == len(STAGES) - len(alone)
    assert {file: file.stat().st_mtime_ns for file in smoke.rglob("*") if file.is_file()} == before


def test_the_script_names_only_stages_that_exist_and_all_of_them() -> None:
    lines = [line.split("#")[0].split() for line in SCRIPT.read_text().splitlines()]
    named = [word for line in lines if line and line[0] == "train" for word in line[1:]]
    assert set(named) == set(STAGES)


@pytest.mark.parametrize("arguments", [(), ("desktop",)])
def test_the_script_explains_itself(arguments: tuple[str, ...]) -> None:
    done = run_script(*arguments)
    assert done.returncode == 2
    assert "laptop|gpu|further|smoke" in done.stderr and "set -euo" not in done.stderr


@pytest.mark.slow
def test_the_embedder_belongs_to_the_text_encoder_of_its_own_run(smoke: Path) -> None:
    known = json.loads((smoke / "tiny" / "embedder" / "config.json").read_text())["text_encoder"]
    assert known == sha256(smoke / "tiny" / "image" / "text_encoder" / "model.safetensors")
    assert known != sha256(package_folder("tiny/image") / "text_encoder" / "model.safetensors")


@pytest.mark.slow
def test_a_new_family_with_an_old_embedder_is_refused(smoke: Path, tmp_path: Path) -> None:
    run = copied(smoke, tmp_path)
    install.check(run)
    shutil.rmtree(run.family / "embedder")
    with pytest.raises(TrainingError, match="embedder is missing"):
        install.check(run)
    shutil.copytree(package_folder("tiny/embedder"), run.family / "embedder")
    with pytest.raises(TrainingError, match="another text encoder"):
        install.check(run)


@pytest.mark.slow
def test_models_with_other_noise_levels_are_refused(smoke: Path, tmp_path: Path) -> None:
    run = copied(smoke, tmp_path)
    file = run.family / "audio" / "scheduler" / "scheduler_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"beta_end": 0.5}))
    with pytest.raises(TrainingError, match="noise schedules differ"):
        install.check(run)


@pytest.mark.slow
def test_a_checked_family_replaces_the_old_one_as_a_whole(smoke: Path, tmp_path: Path) -> None:
    run = replace(copied(smoke, tmp_path / "work"), packs=True)
    package = tmp_path / "models"
    (package / "tiny" / "image").mkdir(parents=True)
    (package / "tiny" / "old.txt").touch()
    (package / "captioners").mkdir()
    with pytest.raises(TrainingError, match=r"words\.txt is missing"):
        install.install(run, package)
    assert (package / "tiny" / "old.txt").exists()
    for role in ("image", "audio"):
        (run.family / role / "words.txt").write_text("dog: hound\n")
    (run.work / "nouns.txt").write_text("dog 0.99\n")
    install.install(run, package)
    files = {file.relative_to(run.family): sha256(file) for file in run.family.rglob("*") if file.is_file()}
    found = {
        file.relative_to(package / "tiny"): sha256(file)
        for file in (package / "tiny").rglob("*")
        if file.is_file()
    }
    assert found == files
    assert (package / "captioners" / "nouns.txt").read_text() == "dog 0.99\n"
    assert sorted(folder.name for folder in package.iterdir()) == ["captioners", "tiny"]


def test_smoke_families_and_unchecked_ones_are_not_installed(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="smoke"):
        install.install(Run.open("smoke", tmp_path, "cpu"), tmp_path)
    with pytest.raises(TrainingError, match="was not checked"):
        install.install(Run.open("laptop", tmp_path, "cpu"), tmp_path)


def test_a_stage_names_the_stage_that_it_needs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train.main(["image", "--preset", "smoke", "--work", str(tmp_path), "--device", "cpu"]) == 2
    said = capsys.readouterr().err
    assert "needs canvases" in said and "Traceback" not in said
    with pytest.raises(TrainingError, match="text or import-weights"):
        run = Run.open("smoke", tmp_path, "cpu")
        (tmp_path / "done").mkdir()
        mark(run, "canvases").touch()
        perform(run, "image")


def test_one_work_folder_never_mixes_two_runs(tmp_path: Path) -> None:
    run = Run.open("smoke", tmp_path, "cpu")
    claim(run)
    claim(run)
    with pytest.raises(TrainingError, match=r"image\.steps: 4, now 9"):
        claim(replace(run, settings=run.settings | {"image": run["image"] | {"steps": 9}}))
    with pytest.raises(TrainingError, match="init_from"):
        claim(replace(run, init_from=package_folder("tiny")))
    assert train.main(["pictures", "--preset", "gpu", "--work", str(tmp_path), "--device", "cpu"]) == 2


def test_a_family_that_goes_on_keeps_the_parts_that_were_not_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And its text encoder to the byte, so that the embedder still belongs to it."""
    run = Run.open("further", tmp_path, "cpu", package_folder("tiny"))
    import_weights.import_weights(run)
    shipped = [
        file.relative_to(package_folder("tiny"))
        for file in package_folder("tiny").rglob("*")
        if file.is_file()
    ]
    folder = run.family / "image"
    half = text.load(run)[1].half()
    half.save_pretrained(folder / "text_encoder")
    codec.load(run).half().save_pretrained(folder / "vae")
    export.copy_untrained(run, run.family)
    assert {file.relative_to(run.family) for file in run.family.rglob("*") if file.is_file()} == set(shipped)
    for name in (
        "image/text_encoder/model.safetensors",
        "embedder/model.safetensors",
        "pixel/unet/config.json",
    ):
        assert sha256(run.family / name) == sha256(package_folder("tiny") / name)
    install.check(run)


def test_missing_programs_and_recordings_are_named_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None if name in ("espeak-ng", "npm") else name)
    arguments = ["requirements", "--work", str(tmp_path / "work"), "--recordings", str(tmp_path)]
    assert train.main(arguments) == 2
    assert "apt-get install npm espeak-ng" in capsys.readouterr().err
    monkeypatch.setattr(shutil, "which", lambda name: name)
    assert train.main(arguments) == 2
    said = capsys.readouterr().err
    assert "esc10/" in said and "--recordings" in said


def test_a_family_that_is_none_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [
        "import-weights",
        "--preset",
        "further",
        "--work",
        str(tmp_path),
        "--init-from",
        str(tmp_path / "no"),
    ]
    assert train.main(arguments) == 2
    assert str(tmp_path / "no") in capsys.readouterr().err


def test_an_export_recommends_what_ships() -> None:
    shipped = json.loads((package_folder("tiny") / "audio" / "eidophone.json").read_text(encoding="utf-8"))
    assert {name: shipped[name] for name in export.AUDIO_DEFAULTS} == export.AUDIO_DEFAULTS
    assert set(shipped) == {*export.AUDIO_DEFAULTS, "mel_spec"}
