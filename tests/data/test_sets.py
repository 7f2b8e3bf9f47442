"""Readers of public sets, and mixtures: laws, on small folders in the real layouts."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from eidophone.core.errors import BadInput
from eidophone.data.mixtures import Mixture, draw, loudness, mix, read_mixtures, write_mixtures
from eidophone.data.recordings import Recording, read_audiocaps, read_clotho, read_esc
from eidophone.media.audio import read_sound

RATE_HZ = 44_100


def tone(path: Path, hz: float, level: float = 0.3, seconds: float = 1.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    soundfile.write(path, level * np.sin(2 * np.pi * hz * t), RATE_HZ)
    return path


def table(path: Path, rows: list[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def test_both_layouts_of_esc_say_the_same(tmp_path: Path) -> None:
    rows = [("1-17-A", "dog"), ("2-5-B", "rain")]
    for name, label in rows:
        tone(tmp_path / "flat" / label / f"{name}.wav", 440)
        tone(tmp_path / "table" / "audio" / f"{name}.wav", 440)
    table(
        tmp_path / "table" / "meta" / "esc50.csv",
        [{"filename": f"{n}.wav", "fold": n[0], "target": 0, "category": c} for n, c in rows],
    )
    facts = [[(r.path.name, r.labels, r.fold) for r in read_esc(tmp_path / k)] for k in ("flat", "table")]
    assert facts[0] == facts[1] == [("1-17-A.wav", ("dog",), 1), ("2-5-B.wav", ("rain",), 2)]


def test_clotho_has_five_captions_a_sound(tmp_path: Path) -> None:
    tone(tmp_path / "clotho_audio_files" / "evaluation" / "a b.wav", 440)
    row = {"file_name": "a b.wav"} | {f"caption_{i}": f"said {i}" for i in range(1, 6)}
    table(tmp_path / "clotho_csv_files" / "clotho_captions_evaluation.csv", [row])
    (found,) = read_clotho(tmp_path)
    assert found.captions == tuple(f"said {i}" for i in range(1, 6))
    assert found.path.is_file()


@pytest.mark.parametrize(
    ("clip", "rows"),
    [
        ("audio/test/Yabc.wav", "test.csv"),
        ("AUDIOCAPS/audio_32000Hz/test/abc_30.flac", "AUDIOCAPS/csv_files_v1/test.csv"),  # of aac-datasets
    ],
)
def test_audiocaps_joins_the_captions_of_a_clip_and_leaves_out_lost_ones(
    clip: str, rows: str, tmp_path: Path
) -> None:
    tone(tmp_path / clip, 440)
    table(
        tmp_path / rows,
        [
            {"audiocap_id": i, "youtube_id": video, "start_time": "30", "caption": said}
            for i, (video, said) in enumerate([("abc", "a dog"), ("abc", "it barks"), ("gone", "rain")])
        ],
    )
    (found,) = read_audiocaps(tmp_path)
    assert found.captions == ("a dog", "it barks")


@pytest.mark.parametrize("reader", [read_esc, read_clotho, read_audiocaps])
def test_an_empty_folder_is_named(reader, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=str(tmp_path)):
        reader(tmp_path)


def test_a_lost_sound_of_a_table_is_named(tmp_path: Path) -> None:
    table(tmp_path / "meta" / "esc50.csv", [{"filename": "1-1-A.wav", "fold": 1, "category": "dog"}])
    with pytest.raises(BadInput, match=r"1-1-A\.wav"):
        read_esc(tmp_path)


@pytest.fixture
def recordings(tmp_path: Path) -> list[Recording]:
    return [
        Recording(tone(tmp_path / name / f"1-{i}-A.wav", hz, level), (name,))
        for name, hz in (("low", 200), ("middle", 1000), ("high", 5000))
        for i, level in enumerate((0.05, 0.5))
    ]


def test_mixture_i_depends_on_its_seed_only(recordings: list[Recording]) -> None:
    many = draw(recordings, 20, 7, (-6, 6))
    assert draw(recordings, 1, 12, (-6, 6)) == many[5:6]
    assert all(set(m.first.labels).isdisjoint(m.second.labels) for m in many)
    assert {label for m in many for label in m.labels} == {"low", "middle", "high"}
    assert all(-6 <= m.level_db <= 6 for m in many)


@pytest.mark.parametrize("level_db", [-12.0, 0.0, 9.0])
def test_a_mixture_has_the_level_that_was_asked_for(recordings: list[Recording], level_db: float) -> None:
    sound = mix(Mixture(recordings[0], recordings[3], level_db, 0)).mono()
    spectrum = np.abs(np.fft.rfft(sound))
    low, middle = (spectrum[round(hz * len(sound) / RATE_HZ)] for hz in (200, 1000))
    assert 20 * np.log10(low / middle) == pytest.approx(level_db, abs=0.1)
    assert np.abs(sound).max() == pytest.approx(0.95, abs=1e-4)


def test_a_pause_does_not_make_a_sound_quiet() -> None:
    sound = np.random.default_rng(0).standard_normal(RATE_HZ).astype(np.float32)
    assert loudness(np.pad(sound, (0, 4 * RATE_HZ)), RATE_HZ) == pytest.approx(
        loudness(sound, RATE_HZ), rel=1e-6
    )


def test_written_mixtures_are_read_back_with_both_labels(recordings: list[Recording], tmp_path: Path) -> None:
    drawn = draw(recordings, 3, 0)
    files = list(write_mixtures(drawn, tmp_path / "mixed"))
    found = read_mixtures(tmp_path / "mixed")
    assert [r.path for r in found] == files
    assert [r.labels for r in found] == [m.labels for m in drawn]
    assert read_sound(files[0]).duration_s == pytest.approx(1.0)
    manifest = json.loads((tmp_path / "mixed" / "manifest.json").read_text())
    assert manifest["mixtures"][1]["seed"] == 1


def test_silence_cannot_be_mixed_at_a_level(recordings: list[Recording], tmp_path: Path) -> None:
    soundfile.write(tmp_path / "s.wav", np.zeros(RATE_HZ), RATE_HZ)
    with pytest.raises(BadInput, match=r"s\.wav"):
        mix(Mixture(Recording(tmp_path / "s.wav", ("silence",)), recordings[0], 0.0, 0))
