"""Laws of sound files: pitch, channels and samples survive; broken files are refused; recipes come back."""

import json
import os
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from eidophone.core.errors import BadInput, CannotWrite
from eidophone.core.values import Clip, Floats
from eidophone.media import audio
from eidophone.media.audio import peak_normalize, read_recipe_from_wav, read_sound, resample, write_wav

RATES = [8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000, 192_000]


def tone(rate_hz: int, *, hz: float = 440.0, duration_s: float = 1.0, level: float = 0.5) -> Floats:
    t = np.arange(round(rate_hz * duration_s)) / rate_hz
    return (level * np.sin(2 * np.pi * hz * t)).astype(np.float32)


def chord(channels: int, rate_hz: int) -> Floats:
    """One tone a channel, 50, 60, 70, ... Hz: encoders keep only that much in the bass channel."""
    return np.stack([tone(rate_hz, hz=50 + 10 * i, level=0.3) for i in range(channels)])


def pitch_hz(samples: Floats, rate_hz: int) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 4 * len(samples)))
    return float(spectrum.argmax() * rate_hz / (4 * len(samples)))


def encode(path: Path, codec: str, samples: Floats, rate_hz: int, layout: str, **options: str) -> None:
    """A file as FFmpeg writes it, by PyAV."""
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=rate_hz, layout=layout)
        to_codec = av.AudioResampler(stream.codec_context.format.name, layout, rate_hz)
        packed = np.ascontiguousarray(samples.T).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=layout)
        frame.sample_rate, frame.pts = rate_hz, 0
        for part in [*to_codec.resample(frame), *to_codec.resample(None), None]:
            container.mux(stream.encode(part))


# Rate, pitch, channels


