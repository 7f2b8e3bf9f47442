"""Where results go: inside the folder that was named, each run into its own, whole or not at all (ids: the review)."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile

import eidophone
from eidophone.cli import main, verbs
from eidophone.core.errors import CannotWrite
from eidophone.results.folders import new_folder
from eidophone.verbs import VERBS
from tests.media.conftest import limit


@pytest.mark.parametrize("name", ["...wav", "....wav", ".. .wav", " .wav", "..wav", ". . .wav"])
def test_r24_no_name_of_a_sound_leads_out_of_the_folder(name: str, tmp_path: Path) -> None:
    """The stem of "...wav" is "..", which is the folder above."""
    for file in (name, "b.wav"):
        (tmp_path / file).touch()
    out = tmp_path / "deep" / "o"
    runs = verbs._runs(VERBS["paint"], {"sound": [str(tmp_path / name), str(tmp_path / "b.wav")]})
    folders = verbs._folders(out, [stem for stem, _ in runs])
    for folder in folders:
        assert Path(os.path.normpath(folder)).parent == out
    assert len(set(folders)) == 2


def test_r34_a_full_disk_names_the_sample_and_leaves_nothing(pair, tmp_path: Path) -> None:
    """As much room as the trial before the run needs, but not what the sound needs."""
    soundfile.write(tmp_path / "a.wav", 0.3 * np.sin(np.arange(60_000) / 5), 8000)
    with limit(70_000), pytest.raises(CannotWrite) as refused:
        eidophone.see(tmp_path / "a.wav", audio_model=str(pair[1]), out=tmp_path / "o")
    assert str(refused.value).startswith(f"Cannot write {tmp_path / 'o' / '0000'}: the file would be larger")
    assert ".part-" not in str(refused.value) and not (tmp_path / "o").exists()


def test_r36_runs_of_the_same_name_at_the_same_time_get_folders_of_their_own(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as threads:
        made = list(threads.map(lambda _: new_folder(tmp_path / "deep", "see", "a"), range(64)))
    assert len(set(made)) == 64 and all(folder.is_dir() for folder in made)


@pytest.mark.parametrize("verb", ["hear", "compose"])
def test_resume_is_suggested_only_to_those_who_have_it(
    verb: str, pair, settings, tmp_path: Path, capsys
) -> None:
    words = ["a", "b", "--image-model", str(pair[0])] if verb == "compose" else [str(tmp_path / "x.png")]
    eidophone.Picture(np.full((32, 64, 3), 0.5, np.float32)).save(tmp_path / "x.png")
    (tmp_path / "o" / "0000").mkdir(parents=True)
    (tmp_path / "o" / "0000" / "record.json").touch()
    assert main([verb, *words, "--audio-model", str(pair[1]), "--out", str(tmp_path / "o")]) == 2
    said = capsys.readouterr().err
    assert "already holds sample 0000" in said and ("--resume" in said) == (verb == "compose")
