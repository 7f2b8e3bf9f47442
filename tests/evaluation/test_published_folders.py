"""Folders that the published code wrote are judged like our own; replay by Griffin-Lim; the first samples only."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

import eidophone
from eidophone.cli import main
from eidophone.core.errors import BadInput
from eidophone.core.values import Clip
from eidophone.evaluation.published_folders import checksum_of, published_below, read_published
from eidophone.evaluation.replay import replayed
from eidophone.media.mel import MelSpec
from eidophone.media.spectrogram import gray_from_clip

SPEC = MelSpec()
CONFIG = """\
seed: {seed}
output_dir: logs/bell
clip_score: 0.31
trainer:
  image_prompt: a painting of castle towers, grayscale
  audio_prompt: bell ringing
  num_samples: 100
image_diffusion_guidance:
  _target_: src.guidance.stable_diffusion.StableDiffusionGuidance
"""


def published(folder: Path, number: int, *, picture: bool = True) -> Path:
    """A sample as the published code stores it: a tone, its spectrogram in three channels, a colour picture."""
    place = folder / "results" / f"example_{number:03d}"
    place.mkdir(parents=True)
    tone = 0.5 * np.sin(2 * np.pi * 440 * number * np.arange(32_000) / 16_000)
    tone += np.random.default_rng(number).normal(0, 0.02, len(tone))  # louder than what 16 bits round away
    soundfile.write(place / "audio.wav", tone, 16_000)
    gray = gray_from_clip(Clip(tone[None].astype(np.float32), 16_000), SPEC)
    Image.fromarray(np.repeat((gray * 255).round().astype(np.uint8)[..., None], 3, -1)).save(
        place / "spec.png"
    )
    if picture:
        colour = np.random.default_rng(number).integers(0, 255, (*gray.shape, 3), np.uint8)
        Image.fromarray(colour).save(place / "img.png")
    (place / "config.yaml").write_text(CONFIG.format(seed=1233 + number))
    return place


@pytest.mark.parametrize("name", ["config.yaml", "spec.png", "audio.wav", "img.png"])
def test_links_among_published_files_are_refused(name: str, tmp_path: Path) -> None:
    place = published(tmp_path, 1)
    (place / name).rename(tmp_path / "private")
    (place / name).symlink_to(tmp_path / "private")
    with pytest.raises(BadInput, match=f"{name}: is a link"):
        read_published(place)
    with pytest.raises(BadInput, match=f"{name}: is a link"):
        checksum_of(place)


def test_a_sample_is_read_with_its_prompts(tmp_path: Path) -> None:
    place = published(tmp_path, 12)
    found = read_published(place)
    assert (found.index, found.seed) == (11, 1245)
    assert found.subject.image_prompt == "a painting of castle towers, grayscale"
    assert found.subject.audio_prompt == "bell ringing"
    assert found.subject.clip.rate_hz == 16_000
    assert np.asarray(Image.open(place / "img.png")) / 255 == pytest.approx(
        found.subject.picture.pixels, abs=1e-6
    )
    # what plays is the spectrogram, not the colours
    assert np.asarray(Image.open(place / "spec.png"))[..., 0] / 255 == pytest.approx(
        found.subject.gray, abs=1e-6
    )


def test_a_run_is_evaluated_with_our_own(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        published(tmp_path / "bell", number, picture=number > 1)
    (tmp_path / "bell" / "results_selected").mkdir()
    how = {"judges": "tiny,roundtrip", "select": 0.7}
    summary = eidophone.evaluate([tmp_path / "bell"], tmp_path / "out", consistency=True, **how)
    assert summary.judged == 3 and not summary.broken
    assert list(summary.methods) == ["published code"]
    means = summary.methods["published code"]
    assert {"tiny.looks", "tiny.looks_gray", "tiny.sounds", "roundtrip.ssim"} <= set(means)
    # the spectrogram is that of the sound, with the published settings
    assert means["roundtrip.ssim"].mean > 0.95
    rows = [json.loads(line) for line in (tmp_path / "out" / "samples.jsonl").read_text().splitlines()[1:]]
    assert [(row["index"], row["seed"]) for row in rows] == [(0, 1234), (1, 1235), (2, 1236)]
    assert "castle towers" in (tmp_path / "out" / "report.html").read_text()
    assert len(list((tmp_path / "out" / "consistency").iterdir())) == 3
    again = eidophone.evaluate([tmp_path / "bell"], tmp_path / "out", **how)
    assert again.methods == summary.methods


def test_a_changed_sample_is_judged_again(tmp_path: Path) -> None:
    place = published(tmp_path / "bell", 1)
    published(tmp_path / "bell", 2)
    before = eidophone.evaluate([tmp_path / "bell"], tmp_path / "out", judges="signal")
    soundfile.write(place / "audio.wav", np.zeros(16_000), 16_000)
    after = eidophone.evaluate([tmp_path / "bell"], tmp_path / "out", judges="signal")
    assert before.methods["published code"]["signal.silent"].mean == 0
    assert after.methods["published code"]["signal.silent"].mean == 0.5


@pytest.mark.parametrize(
    "text", ["trainer: [", "- a\n- b\n", "trainer: {image_prompt: [1]}", "x: " * 400_000]
)
def test_damaged_settings_are_named(text: str, tmp_path: Path, capsys) -> None:
    place = published(tmp_path / "bell", 1)
    published(tmp_path / "bell", 2)
    (place / "config.yaml").write_text(text)
    with pytest.raises(BadInput, match=r"config\.yaml"):
        read_published(place)
    assert (
        main(["evaluate", str(tmp_path / "bell"), "--judges", "signal", "--out", str(tmp_path / "out")]) == 1
    )
    said = capsys.readouterr()
    assert "1 samples" in said.out and "config.yaml" in said.err and "Traceback" not in said.err


def test_settings_run_nothing(tmp_path: Path) -> None:
    place = published(tmp_path / "bell", 1)
    mark = tmp_path / "ran"
    (place / "config.yaml").write_text(f"trainer: !!python/object/apply:pathlib.Path.touch [{mark}]\n")
    with pytest.raises(BadInput, match="settings file"):
        read_published(place)
    assert not mark.exists()


def test_only_the_first_samples(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        published(tmp_path / "bell", number)
    assert eidophone.evaluate([tmp_path / "bell"], tmp_path / "out", judges="signal", first=2).judged == 2
    assert len(list(published_below(tmp_path))) == 3


def test_griffin_lim_replays_what_is_seen(tmp_path: Path) -> None:
    """The spectrogram of the replay is close to the picture, and it is as long as the stored sound."""
    subject = read_published(published(tmp_path, 1)).subject
    silent = Clip(np.zeros((1, 30_000), np.float32), 16_000)
    from dataclasses import replace

    again = replayed(replace(subject, clip=silent))
    assert again.clip.samples.shape == (1, 30_000) and again.clip.rate_hz == 16_000
    seen = gray_from_clip(again.clip, SPEC)
    loud = subject.spectrogram[:, : seen.shape[1]] > 0.6
    assert loud.any() and abs(seen[loud] - subject.spectrogram[:, : seen.shape[1]][loud]).mean() < 0.05


def test_replays_have_a_journal_of_their_own(tmp_path: Path) -> None:
    published(tmp_path / "bell", 1)
    stored = eidophone.evaluate([tmp_path / "bell"], tmp_path / "a", judges="signal")
    again = eidophone.evaluate([tmp_path / "bell"], tmp_path / "b", judges="signal", replay="griffin-lim")
    assert stored.methods != again.methods
    with pytest.raises(BadInput, match="another --out"):
        eidophone.evaluate([tmp_path / "bell"], tmp_path / "a", judges="signal", replay="griffin-lim")