@pytest.mark.parametrize("rate_hz", RATES)
@pytest.mark.parametrize("other_hz", [8_000, 16_000, 48_000, 192_000])
def test_a_tone_stays_a_tone(tmp_path: Path, rate_hz: int, other_hz: int) -> None:
    write_wav(tmp_path / "a.wav", Clip(tone(rate_hz)[None], rate_hz))
    clip = resample(read_sound(tmp_path / "a.wav"), other_hz)
    assert clip.rate_hz == other_hz
    assert clip.samples.shape == (1, other_hz)
    assert pitch_hz(clip.samples[0], other_hz) == pytest.approx(440, abs=0.5)
    middle = clip.samples[0, other_hz // 4 : -other_hz // 4]
    expected = tone(other_hz)[other_hz // 4 : -other_hz // 4]
    assert np.abs(middle - expected).max() < 1e-3  # nothing moved in time, nothing got louder


@pytest.mark.parametrize("rate_hz", RATES)
@pytest.mark.parametrize("format_", ["WAV", "FLAC", "AIFF"])
def test_every_rate_is_read_as_it_is(tmp_path: Path, rate_hz: int, format_: str) -> None:
    soundfile.write(tmp_path / "a", tone(rate_hz), rate_hz, format=format_, subtype="PCM_24")
    clip = read_sound(tmp_path / "a")
    assert (clip.rate_hz, clip.samples.shape) == (rate_hz, (1, rate_hz))
    assert np.abs(clip.samples[0] - tone(rate_hz)).max() < 2**-22


@pytest.mark.parametrize("channels", range(1, 9))
@pytest.mark.parametrize(("format_", "subtype"), [("WAV", "FLOAT"), ("FLAC", "PCM_16"), ("OGG", "VORBIS")])
def test_channels_keep_their_order(tmp_path: Path, channels: int, format_: str, subtype: str) -> None:
    soundfile.write(tmp_path / "a", chord(channels, 48_000).T, 48_000, format=format_, subtype=subtype)
    clip = read_sound(tmp_path / "a")
    found = [pitch_hz(channel, 48_000) for channel in clip.samples]
    assert found == pytest.approx([50 + 10 * i for i in range(channels)], abs=1)


@pytest.mark.parametrize(("layout", "channels"), [("mono", 1), ("stereo", 2), ("5.1", 6), ("7.1", 8)])
@pytest.mark.parametrize(("name", "codec"), [("a.m4a", "aac"), ("a.m4a", "alac"), ("a.mka", "libopus")])
def test_channels_keep_their_order_through_ffmpeg(
    tmp_path: Path, name: str, codec: str, layout: str, channels: int
) -> None:
    if (codec, layout) == ("alac", "7.1"):
        layout = "7.1(wide)"  # the only order of eight that it knows
    encode(tmp_path / name, codec, chord(channels, 48_000), 48_000, layout)
    found = [pitch_hz(channel, 48_000) for channel in read_sound(tmp_path / name).samples]
    assert found == pytest.approx([50 + 10 * i for i in range(channels)], abs=1)


@pytest.mark.parametrize(
    "subtype",
    ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW", "IMA_ADPCM", "MS_ADPCM"],
)
def test_every_sample_format(tmp_path: Path, subtype: str) -> None:
    soundfile.write(tmp_path / "a.wav", tone(16_000), 16_000, subtype=subtype)
    clip = read_sound(tmp_path / "a.wav")
    settled = slice(1000, 16_000)  # ADPCM needs a while to find its step
    assert np.abs(clip.samples[0, settled] - tone(16_000)[settled]).max() < 0.03


LOSSY: dict[str, Callable[[Path, Floats], None]] = {
    "a.ogg": lambda path, x: soundfile.write(path, x.T, 48_000, format="OGG", subtype="VORBIS"),
    "a.opus": lambda path, x: soundfile.write(path, x.T, 48_000, format="OGG", subtype="OPUS"),
    "a.mp3": lambda path, x: soundfile.write(path, x.T, 48_000, format="MP3", subtype="MPEG_LAYER_III"),
    "b.mp3": lambda path, x: encode(path, "libmp3lame", x, 48_000, "stereo"),
    "a.m4a": lambda path, x: encode(path, "aac", x, 48_000, "stereo"),
    "b.m4a": lambda path, x: encode(path, "aac", x, 48_000, "stereo", movflags="+faststart"),
    "a.aac": lambda path, x: encode(path, "aac", x, 48_000, "stereo"),
    "a.webm": lambda path, x: encode(path, "libopus", x, 48_000, "stereo"),
    "b.opus": lambda path, x: encode(path, "libopus", x, 48_000, "stereo"),
}


def clicks() -> tuple[Floats, list[float]]:
    """Two channels of four seconds with a short burst at each given second, over a quiet tone."""
    at = [0.5, 1.5, 2.25, 3.5]
    x = np.stack([tone(48_000, duration_s=4, level=0.05), tone(48_000, hz=600, duration_s=4, level=0.05)])
    for second in at:
        start = round(second * 48_000)
        x[:, start : start + 48] += 0.8
    return x, at


def click_times(samples: Floats, rate_hz: int, at: list[float]) -> list[float]:
    """The centre of each burst's loudest half millisecond, near where it should be."""
    found = []
    for second in at:
        first = max(0, round((second - 0.1) * rate_hz))
        near = np.abs(samples[0, first : round((second + 0.1) * rate_hz)])
        found.append((first + float(np.flatnonzero(near > near.max() / 2).mean())) / rate_hz)
    return found


@pytest.mark.parametrize("name", LOSSY)
def test_lossy_formats_keep_time_length_and_channels(tmp_path: Path, name: str) -> None:
    x, at = clicks()
    LOSSY[name](tmp_path / name, x)
    clip = read_sound(tmp_path / name)
    # Raw AAC does not say how much of its beginning is the encoder's delay.
    late_s = 1024 / 48_000 if name.endswith(".aac") else 0.0
    assert clip.duration_s == pytest.approx(4.0, abs=0.05)
    assert click_times(clip.samples, clip.rate_hz, at) == pytest.approx(
        [s + 0.0005 + late_s for s in at], abs=0.002
    )
    quiet = clip.samples[:, round(2.5 * 48_000) : round(3.3 * 48_000)]
    assert [pitch_hz(channel, 48_000) for channel in quiet] == pytest.approx([440, 600], abs=1)


# A part of a file


@pytest.mark.parametrize("name", [*LOSSY, "a.wav", "a.flac"])
@pytest.mark.parametrize(
    ("start_s", "duration_s"), [(0.0, 0.5), (0.25, 1.0), (2.2, 0.1), (3.0, None), (3.5, 9.0)]
)
def test_a_part_equals_that_part_of_the_whole(
    tmp_path: Path, name: str, start_s: float, duration_s: float | None
) -> None:
    x, _ = clicks()
    LOSSY.get(name, lambda path, x: soundfile.write(path, x.T, 48_000))(tmp_path / name, x)
    whole = read_sound(tmp_path / name).samples
    first = round(start_s * 48_000)
    expected = whole[:, first : None if duration_s is None else first + round(duration_s * 48_000)]
    part = read_sound(tmp_path / name, start_s=start_s, duration_s=duration_s).samples
    assert part.shape == expected.shape
    assert np.abs(part - expected).max() < 1e-4


def test_a_short_part_of_a_long_file_is_read_quickly(tmp_path: Path) -> None:
    hour = np.zeros((3600 * 16_000, 1), np.int16)
    soundfile.write(tmp_path / "a.flac", hour, 16_000)
    began = time.perf_counter()
    clip = read_sound(tmp_path / "a.flac", start_s=3000, duration_s=2)
    assert time.perf_counter() - began < 0.5
    assert clip.duration_s == 2


# What is refused


def cut(path: Path, share: float = 0.5) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])


