"""Laws of films: the line is where the sound is, in every frame; the film is whole; bytes repeat."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from eidophone.core.errors import CannotWrite, EidophoneError
from eidophone.core.values import Clip, Floats, Picture
from eidophone.media.lettering import ground
from eidophone.media.picture import from_bytes
from eidophone.media.video import Stage, make_stage, write_video

Limit = Callable[[int], AbstractContextManager[None]]

CAPTIONS = ("castle towers", "bell ringing")


def picture(height: int = 96, width: int = 240) -> Picture:
    """Soft waves in three colours, nowhere as bright as the line."""
    y, x = np.mgrid[0:height, 0:width] / 20
    waves = [0.35 + 0.3 * np.sin(x + i) * np.cos(y * (1 + i / 3)) for i in range(3)]
    return Picture(np.clip(np.stack(waves, axis=2), 0, 1).astype(np.float32))


def silence(duration_s: float, rate_hz: int = 16_000, channels: int = 1) -> Clip:
    return Clip(np.zeros((channels, round(duration_s * rate_hz)), np.float32), rate_hz)


def clicks(at_s: list[float], duration_s: float, rate_hz: int) -> Clip:
    clip = silence(duration_s, rate_hz)
    for second in at_s:
        start = round(second * rate_hz)
        clip.samples[0, start : start + rate_hz // 1000] = 0.9
    return clip


def frames(path: Path) -> list[tuple[float, NDArray[np.uint8]]]:
    """Every frame as (time in seconds, gray pixels)."""
    with av.open(str(path)) as container:
        return [
            (float(frame.pts * frame.time_base), frame.to_ndarray(format="gray"))
            for frame in container.decode(video=0)
        ]


def heard(path: Path) -> tuple[Floats, int]:
    with av.open(str(path)) as container:
        decoded = list(container.decode(audio=0))
    return np.concatenate([frame.to_ndarray() for frame in decoded], axis=1), decoded[0].sample_rate


def line_centre(gray: NDArray[np.uint8], stage: Stage) -> float:
    """Where the line stands: the column that is bright from top to bottom; the middle if it is two."""
    darkest = gray[stage.top : stage.top + stage.height].min(0).astype(int)
    return float(np.flatnonzero(darkest > darkest.max() - 25).mean() + 0.5)


@pytest.mark.parametrize(
    ("duration_s", "fps", "width"), [(2.0, 30, 240), (3.3, 30, 864), (1.0, 25, 101), (0.7, 60, 720)]
)
def test_the_line_is_where_the_sound_is(tmp_path: Path, duration_s: float, fps: int, width: int) -> None:
    write_video(tmp_path / "a.mp4", picture(96, width), silence(duration_s), captions=CAPTIONS, fps=fps)
    stage = make_stage(picture(96, width), CAPTIONS)
    seen = frames(tmp_path / "a.mp4")
    assert len(seen) == np.ceil(duration_s * fps - 1e-6)
    for k, (second, gray) in enumerate(seen):
        assert second == pytest.approx(k / fps, abs=1e-4)
        middle_s = min(second + 0.5 / fps, duration_s)
        expected = stage.left + stage.width * middle_s / duration_s
        assert line_centre(gray, stage) == pytest.approx(expected, abs=2)
    step = stage.width / (duration_s * fps)
    assert line_centre(seen[0][1], stage) <= stage.left + step + 2
    assert line_centre(seen[-1][1], stage) >= stage.left + stage.width - step - 2


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 22_050, 44_100, 48_000, 96_000])
def test_line_and_sound_agree(tmp_path: Path, rate_hz: int) -> None:
    at_s, duration_s, fps = [0.1, 0.5, 1.25, 1.9], 2.0, 30
    write_video(tmp_path / "a.mp4", picture(), clicks(at_s, duration_s, rate_hz), captions=CAPTIONS, fps=fps)
    samples, film_hz = heard(tmp_path / "a.mp4")
    stage, seen = make_stage(picture(), CAPTIONS), frames(tmp_path / "a.mp4")
    for second in at_s:
        first = round((second - 0.05) * film_hz)
        near = np.abs(samples[0, first : first + round(0.1 * film_hz)])
        found_s = (first + np.flatnonzero(near > near.max() / 2).mean()) / film_hz
        assert found_s == pytest.approx(second + 0.0005, abs=0.003)  # 25 ms is where people begin to notice
        shown = max(k for k, (start_s, _) in enumerate(seen) if start_s <= second + 1e-6)
        line_s = (line_centre(seen[shown][1], stage) - stage.left) / stage.width * duration_s
        assert abs(line_s - second) <= 0.5 / fps + 2 * duration_s / stage.width


@pytest.mark.parametrize("duration_s", [1 / 16_000, 0.01, 0.5, 1.0, 3.333])
def test_the_film_lasts_as_long_as_the_sound(tmp_path: Path, duration_s: float) -> None:
    write_video(tmp_path / "a.mp4", picture(), silence(duration_s))
    with av.open(str(tmp_path / "a.mp4")) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert video.start_time == 0 and audio.start_time == 0
        assert 0 <= float(video.duration * video.time_base) - duration_s + 1e-6 <= 1 / 30 + 1e-6
        assert float(audio.duration * audio.time_base) == pytest.approx(duration_s, abs=1 / 30)
        assert container.duration / av.time_base == pytest.approx(duration_s, abs=1 / 30 + 1e-3)


def test_it_plays_everywhere(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", picture(35, 101), silence(0.5), captions=CAPTIONS)
    with av.open(str(tmp_path / "a.mp4")) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.codec_context.name, audio.codec_context.name) == ("h264", "aac")
        assert video.codec_context.pix_fmt == "yuv420p"
        assert video.width % 2 == video.height % 2 == 0 and video.width >= 720
        assert audio.codec_context.sample_rate in (44_100, 48_000)
    content = (tmp_path / "a.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")  # starts before it is loaded


def test_the_same_input_makes_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        write_video(tmp_path / name, picture(), clicks([0.2], 0.5, 16_000), captions=CAPTIONS)
        time.sleep(1.1)  # so that a time stamp would show
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_colours_survive(tmp_path: Path) -> None:
    patches = np.zeros((60, 720, 3), np.float32)
    for i, colour in enumerate([(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1), (0, 0, 0), (0.5, 0.3, 0.7)]):
        patches[:, 120 * i : 120 * (i + 1)] = colour
    write_video(tmp_path / "a.mp4", Picture(patches), silence(0.5))
    stage = make_stage(Picture(patches), ())
    with av.open(str(tmp_path / "a.mp4")) as container:
        frame = next(container.decode(video=0))
        rgb = frame.reformat(format="rgb24", src_colorspace="ITU709").to_ndarray()
        assert frame.colorspace == 1
    for i in range(6):
        spot = rgb[stage.top + 30, stage.left + 120 * i + 60].astype(float) / 255
        assert spot == pytest.approx(patches[30, 120 * i + 60], abs=0.03)


def test_only_the_surroundings_of_the_line_change(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", picture(), silence(1.0), captions=CAPTIONS)
    stage = make_stage(picture(), CAPTIONS)
    still = frames(tmp_path / "a.mp4")[0][1].astype(int)
    for _, gray in frames(tmp_path / "a.mp4")[5::7]:
        x = round(line_centre(gray, stage))
        far = np.abs(gray.astype(int) - still)
        far[:, x - 12 : x + 12] = 0
        far[:, : stage.left + 24] = 0
        assert far.max() < 40 and far.mean() < 1


@pytest.mark.parametrize(
    "captions", [("bells",), CAPTIONS, ("a very long caption " * 30, "short"), ("x" * 400,)]
)
def test_captions_are_there_and_below(captions: tuple[str, ...]) -> None:
    stage = make_stage(picture(), captions)
    below = stage.pixels[stage.top + stage.height :]
    ink = np.abs(below.astype(int) - ground(*below.shape[:2])).sum(2) > 60
    assert ink.sum() > 100
    assert not ink[:, : stage.left].any() and not ink[-2:].any()
    bare = make_stage(picture(), ())
    assert bare.pixels.shape[0] < stage.pixels.shape[0]
    np.testing.assert_array_equal(
        bare.pixels[: bare.top + bare.height], stage.pixels[: stage.top + stage.height]
    )


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (16, 64), (256, 256), (64, 4000), (2000, 30), (384, 864)])
def test_every_shape_of_picture_fits(shape: tuple[int, int]) -> None:
    stage = make_stage(picture(*shape), ("bells",))
    height, width = stage.pixels.shape[:2]
    assert height % 2 == width % 2 == 0
    assert stage.width <= 1920 and stage.height <= 1080
    assert all(size % 2 == 0 for size in (stage.left, stage.top, stage.width, stage.height))
    xs = [stage.line_x(moment) for moment in np.linspace(0, 1, 500)]
    assert xs == sorted(xs) and min(xs) == stage.left and max(xs) == stage.left + stage.width - 2


def test_a_picture_of_good_size_is_shown_pixel_by_pixel() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (100, 800, 3), np.uint8)
    stage = make_stage(from_bytes(pixels), ())
    inside = stage.pixels[stage.top : stage.top + stage.height, stage.left : stage.left + stage.width]
    np.testing.assert_array_equal(inside, pixels)


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_sounds_of_one_two_and_more_channels(tmp_path: Path, channels: int) -> None:
    clip = silence(0.5, 48_000, channels)
    clip.samples[:] = 0.1
    clip.samples[-1] = 7.0  # beyond full scale
    write_video(tmp_path / "a.mp4", picture(), clip)
    samples, _ = heard(tmp_path / "a.mp4")
    assert len(samples) == min(channels, 2) if channels < 3 else len(samples) == 1
    assert np.abs(samples[-1, 5000:15_000] - 1).max() < 0.2


def test_it_is_fast_and_left_whole(tmp_path: Path) -> None:
    began = time.perf_counter()
    write_video(tmp_path / "a.mp4", picture(384, 864), silence(3.3), captions=CAPTIONS)
    assert time.perf_counter() - began < 2.5
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_what_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CannotWrite, match="is a file"):
        write_video(tmp_path / "file" / "a.mp4", picture(), silence(0.1))
    for fps in (0, 121):
        with pytest.raises(ValueError, match="fps"):
            write_video(tmp_path / "a.mp4", picture(), silence(0.1), fps=fps)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_disk_that_fills_up_leaves_nothing(tmp_path: Path, no_file_beyond: Limit) -> None:
    """Wherever it happens: in the first frame, in the last, or when the index is moved to the front."""
    write_video(tmp_path / "a.mp4", picture(), silence(1.0), captions=CAPTIONS)
    size = (tmp_path / "a.mp4").stat().st_size
    for limit in (0, 10, 50, 1000, size // 3, size // 2, size - 5000, size - 1000, size - 100, size - 1):
        with no_file_beyond(limit), pytest.raises(CannotWrite, match="larger than this system allows"):
            write_video(tmp_path / "b.mp4", picture(), silence(1.0), captions=CAPTIONS)
        assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]
    with no_file_beyond(size):
        write_video(tmp_path / "b.mp4", picture(), silence(1.0), captions=CAPTIONS)
    assert (tmp_path / "b.mp4").read_bytes() == (tmp_path / "a.mp4").read_bytes()


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (MemoryError(), "Out of memory while encoding video"),
        (av.ExternalError(1, "x"), "cannot encode video"),
    ],
)
def test_an_encoder_that_fails_is_a_sentence(
    tmp_path: Path, problem: Exception, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # R61
    def fails(*_args: object) -> Iterator[object]:
        raise problem
        yield

    monkeypatch.setattr("eidophone.media.video.drawn", fails)
    with pytest.raises(EidophoneError, match=words):
        write_video(tmp_path / "a.mp4", picture(), silence(0.1))
    assert list(tmp_path.iterdir()) == []
