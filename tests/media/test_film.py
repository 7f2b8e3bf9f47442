"""Films for sharing: their frame, speed, cover and captions."""

from pathlib import Path

import av
import numpy as np
import pytest

import eidophone
from eidophone.cli import main
from eidophone.core.values import Picture
from eidophone.media.picture import read_picture, write_png
from eidophone.media.video import SHAPES, make_stage


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture that plays for half a second."""
    root = tmp_path_factory.mktemp("film")
    gray = np.random.default_rng(2).random((128, 43)).astype(np.float32)
    write_png(root / "a.png", Picture.from_gray(gray))
    return eidophone.hear(root / "a.png", out=root / "out", offline=True, threads=1).folder


@pytest.mark.parametrize("shape", ["wide", "square", "vertical"])
def test_a_frame_has_its_size_and_the_whole_picture(shape: str) -> None:
    white = Picture(np.ones((100, 300, 3), np.float32))
    stage = make_stage(white, ("a caption", "another"), shape)  # type: ignore[arg-type]
    assert stage.pixels.shape[:2] == SHAPES[shape]
    assert stage.width / stage.height == pytest.approx(3, rel=0.02)
    assert stage.left >= 0 and stage.left + stage.width <= SHAPES[shape][1]
    inside = stage.pixels[stage.top : stage.top + stage.height, stage.left : stage.left + stage.width]
    assert (inside == 255).all()
    assert not any(each % 2 for each in (stage.left, stage.top, stage.width, stage.height))


def test_the_command_writes_film_cover_and_track(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "share.mp4"
    flags = [
        "--shape",
        "vertical",
        "--fps",
        "60",
        "--spectrogram",
        "--cover",
        "--track",
        "--out",
        str(target),
    ]
    assert main(["film", str(folder), *flags]) == 0
    assert capsys.readouterr().out.split() == [str(target.with_suffix(s)) for s in (".mp4", ".png", ".vtt")]
    with av.open(str(target)) as film:
        video = film.streams.video[0]
        assert (video.height, video.width) == SHAPES["vertical"] and video.average_rate == 60
        frames = sum(1 for _ in film.decode(video))
    assert frames / 60 == pytest.approx(0.5, abs=0.03)
    assert read_picture(target.with_suffix(".png")).pixels.shape[:2] == SHAPES["vertical"]
    track = target.with_suffix(".vtt").read_text()
    assert track.startswith("WEBVTT\n\n00:00:00.000 --> 00:00:00.") and "a.png" in track


@pytest.mark.parametrize(
    "flags", [["--fps", "0"], ["--fps", "many"], ["--out", "film.avi"]], ids=["slow", "words", "kind"]
)
def test_what_cannot_work_is_said(folder: Path, flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["film", str(folder), *flags]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_phrases_are_shown_while_they_are_heard() -> None:
    from types import SimpleNamespace

    from eidophone.results.film import track_of

    words = [
        {"text": "a", "start_s": 0.0, "end_s": 1.0, "confidence": 0.9},
        {"text": "dog", "start_s": 0.0, "end_s": 1.0, "confidence": 0.9},
        {"text": "rain", "start_s": 1.0, "end_s": 9.0, "confidence": 0.5},
    ]
    clip = SimpleNamespace(duration_s=2.0)
    made = SimpleNamespace(clip=clip, facts={"words": words}, captions=("unused",))
    assert track_of(made).splitlines()[2:] == [  # type: ignore[arg-type]
        "00:00:00.000 --> 00:00:01.000", "a dog", "", "00:00:01.000 --> 00:00:02.000", "rain",
    ]  # fmt: skip