def noise() -> Floats:
    return (0.2 * np.random.default_rng(0).standard_normal((2, 96_000))).astype(np.float32)


@pytest.mark.parametrize("name", [n for n in [*LOSSY, "a.wav", "a.flac", "a.aiff", "a.au"] if n != "a.aac"])
@pytest.mark.parametrize("share", [0.9, 0.6, 0.3])
def test_a_cut_file_is_refused(tmp_path: Path, name: str, share: float) -> None:
    LOSSY.get(name, lambda path, x: soundfile.write(path, x.T, 48_000))(tmp_path / name, noise())
    read_sound(tmp_path / name)
    cut(tmp_path / name, share)
    with pytest.raises(BadInput, match=r"cut short|damaged"):
        read_sound(tmp_path / name)


@pytest.mark.parametrize("name", [*LOSSY, "a.wav", "a.flac"])
def test_noise_in_a_file_gives_a_clip_or_a_clear_word(tmp_path: Path, name: str) -> None:
    LOSSY.get(name, lambda path, x: soundfile.write(path, x.T, 48_000))(tmp_path / name, noise())
    whole = bytearray((tmp_path / name).read_bytes())
    for seed in range(12):
        rng = np.random.default_rng(seed)
        damaged = whole.copy()
        for place in rng.integers(0, min(len(whole), 4000), 30):
            damaged[place] = int(rng.integers(256))
        (tmp_path / name).write_bytes(damaged)
        try:
            assert read_sound(tmp_path / name, duration_s=1).samples.size
        except BadInput as error:
            assert str(tmp_path / name) in str(error)


def write_rate(rate_hz: int) -> Callable[[Path], None]:
    return lambda path: soundfile.write(path, np.full(4000, 0.5, np.float32), rate_hz)


def write_zero_length(path: Path) -> None:
    soundfile.write(path, np.zeros((0, 1)), 16_000)


def write_png(path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (40, 30)).save(path, "PNG")


def write_silent_film(path: Path) -> None:
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        container.mux(
            stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24"))
        )
        container.mux(stream.encode(None))


