"""The sound file beside sound.wav: its format, rate, depth and loudness, and what is refused."""

from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

import eidophone
from eidophone.cli import main
from eidophone.core.errors import BadInput
from eidophone.media.audio import read_sound
from eidophone.media.files import sha256
from eidophone.results.recipe import read_record
from eidophone.results.sound_file import SoundFile
from eidophone.results.store import load

SUBTYPES = {"16": "PCM_16", "24": "PCM_24", "float": "FLOAT"}


@pytest.fixture(scope="module")
def picture(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("picture") / "stripes.png"
    gray = np.zeros((128, 96), np.float32)
    gray[20:40, ::2] = gray[60:70] = 0.8
    eidophone.Picture.from_gray(gray).save(path)
    return path


@pytest.mark.parametrize(
    ("kind", "bits", "rate"),
    [
        ("wav", "16", 44_100),
        ("wav", "float", 96_000),
        ("flac", "16", 48_000),
        ("flac", "24", 22_050),
        ("wav", "24", None),
    ],
)
def test_a_lossless_file_is_as_asked(kind, bits, rate, picture, tmp_path) -> None:
    more = [] if rate is None else ["--rate", str(rate)]
    assert main(["hear", str(picture), "--format", kind, "--bits", bits, *more, "--out", str(tmp_path)]) == 0
    folder = tmp_path / "0000"
    truth, name = load(folder).clip, "sound-export.wav" if kind == "wav" else "sound.flac"
    facts = soundfile.info(folder / name)
    wanted = rate or truth.rate_hz
    assert (facts.samplerate, facts.subtype) == (wanted, SUBTYPES[bits])
    assert facts.frames == round(truth.samples.shape[1] * wanted / truth.rate_hz)
    assert read_record(folder / "record.json").files[name] == sha256(folder / name)
    if rate is None:
        assert np.abs(read_sound(folder / name).samples - truth.samples).max() < 1e-6


@pytest.mark.parametrize(("kind", "codec"), [("mp3", "mp3"), ("opus", "opus")])
def test_a_lossy_file_is_as_asked(kind, codec, picture, tmp_path) -> None:
    result = eidophone.hear(picture, out=tmp_path, sound_format=kind, sound_rate=48_000)
    path = result.folder / f"sound.{kind}"
    with av.open(str(path)) as file:
        stream = file.streams.audio[0]
        assert stream.codec_context.name.startswith(codec) and stream.rate == 48_000
    assert read_sound(path).duration_s == pytest.approx(result.clip.duration_s, abs=0.06)


def test_the_archived_sound_is_the_same_with_and_without(picture, tmp_path) -> None:
    plain = eidophone.hear(picture, out=tmp_path / "a")
    more = eidophone.hear(picture, out=tmp_path / "b", sound_format="flac", loudness=-20, sound_rate=48_000)
    for name in ("sound.wav", "picture.png", "video.mp4"):
        assert (plain.folder / name).read_bytes() == (more.folder / name).read_bytes()
    assert not (plain.folder / "sound.flac").exists()


def test_loudness_is_set_and_recorded(picture, tmp_path) -> None:
    from eidophone.media.loudness import measure

    result = eidophone.hear(picture, out=tmp_path, sound_format="flac", loudness=-30)
    now = measure(read_sound(result.folder / "sound.flac"))
    assert now.integrated_lufs == pytest.approx(-30, abs=0.1) and now.true_peak_db <= -1
    assert load(result.folder).facts["loudness_lufs"] == pytest.approx(now.integrated_lufs, abs=0.02)


def test_a_loudness_that_would_clip_is_said(picture, tmp_path) -> None:
    with pytest.warns(UserWarning, match="because a true peak above -1 dB would clip"):
        result = eidophone.hear(picture, out=tmp_path, loudness=-0.5)
    assert result.facts["true_peak_db"] == pytest.approx(-1, abs=0.05)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--format", "ogg"], "--format ogg: use wav, flac, mp3 or opus"),
        (["--format", "flac", "--bits", "float"], "use 16 or 24"),
        (["--format", "mp3", "--bits", "16"], "leave out --bits"),
        (["--format", "opus", "--rate", "44100"], "at 48000 Hz"),
        (["--rate", "12"], "8000 to 192000"),
        (["--rate", "fast"], "is not a whole number"),
        (["--loudness", "3"], "from -70 to 0 LUFS"),
        (["--loudness", "nan"], "is not a number"),
    ],
)
def test_what_does_not_exist_is_refused_before_any_work(given, said, picture, tmp_path, capsys) -> None:
    out = tmp_path / "out"
    assert main(["hear", str(picture), *given, "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1 and not out.exists()


def test_a_file_needs_a_folder(picture) -> None:
    with pytest.raises(BadInput, match="needs a folder"):
        eidophone.hear(picture, sound_format="flac")


def test_distill_keeps_its_learning_rate(capsys) -> None:
    assert main(["distill", "a", "b", "--rate", "0.01", "--sound-rate", "12"]) == 2
    assert "--rate 12" in capsys.readouterr().err


def test_nothing_asked_is_nothing_stored() -> None:
    assert SoundFile.asked() is None and SoundFile.asked("wav") is None


@pytest.mark.parametrize(
    ("kind", "rate"), [("wav", 48_000), ("flac", 48_000), ("mp3", 44_100), ("mp3", 48_000), ("opus", 48_000)]
)
def test_ffmpeg_finds_the_length_to_the_sample(kind, rate, picture, tmp_path) -> None:
    result = eidophone.hear(picture, out=tmp_path, sound_format=kind, sound_rate=rate)
    name = "sound-export.wav" if kind == "wav" else f"sound.{kind}"
    with av.open(str(result.folder / name)) as file:
        frames = sum(frame.samples for frame in file.decode(file.streams.audio[0]))
    assert frames == round(result.clip.samples.shape[1] * rate / result.clip.rate_hz)


@pytest.mark.parametrize("kind", ["wav", "flac", "mp3", "opus"])
def test_ffmpeg_finds_the_loudness(kind, tmp_path) -> None:
    from tests.media.test_loudness import ffmpeg

    gray = np.zeros((128, 360), np.float32)  # FFmpeg's meter needs three seconds and more
    gray[20:40, ::2] = gray[60:70] = 0.8
    eidophone.Picture.from_gray(gray).save(tmp_path / "long.png")
    how = {"sound_format": kind, "sound_rate": 48_000, "loudness": -23}
    result = eidophone.hear(tmp_path / "long.png", out=tmp_path / "o", **how)
    heard = read_sound(result.folder / ("sound-export.wav" if kind == "wav" else f"sound.{kind}"))
    whole = heard.samples.shape[1] // 4800 * 4800  # its meter speaks every tenth of a second
    loudness, peak = ffmpeg(eidophone.Clip(heard.samples[:, :whole], heard.rate_hz))
    assert loudness == pytest.approx(-23, abs=0.5) and peak <= (-1 if kind in ("wav", "flac") else 0)


def test_stereo_and_a_higher_band_are_made_on_request(picture, tmp_path) -> None:
    colours = np.zeros((10, 10, 3), np.float32)
    colours[:, :5, 0] = colours[:, 5:, 2] = 1  # red, then blue
    eidophone.Picture(colours).save(tmp_path / "pan.png")
    arguments = [
        "hear",
        str(picture),
        "--stereo",
        str(tmp_path / "pan.png"),
        "--extend-band",
        "--bits",
        "float",
    ]
    assert main([*arguments, "--out", str(tmp_path / "o")]) == 0
    truth, made = load(tmp_path / "o" / "0000").clip, read_sound(tmp_path / "o" / "0000" / "sound-export.wav")
    assert made.rate_hz == 2 * truth.rate_hz and made.samples.shape == (2, 2 * truth.samples.shape[1])
    left, right = made.samples
    quarter = len(left) // 4
    assert (
        left[:quarter].std() > 5 * right[:quarter].std()
        and right[-quarter:].std() > 5 * left[-quarter:].std()
    )
    spectrum = np.abs(np.fft.rfft(made.mono())) ** 2
    hertz = np.fft.rfftfreq(made.samples.shape[1], 1 / made.rate_hz)
    assert spectrum[hertz > 9000].mean() > 1e-7 * spectrum[hertz < 8000].mean()
    grey = eidophone.hear(picture, out=tmp_path / "p", stereo="colour")
    both = read_sound(grey.folder / "sound-export.wav").samples
    assert np.abs(both - grey.clip.samples).max() < 2e-4


def test_a_picture_that_should_pan_must_be_there(picture, tmp_path, capsys) -> None:
    out = tmp_path / "out"
    assert main(["hear", str(picture), "--stereo", "nowhere.png", "--out", str(out)]) == 2
    assert "nowhere.png" in capsys.readouterr().err and not out.exists()


def test_no_room_for_a_higher_band_is_said(picture, tmp_path, capsys) -> None:
    assert main(["hear", str(picture), "--extend-band", "--rate", "16000", "--out", str(tmp_path / "o")]) == 2
    assert "use a higher --rate" in capsys.readouterr().err
