"""Values in memory become clips and pictures; clips become files that other programs read the same way."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from PIL import Image

from eidophone.core.errors import BadInput, CannotWrite
from eidophone.core.values import Clip, Picture
from eidophone.media import export
from eidophone.media.audio import clip_from, read_sound
from eidophone.media.export import SUFFIXES, save_clip
from eidophone.media.picture import picture_from, to_image, write_png

RATE = 44_100
Limit = Callable[[int], AbstractContextManager[None]]


def stereo(seconds: float = 1.0, rate_hz: int = RATE) -> Clip:
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    return Clip(np.stack([0.5 * np.sin(2 * np.pi * hz * t) for hz in (440, 660)]).astype(np.float32), rate_hz)


# Files


@pytest.mark.parametrize(
    ("name", "subtype", "kind", "step"),
    [
        ("a.wav", None, "PCM_16", 2**-15),
        ("a.wav", "16", "PCM_16", 2**-15),
        ("a.wav", "24", "PCM_24", 2**-23),
        ("a.wav", "float", "FLOAT", 0),
        ("a.FLAC", "16", "PCM_16", 2**-15),
        ("a.flac", "24", "PCM_24", 2**-23),
    ],
)
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_lossless_files_hold_the_samples(
    tmp_path: Path, name: str, subtype: str | None, kind: str, step: float, channels: int
) -> None:
    clip = Clip(np.random.default_rng(0).uniform(-1, 1, (channels, 70_000)).astype(np.float32), 22_050)
    save_clip(clip, tmp_path / "new" / name, subtype=subtype)
    seen, rate_hz = soundfile.read(tmp_path / "new" / name, dtype="float32", always_2d=True)
    assert soundfile.info(tmp_path / "new" / name).subtype == kind and rate_hz == 22_050
    assert np.abs(seen.T - clip.samples).max() <= step
    np.testing.assert_array_equal(read_sound(tmp_path / "new" / name).samples, seen.T)
    assert [path.name for path in (tmp_path / "new").iterdir()] == [name]


def test_floats_beyond_full_scale_are_kept_and_integers_are_clipped(tmp_path: Path) -> None:
    clip = Clip(np.array([[0, 2.5, -7, 0.5]], np.float32), RATE)
    save_clip(clip, tmp_path / "a.wav", subtype="float")
    np.testing.assert_array_equal(soundfile.read(tmp_path / "a.wav", dtype="float32")[0], clip.samples[0])
    for name, subtype in (("b.wav", "24"), ("c.flac", "16"), ("d.flac", "24")):
        save_clip(clip, tmp_path / name, subtype=subtype)
        seen = soundfile.read(tmp_path / name, dtype="float32")[0]
        assert seen == pytest.approx([0, 1, -1, 0.5], abs=1e-4)


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mp3", "mp3float"), ("a.m4a", "aac"), ("a.opus", "opus"), ("a.ogg", "vorbis")],
)
@pytest.mark.parametrize("rate_hz", [16_000, 44_100])
def test_lossy_files_sound_the_same_in_ffmpeg(tmp_path: Path, name: str, codec: str, rate_hz: int) -> None:
    clip = stereo(2.0, rate_hz)
    save_clip(clip, tmp_path / name)
    with av.open(str(tmp_path / name)) as container:
        stream = container.streams.audio[0]
        assert stream.codec_context.name == codec
        to_float = av.AudioResampler("fltp", "stereo", 48_000)
        seen = np.concatenate(
            [f.to_ndarray() for d in container.decode(stream) for f in to_float.resample(d)], 1
        )
    assert seen.shape[1] / 48_000 == pytest.approx(2, abs=0.06)
    for channel, hz in zip(seen, (440, 660), strict=True):
        spectrum = np.abs(np.fft.rfft(channel[24_000:72_000]))
        assert spectrum.argmax() == hz
        assert channel[24_000:72_000].std() == pytest.approx(0.5 / np.sqrt(2), rel=0.05)
    again = read_sound(tmp_path / name)
    assert again.duration_s == pytest.approx(2, abs=0.03)


def test_minutes_of_vorbis_are_written(tmp_path: Path) -> None:
    clip = Clip(np.zeros((1, 48_000 * 120), np.float32), 48_000)
    save_clip(clip, tmp_path / "a.ogg")
    assert soundfile.info(tmp_path / "a.ogg").frames == 48_000 * 120


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("a.aiff", {}, r"not saved as '\.aiff'; use \.wav, \.flac"),
        ("a", {}, "without suffix"),
        ("a.flac", {"subtype": "float"}, "no subtype 'float'; use '16' or '24'"),
        ("a.mp3", {"subtype": "24"}, r"no choice of '24'; save as \.wav"),
        ("a.mp3", {"bit_rate": 1}, "32,000 to 320,000"),
    ],
)
def test_what_a_format_cannot_hold_is_said(tmp_path: Path, name: str, options: dict, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        save_clip(stereo(0.1), tmp_path / name, **options)
    assert list(tmp_path.iterdir()) == []


def test_too_many_channels_and_too_long_sounds_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = Clip(np.zeros((9, 100), np.float32), RATE)
    for name in ("a.mp3", "a.ogg", "a.opus", "a.m4a"):
        with pytest.raises(BadInput, match=r"1 or 2 channels, the clip has 9; use \.wav or \.flac"):
            save_clip(many, tmp_path / name)
    with pytest.raises(BadInput, match="FLAC holds at most 8 channels"):
        save_clip(many, tmp_path / "a.flac")
    monkeypatch.setattr(export, "RIFF_LIMIT_BYTES", 5000)
    with pytest.raises(CannotWrite, match="4 GB"):
        save_clip(stereo(), tmp_path / "a.wav", subtype="24")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_disk_that_fills_up_leaves_the_old_file(tmp_path: Path, suffix: str, no_file_beyond: Limit) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"old")
    with no_file_beyond(500), pytest.raises(CannotWrite, match="larger than this system allows"):
        save_clip(stereo(), path)
    assert path.read_bytes() == b"old" and [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".mp3", ".opus", ".m4a"])
def test_the_same_clip_makes_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    for name in ("a", "b"):
        save_clip(stereo(0.3), tmp_path / f"{name}{suffix}")
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


# Clips from values


def test_a_clip_from_everything_that_holds_sound(tmp_path: Path) -> None:
    clip = stereo(0.2)
    save_clip(clip, tmp_path / "a.wav", subtype="float")
    by_soundfile = soundfile.read(tmp_path / "a.wav")  # (samples, channels), float64
    for value in (clip, tmp_path / "a.wav", str(tmp_path / "a.wav"), by_soundfile, by_soundfile[::-1]):
        made = clip_from(value)
        assert made.rate_hz == RATE
        np.testing.assert_array_equal(made.samples, clip.samples)
    np.testing.assert_array_equal(clip_from(clip.samples, RATE).samples, clip.samples)
    np.testing.assert_array_equal(clip_from(clip.samples[0], np.int64(RATE)).samples, clip.samples[:1])
    assert clip_from((clip.samples, 44_100.0)).rate_hz == RATE


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32"])
def test_integer_samples_are_scaled_as_in_a_file(tmp_path: Path, dtype: str) -> None:
    info = np.iinfo(dtype)
    values = np.linspace(info.min, info.max, 1000).astype(dtype)
    if dtype == "uint8":  # soundfile does not write it
        expected = (values.astype(np.float64) - 128) / 128
    else:
        soundfile.write(
            tmp_path / "a.wav", values, RATE, subtype={"int16": "PCM_16", "int32": "PCM_32"}[dtype]
        )
        expected = soundfile.read(tmp_path / "a.wav", dtype="float64")[0]
    assert np.abs(clip_from(values, RATE).samples[0] - expected).max() < 1e-7


BAD_SOUNDS: dict[str, tuple[object, object, str]] = {
    "no rate": (np.zeros(9), None, "needs its rate; give rate_hz"),
    "rate of a file": ("a.wav", 8000, "only for numpy arrays"),
    "rate 0": (np.zeros(9), 0, "1 to 1,000,000"),
    "rate with fraction": (np.zeros(9), 8000.5, "whole number"),
    "rate NaN": (np.zeros(9), float("nan"), "whole number"),
    "rate in words": (np.zeros(9), "8000", "whole number"),
    "empty": (np.zeros((2, 0)), 8000, "not a sound"),
    "three axes": (np.zeros((2, 3, 4)), 8000, "not a sound"),
    "NaN": (np.array([0, np.nan]), 8000, "not all finite"),
    "too large for float32": (np.array([0, 1e300]), 8000, "not all finite"),
    "int64": (np.zeros(9, np.int64), 8000, "no known full scale"),
    "list": ([0.0, 1.0], None, "cannot be made from list"),
    "None": (None, None, "cannot be made from NoneType"),
    "picture": (Picture(np.zeros((2, 2, 3), np.float32)), None, "cannot be made from Picture"),
    "missing": ("nowhere.wav", None, "does not exist"),
}


@pytest.mark.parametrize("case", BAD_SOUNDS)
def test_what_is_no_sound_is_refused_in_one_sentence(case: str) -> None:
    value, rate_hz, words = BAD_SOUNDS[case]
    with pytest.raises(BadInput, match=words) as caught:
        clip_from(value, rate_hz)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


# Pictures from values


PIXELS = np.random.default_rng(0).integers(0, 256, (6, 9, 3), np.uint8)


def test_a_picture_from_everything_that_shows_one(tmp_path: Path) -> None:
    picture = Picture(PIXELS.astype(np.float32) / np.float32(255))
    write_png(tmp_path / "a.png", picture)
    with Image.open(tmp_path / "a.png") as lazy:
        values = [
            picture, tmp_path / "a.png", str(tmp_path / "a.png"), lazy, Image.fromarray(PIXELS), PIXELS,
            PIXELS / 255.0, picture.pixels, np.rint(PIXELS * 257.0).astype(np.uint16),
        ]  # fmt: skip
        for value in values:
            assert np.abs(picture_from(value).pixels - picture.pixels).max() < 1e-6
    np.testing.assert_array_equal(np.asarray(to_image(picture)), PIXELS)
    assert to_image(picture).mode == "RGB"


def test_gray_arrays_and_opacity() -> None:
    gray = picture_from(PIXELS[:, :, 0]).pixels
    assert (gray == gray[:, :, :1]).all() and np.abs(gray[:, :, 0] - PIXELS[:, :, 0] / 255).max() < 1e-6
    np.testing.assert_array_equal(picture_from(PIXELS[:, :, :1]).pixels, gray)
    assert picture_from(PIXELS[:, :, 0] > 99).pixels.max() == 1
    half = np.concatenate([PIXELS, np.full((6, 9, 1), 51, np.uint8)], axis=2)
    by_pillow = Image.new("RGBA", (9, 6), "black")
    by_pillow.alpha_composite(Image.fromarray(half))
    assert (
        np.abs(picture_from(half).pixels - np.asarray(by_pillow.convert("RGB")) / 255).max()
        < 0.5 / 255 + 1e-6
    )


def test_a_pillow_image_says_what_was_assumed() -> None:
    said: list[str] = []
    drawing = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    drawing.putpixel((1, 1), (0, 0, 0, 255))
    assert picture_from(drawing, warn=said.append).pixels[0, 0].tolist() == [1, 1, 1]
    assert len(said) == 1 and said[0].startswith("The picture is a black drawing")


BAD_PICTURES: dict[str, tuple[Callable[[], object], str]] = {
    "two channels": (lambda: np.zeros((4, 4, 2)), r"shape \(4, 4, 2\) is not a picture"),
    "channels first": (lambda: np.zeros((3, 4, 5)), "is not a picture; give"),
    "empty": (lambda: np.zeros((0, 4)), "is not a picture"),
    "floats to 255": (lambda: np.full((4, 4), 200.0), r"range from 200 to 200; scale them to 0 \(black\)"),
    "NaN": (lambda: np.full((4, 4), np.nan), "scale them"),
    "int64": (lambda: np.zeros((4, 4), np.int64), "no known white; convert it to uint8 or float"),
    "bytes": (lambda: b"\x89PNG", "cannot be made from bytes"),
    "closed": (lambda: _closed(), "cannot be decoded"),
    "large": (lambda: np.broadcast_to(np.uint8(0), (9000, 9000)), "more than 64 million pixels"),
    "missing": (lambda: "nowhere.png", "does not exist"),
}


def _closed() -> Image.Image:
    from io import BytesIO

    file = BytesIO()
    Image.new("RGB", (4, 4)).save(file, "PNG")
    image = Image.open(file)
    image.close()
    return image


@pytest.mark.parametrize("case", BAD_PICTURES)
def test_what_is_no_picture_is_refused_in_one_sentence(case: str) -> None:
    make, words = BAD_PICTURES[case]
    with pytest.raises(BadInput, match=words) as caught:
        picture_from(make())
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)