def write_not_finite(value: float) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        soundfile.write(path, np.array([0, value, 0], np.float32), 16_000, subtype="FLOAT")

    return write


def write_playlist(path: Path) -> None:
    other = path.with_name("secret.wav")
    soundfile.write(other, tone(16_000), 16_000)
    path.write_text(f"ffconcat version 1.0\nfile {other.name}\n")


BROKEN: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "missing": ("a.wav", lambda path: None, "does not exist"),
    "folder": ("a.wav", lambda path: path.mkdir(), "is a folder"),
    "empty": ("a.wav", lambda path: path.touch(), "is empty"),
    "text": ("a.txt", lambda path: path.write_text("hello\n" * 100), "not a sound"),
    "text called mp3": ("a.mp3", lambda path: path.write_text("hello\n" * 100), "not a sound"),
    "text called raw": ("a.raw", lambda path: path.write_text("hello\n" * 100), "not a sound"),
    "png": ("a.png", write_png, "not a sound"),
    "png called wav": ("a.wav", write_png, "not a sound"),
    "random": ("a.mp3", lambda path: path.write_bytes(np.random.default_rng(0).bytes(9999)), "not a sound"),
    "playlist": ("a.ffconcat", write_playlist, "not a sound"),
    "film without sound": ("a.mp4", write_silent_film, "no sound"),
    "zero length": ("a.wav", write_zero_length, "not a single sample"),
    "zero length flac": ("a.flac", write_zero_length, "is empty"),
    "NaN": ("a.wav", write_not_finite(np.nan), "not numbers"),
    "beyond all scale": ("a.wav", write_not_finite(1e30), "far beyond full scale"),
    "impossible rate": ("a.wav", write_rate(800_000_000), "more than any sound has"),
    "infinity": ("a.wav", write_not_finite(-np.inf), "not numbers"),
    "header only": ("a.wav", lambda path: path.write_bytes(b"RIFF\x00\x01\x00\x00WAVE"), "not a sound"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_cannot_be_heard_is_refused_in_one_sentence(tmp_path: Path, case: str) -> None:
    name, make, words = BROKEN[case]
    make(tmp_path / name)
    with pytest.raises(BadInput, match=words) as caught:
        read_sound(tmp_path / name)
    message = str(caught.value)
    assert str(tmp_path / name) in message and message.endswith(".") and "\n" not in message


def test_spans_that_make_no_sense(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", Clip(tone(16_000)[None], 16_000))
    for span in ({"start_s": 1.0}, {"start_s": 99.0}, {"start_s": 9e8}):
        with pytest.raises(BadInput, match="no sound after"):
            read_sound(tmp_path / "a.wav", **span)
    for bad in (-1.0, np.nan, np.inf, 1e308):
        with pytest.raises(BadInput, match="start of 0"):
            read_sound(tmp_path / "a.wav", start_s=bad)
    for bad in (0.0, -1.0, np.nan, np.inf, 1e308):
        with pytest.raises(BadInput, match="more than 0 seconds"):
            read_sound(tmp_path / "a.wav", duration_s=bad)


def test_a_wav_whose_writer_was_streaming_is_read_to_its_end(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", Clip(tone(16_000)[None], 16_000))
    whole = bytearray((tmp_path / "a.wav").read_bytes())
    for unknown in (0xFFFFFFFF, 0x7FFFF000):
        whole[40:44] = struct.pack("<I", unknown)
        (tmp_path / "a.wav").write_bytes(whole)
        assert read_sound(tmp_path / "a.wav").samples.shape == (1, 16_000)


def test_an_mp3_with_tags_is_read(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.mp3", tone(16_000, duration_s=10), 16_000)
    plain = (tmp_path / "a.mp3").read_bytes()
    ape = b"APETAGEX" + struct.pack("<IIII8x", 2000, 64, 1, 0) + bytes(64)
    (tmp_path / "b.mp3").write_bytes(
        b"ID3\x04\0\0\0\0\x02\0" + bytes(256) + plain + ape + b"TAG" + bytes(125)
    )
    np.testing.assert_array_equal(
        read_sound(tmp_path / "b.mp3").samples, read_sound(tmp_path / "a.mp3").samples
    )


def test_decoders_keep_quiet(tmp_path: Path) -> None:
    """In a process of its own: decoders written in C do not go through sys.stderr."""
    for name, make in LOSSY.items():
        make(tmp_path / name, noise())
        (tmp_path / f"cut-{name}").write_bytes((tmp_path / name).read_bytes()[:7000])
    (tmp_path / "random.mp3").write_bytes(b"\xff\xfb" + np.random.default_rng(0).bytes(9999))
    program = (
        "import sys, pathlib\nfrom eidophone.media.audio import read_sound\n"
        "from eidophone.core.errors import BadInput\n"
        "for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):\n"
        "    try: read_sound(path)\n"
        "    except BadInput: pass\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, env=dict(os.environ), check=True
    )
    assert (done.stdout, done.stderr) == (b"", b"")


# Writing and the recipe


def chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """RIFF chunks, by the standard: kind, little-endian length, content, padding to even."""
    found, at = [], 0
    while at < len(data):
        kind, length = struct.unpack_from("<4sI", data, at)
        content = data[at + 8 : at + 8 + length]
        assert len(content) == length, f"{kind!r} runs over the end"
        found.append((kind, content))
        at += 8 + length + length % 2
    assert at == len(data)
    return found


RECIPES = [
    "",
    "x",
    '{"prompt": "bells"}',
    json.dumps({"prompt": "鐘が鳴る 🔔 Ünïcödé"}, ensure_ascii=False),
    json.dumps({"list": [f"é{i}" for i in range(6000)]}, ensure_ascii=False)[:50_001],
]


@pytest.mark.parametrize("recipe", RECIPES, ids=range(len(RECIPES)))
def test_the_recipe_comes_back_and_the_file_stays_a_wav(tmp_path: Path, recipe: str) -> None:
    path, clip = tmp_path / "a.wav", Clip(chord(2, 16_000), 16_000)
    write_wav(path, clip, recipe=recipe)
    assert read_recipe_from_wav(path) == recipe

    ((riff, body),) = chunks(path.read_bytes())
    assert riff == b"RIFF" and body[:4] == b"WAVE"
    (_, format_), (data, _), (list_, info) = chunks(body[4:])
    assert (data, list_, info[:4]) == (b"data", b"LIST", b"INFO")
    assert struct.unpack("<HHIIHH", format_) == (1, 2, 16_000, 64_000, 4, 16)
    assert chunks(info[4:]) == [(b"ICMT", recipe.encode() + b"\0")]

    by_libsndfile, rate_hz = soundfile.read(path, dtype="float32")
    with av.open(str(path)) as container:
        by_ffmpeg = np.concatenate([frame.to_ndarray().reshape(-1, 2) for frame in container.decode(audio=0)])
        assert container.metadata.get("comment", "") == recipe
    assert rate_hz == 16_000
    np.testing.assert_array_equal(by_libsndfile, by_ffmpeg / np.float32(32768))
    assert np.abs(by_libsndfile.T - clip.samples).max() <= 0.5 / 32768
    np.testing.assert_array_equal(by_libsndfile.T, read_sound(path).samples)


def test_a_wav_without_recipe(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", Clip(tone(16_000)[None], 16_000))
    assert read_recipe_from_wav(tmp_path / "a.wav") is None
    soundfile.write(tmp_path / "b.wav", tone(16_000), 16_000)
    assert read_recipe_from_wav(tmp_path / "b.wav") is None
    soundfile.write(tmp_path / "c.flac", tone(16_000), 16_000)
    with pytest.raises(BadInput, match="not a WAV"):
        read_recipe_from_wav(tmp_path / "c.flac")
    with pytest.raises(BadInput, match="does not exist"):
        read_recipe_from_wav(tmp_path / "d.wav")
    with pytest.raises(ValueError, match="NUL"):
        write_wav(tmp_path / "a.wav", Clip(tone(16_000)[None], 16_000), recipe="a\0b")


def test_the_recipe_of_a_damaged_file_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    write_wav(path, Clip(tone(8_000, duration_s=0.01)[None], 8_000), recipe="x" * 99)
    whole = path.read_bytes()
    for length in range(12, len(whole)):
        path.write_bytes(whole[:length])
        found = read_recipe_from_wav(path)
        assert found is None or found == "x" * 99 or set(found) <= {"x"}


def test_the_same_clip_makes_the_same_bytes_and_reads_back_to_itself(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    soundfile.write(tmp_path / "a.wav", rng.integers(-(2**15), 2**15, (5000, 3)).astype(np.int16), 22_050)
    clip = read_sound(tmp_path / "a.wav")
    write_wav(tmp_path / "b.wav", clip, recipe="r")
    again = read_sound(tmp_path / "b.wav")
    np.testing.assert_array_equal(again.samples, clip.samples)
    write_wav(tmp_path / "c.wav", again, recipe="r")
    assert (tmp_path / "b.wav").read_bytes() == (tmp_path / "c.wav").read_bytes()


def test_loud_samples_are_clipped_not_wrapped(tmp_path: Path) -> None:
    loud = np.array([[-9, -1, -0.5, 0, 0.5, 1, 1.0001, 9, 3e38]], np.float32)
    write_wav(tmp_path / "a.wav", Clip(loud, 8_000))
    expected = np.clip(loud, -1, 32767 / 32768)
    np.testing.assert_array_equal(read_sound(tmp_path / "a.wav").samples, expected)


def test_what_does_not_fit_into_a_wav_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = Clip(tone(16_000)[None], 16_000)
    monkeypatch.setattr(audio, "RIFF_LIMIT_BYTES", 44 + 2 * 16_000)
    write_wav(tmp_path / "a.wav", clip)
    with pytest.raises(CannotWrite, match="4 GB"):
        write_wav(tmp_path / "b.wav", clip, recipe="one byte too many")
    assert not (tmp_path / "b.wav").exists()


# Loudness and length


@given(st.floats(-40, 38), st.floats(0.01, 1))
@settings(max_examples=50, deadline=None)
def test_the_loudest_sample_is_the_peak(exponent: float, peak: float) -> None:
    samples = np.array([[0.3, -1.0, 0.5], [0.1, 0.2, 0.0]]) * 10**exponent
    clip = Clip(samples.astype(np.float32), 8_000)
    loudest = np.abs(peak_normalize(clip, peak).samples).max()
    assert loudest == pytest.approx(peak, rel=1e-6) or not clip.samples.any()


def test_silence_stays_silence() -> None:
    silence = Clip(np.zeros((2, 100), np.float32), 8_000)
    np.testing.assert_array_equal(peak_normalize(silence).samples, silence.samples)


@given(st.integers(1, 3000), st.sampled_from(RATES), st.sampled_from(RATES))
@settings(max_examples=60, deadline=None)
def test_resampling_keeps_the_duration(frames: int, old_hz: int, new_hz: int) -> None:
    clip = resample(Clip(np.full((2, frames), 0.5, np.float32), old_hz), new_hz)
    assert clip.samples.shape == (2, max(1, round(frames * new_hz / old_hz)))


def test_numbers_that_make_no_sense() -> None:
    clip = Clip(tone(8_000)[None], 8_000)
    assert resample(clip, 8_000) is clip
    with pytest.raises(ValueError, match="rate_hz"):
        resample(clip, 0)
    for peak in (0.0, -1.0, 1.5):
        with pytest.raises(ValueError, match="peak"):
            peak_normalize(clip, peak)
