"""Good files in unusual shapes are read whole; what cannot be read is refused in one true sentence."""

import os
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from eidophone.core.errors import BadInput, EidophoneError
from eidophone.core.values import Clip, Floats
from eidophone.media.audio import cancelled_channels, read_sound
from eidophone.media.decode_ffmpeg import CONTAINERS, decode
from eidophone.media.ogg import links
from eidophone.media.stream import read_blocks

RATE = 16_000


def tone(hz: float, seconds: float, rate_hz: int = RATE) -> Floats:
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    return (0.4 * np.sin(2 * np.pi * hz * t)).astype(np.float32)


def pitch_hz(samples: Floats, rate_hz: int) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 4 * len(samples)))
    return float(spectrum.argmax() * rate_hz / (4 * len(samples)))


def mux(path: Path, container: str, codec: str, samples: Floats, rate_hz: int) -> None:
    with av.open(str(path), "w", format=container) as file:
        stream = file.add_stream(codec, rate=rate_hz, layout="mono")
        to_codec = av.AudioResampler(stream.codec_context.format.name, "mono", rate_hz)
        frame = av.AudioFrame.from_ndarray(samples[None], format="flt", layout="mono")
        frame.sample_rate, frame.pts = rate_hz, 0
        for part in [*to_codec.resample(frame), *to_codec.resample(None), None]:
            file.mux(stream.encode(part))


# R25: chained Ogg


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
@pytest.mark.parametrize("seconds", [(1.5, 2.25), (0.4, 3.0, 0.7), (30.0, 12.0)])
def test_joined_ogg_files_sound_one_after_the_other(
    tmp_path: Path, subtype: str, seconds: tuple[float, ...]
) -> None:
    # R25
    parts = []
    for i, length in enumerate(seconds):
        soundfile.write(
            tmp_path / f"{i}.ogg", tone(300 + 200 * i, length), RATE, format="OGG", subtype=subtype
        )
        parts.append(soundfile.read(tmp_path / f"{i}.ogg", dtype="float32")[0])
    joined = b"".join((tmp_path / f"{i}.ogg").read_bytes() for i in range(len(seconds)))
    (tmp_path / "all.ogg").write_bytes(joined)
    expected = np.concatenate(parts)
    heard = read_sound(tmp_path / "all.ogg")
    assert heard.rate_hz == RATE
    np.testing.assert_array_equal(heard.samples[0], expected)
    assert len(links(tmp_path / "all.ogg")) == len(seconds)
    for start_s, duration_s in [(seconds[0] - 0.3, 0.6), (seconds[0], 0.2), (seconds[0] + 0.1, None)]:
        first = round(start_s * RATE)
        wanted = expected[first : None if duration_s is None else first + round(duration_s * RATE)]
        part = read_sound(tmp_path / "all.ogg", start_s=start_s, duration_s=duration_s).samples[0]
        assert part.shape == wanted.shape and np.abs(part - wanted).max() < 1e-4


def test_the_same_ogg_file_twice_is_twice_as_long(tmp_path: Path) -> None:
    # R25: equal serial numbers
    soundfile.write(tmp_path / "a.ogg", tone(440, 2), RATE)
    (tmp_path / "b.ogg").write_bytes(2 * (tmp_path / "a.ogg").read_bytes())
    assert read_sound(tmp_path / "b.ogg").samples.shape == (1, 2 * 2 * RATE)


def test_joined_ogg_files_of_two_rates_are_refused(tmp_path: Path) -> None:
    # R25
    soundfile.write(tmp_path / "a.ogg", tone(440, 1), RATE)
    soundfile.write(tmp_path / "b.ogg", tone(440, 1, 8000), 8000)
    (tmp_path / "c.ogg").write_bytes((tmp_path / "a.ogg").read_bytes() + (tmp_path / "b.ogg").read_bytes())
    with pytest.raises(BadInput, match=r"c\.ogg changes its sample rate"):
        read_sound(tmp_path / "c.ogg")


def test_a_chain_whose_last_link_is_cut_is_refused(tmp_path: Path) -> None:
    # R25
    soundfile.write(tmp_path / "a.ogg", np.random.default_rng(0).normal(0, 0.1, 3 * RATE), RATE)
    whole = (tmp_path / "a.ogg").read_bytes()
    (tmp_path / "b.ogg").write_bytes(whole + whole[: len(whole) // 2])
    with pytest.raises(BadInput, match="cut short"):
        read_sound(tmp_path / "b.ogg")


# R62, R63: lengths that a recorder did not know


PLACEHOLDERS = [
    0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFDB, 0xFFFFF000, 0x7FFFFFFF, 0x80000000, 0x7FFFF000, 0x7FFFFFDB,
    0x80000024, 1_999_968_000, 2_000_000_000, 4_000_000_000, 0x7FFFFFFF - 4095,
]  # fmt: skip


@pytest.mark.parametrize("length", PLACEHOLDERS)
def test_a_wav_with_a_placeholder_for_its_length_is_read_to_its_end(tmp_path: Path, length: int) -> None:
    # R62
    soundfile.write(tmp_path / "a.wav", tone(440, 1), RATE)
    whole = bytearray((tmp_path / "a.wav").read_bytes())
    whole[40:44] = struct.pack("<I", length)
    whole[4:8] = struct.pack("<I", min(0xFFFFFFFF, length + 36))
    (tmp_path / "b.wav").write_bytes(whole)
    np.testing.assert_array_equal(
        read_sound(tmp_path / "b.wav").samples, read_sound(tmp_path / "a.wav").samples
    )


@pytest.mark.parametrize("length", [64_000, 10_000_000, 1_000_000_004, 1_999_968_004, 0x70000000])
def test_a_wav_that_is_really_cut_is_still_refused(tmp_path: Path, length: int) -> None:
    # R62: only placeholders are forgiven
    soundfile.write(tmp_path / "a.wav", tone(440, 1), RATE)
    whole = bytearray((tmp_path / "a.wav").read_bytes())
    whole[40:44] = struct.pack("<I", length)
    (tmp_path / "a.wav").write_bytes(whole)
    with pytest.raises(BadInput, match=f"the last {length - 32_000} bytes are missing"):
        read_sound(tmp_path / "a.wav")


@pytest.mark.parametrize("length", [0, 0x7FFFF000, 0xFFFFFFFF])
def test_an_aiff_with_a_placeholder_for_its_length_is_read_to_its_end(tmp_path: Path, length: int) -> None:
    # R62, kin
    soundfile.write(tmp_path / "a.aiff", tone(440, 1), RATE)
    whole = bytearray((tmp_path / "a.aiff").read_bytes())
    data = whole.index(b"SSND") + 4
    whole[4:8] = whole[data : data + 4] = struct.pack(">I", length)
    (tmp_path / "a.aiff").write_bytes(whole)
    assert read_sound(tmp_path / "a.aiff").samples.shape == (1, RATE)


def test_a_flac_without_its_length_is_read_to_its_end(tmp_path: Path) -> None:
    # R62, kin: `flac -` writes zero samples into its header when its input is a pipe
    soundfile.write(tmp_path / "a.flac", tone(440, 2), RATE)
    whole = bytearray((tmp_path / "a.flac").read_bytes())
    whole[21] &= 0xF0
    whole[22:26] = bytes(4)
    (tmp_path / "b.flac").write_bytes(whole)
    np.testing.assert_array_equal(
        read_sound(tmp_path / "b.flac").samples, read_sound(tmp_path / "a.flac").samples
    )
    part = read_sound(tmp_path / "b.flac", start_s=0.5, duration_s=1).samples
    np.testing.assert_array_equal(part, read_sound(tmp_path / "a.flac").samples[:, RATE // 2 : RATE * 3 // 2])


@pytest.mark.parametrize("seconds", [0.01, 1.0])
def test_a_wav_whose_length_was_never_filled_in_is_read_to_its_end(tmp_path: Path, seconds: float) -> None:
    # R63
    soundfile.write(tmp_path / "a.wav", tone(440, seconds), RATE)
    whole = bytearray((tmp_path / "a.wav").read_bytes())
    whole[40:44] = whole[4:8] = bytes(4)
    (tmp_path / "b.wav").write_bytes(whole)
    np.testing.assert_array_equal(
        read_sound(tmp_path / "b.wav").samples, read_sound(tmp_path / "a.wav").samples
    )


def test_a_wav_that_is_really_empty_is_still_refused(tmp_path: Path) -> None:
    # R63: what follows the empty data is text, not sound
    soundfile.write(tmp_path / "a.wav", np.zeros(0), RATE)
    note = b"LIST" + struct.pack("<I", 16) + b"INFOICMT" + struct.pack("<I", 4) + b"hey\0"
    (tmp_path / "b.wav").write_bytes((tmp_path / "a.wav").read_bytes() + note)
    for name in ("a.wav", "b.wav"):
        with pytest.raises(BadInput, match="not a single sample"):
            read_sound(tmp_path / name)


# R64 to R67: codecs and containers


UNSEEKABLE = [
    ("WAV", "GSM610"), ("W64", "GSM610"), ("AIFF", "GSM610"),
    ("WAV", "G721_32"), ("AU", "G721_32"), ("AU", "G723_24"), ("AU", "G723_40"), ("WAV", "NMS_ADPCM_16"),
    ("WAV", "NMS_ADPCM_24"), ("WAV", "NMS_ADPCM_32"), ("XI", "DPCM_16"),
]  # fmt: skip


@pytest.mark.parametrize(("container", "subtype"), UNSEEKABLE)
def test_codecs_that_cannot_seek_are_read(tmp_path: Path, container: str, subtype: str) -> None:
    # R64
    path, rate_hz = tmp_path / "a", 44_100 if container == "XI" else 8000
    x = tone(440, 2, rate_hz)
    soundfile.write(path, x, rate_hz, format=container, subtype=subtype)
    with soundfile.SoundFile(path) as file:
        expected = file.read(file.frames if file.frames < 1 << 40 else len(x), "float32")
    clip = read_sound(path)
    assert clip.rate_hz == rate_hz
    np.testing.assert_array_equal(clip.samples[0, : len(expected)], expected)
    assert np.corrcoef(clip.samples[0, : len(x)], x)[0, 1] > 0.95
    part = read_sound(path, start_s=0.75, duration_s=0.5).samples[0]
    np.testing.assert_array_equal(part, clip.samples[0, round(0.75 * rate_hz) : round(1.25 * rate_hz)])


def test_a_codec_that_nobody_reads_is_named(tmp_path: Path) -> None:
    # R64
    soundfile.write(tmp_path / "a.aiff", tone(440, 1), RATE, subtype="DWVW_16")
    with pytest.raises(BadInput, match="uses the codec DWVW_16, which cannot be read; convert it"):
        read_sound(tmp_path / "a.aiff")


def test_mp3_inside_wav_is_read_whole(tmp_path: Path) -> None:
    # R65
    mux(tmp_path / "a.wav", "wav", "libmp3lame", tone(440, 3), RATE)
    assert (tmp_path / "a.wav").read_bytes()[:4] == b"RIFF"
    clip = read_sound(tmp_path / "a.wav")
    assert clip.duration_s == pytest.approx(3, abs=0.2)
    assert pitch_hz(clip.samples[0, RATE : 2 * RATE], RATE) == pytest.approx(440, abs=1)


TAGS = {
    "nothing": b"",
    "ID3v1": b"TAG" + bytes(125),
    "ID3v2": b"ID3\x04\0\0\0\0\x01\0" + bytes(128),
    "APE": b"APETAGEX" + struct.pack("<IIII8x", 2000, 32, 0, 0),
    "padding": bytes(700),
}


@pytest.mark.parametrize("between", TAGS)
def test_joined_mp3_files_sound_one_after_the_other(tmp_path: Path, between: str) -> None:
    # R66
    whole = b""
    for i, hz in enumerate((440, 880)):
        mux(tmp_path / f"{i}.mp3", "mp3", "libmp3lame", tone(hz, 3), RATE)
        whole += (TAGS[between] if i else b"") + (tmp_path / f"{i}.mp3").read_bytes()
    (tmp_path / "all.mp3").write_bytes(whole)
    clip = read_sound(tmp_path / "all.mp3")
    assert clip.duration_s == pytest.approx(6, abs=0.3)
    assert pitch_hz(clip.samples[0, RATE : 2 * RATE], RATE) == pytest.approx(440, abs=1)
    assert pitch_hz(clip.samples[0, 4 * RATE : 5 * RATE], RATE) == pytest.approx(880, abs=1)


@pytest.mark.parametrize("zeros", [1, 100, 4096, 100_000])
@pytest.mark.parametrize(("container", "codec"), [("mp3", "libmp3lame"), ("adts", "aac")])
def test_zero_bytes_behind_the_sound_are_ignored(
    tmp_path: Path, zeros: int, container: str, codec: str
) -> None:
    # R66
    mux(tmp_path / "a", container, codec, tone(440, 2), RATE)
    whole = read_sound(tmp_path / "a").samples
    (tmp_path / "b").write_bytes((tmp_path / "a").read_bytes() + bytes(zeros))
    padded = read_sound(tmp_path / "b").samples
    assert abs(padded.shape[1] - whole.shape[1]) < 2000
    shared = min(padded.shape[1], whole.shape[1])
    np.testing.assert_array_equal(padded[:, :shared], whole[:, :shared])


def test_an_mp3_with_a_damaged_middle_is_still_refused(tmp_path: Path) -> None:
    # R66: only tags and padding are skipped
    mux(tmp_path / "a.mp3", "mp3", "libmp3lame", tone(440, 5), RATE)
    whole = bytearray((tmp_path / "a.mp3").read_bytes())
    middle = len(whole) // 2
    whole[middle : middle + 4000] = np.random.default_rng(0).bytes(4000)
    (tmp_path / "a.mp3").write_bytes(whole)
    with pytest.raises(BadInput, match="damaged"):
        read_sound(tmp_path / "a.mp3")


def dsd_bits(hz: float, seconds: float, rate_hz: int) -> np.ndarray:
    """A tone by first-order delta-sigma modulation, one bit a sample."""
    wanted = 0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate_hz)) / rate_hz)
    bits, left = np.empty(len(wanted), np.uint8), 0.0
    for i, value in enumerate(wanted):
        left += value
        bits[i] = left >= 0
        left -= 1 if bits[i] else -1
    return bits


def write_dsf(path: Path, bits: np.ndarray, rate_hz: int) -> None:
    """Sony's DSF, by its specification: blocks of 4096 bytes, least significant bit first."""
    data = np.packbits(bits, bitorder="little").tobytes()
    data += bytes(-len(data) % 4096)
    form = b"fmt " + struct.pack("<QIIIIIIQII", 52, 1, 0, 1, 1, rate_hz, 1, len(bits), 4096, 0)
    body = form + b"data" + struct.pack("<Q", 12 + len(data)) + data
    path.write_bytes(b"DSD " + struct.pack("<QQQ", 28, 28 + len(body), 0) + body)


def write_dff(path: Path, bits: np.ndarray, rate_hz: int) -> None:
    """Philips' DSDIFF, by its specification: most significant bit first."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return kind + struct.pack(">Q", len(body)) + body + bytes(len(body) % 2)

    properties = (
        b"SND " + chunk(b"FS  ", struct.pack(">I", rate_hz)) + chunk(b"CHNL", struct.pack(">H", 1) + b"SLFT")
        + chunk(b"CMPR", b"DSD \x0enot compressed")
    )  # fmt: skip
    body = b"DSD " + chunk(b"FVER", struct.pack(">I", 0x01050000)) + chunk(b"PROP", properties)
    path.write_bytes(chunk(b"FRM8", body + chunk(b"DSD ", np.packbits(bits).tobytes())))


@pytest.mark.parametrize("write", [write_dsf, write_dff])
def test_dsd_recordings_are_read(tmp_path: Path, write: Callable[[Path, np.ndarray, int], None]) -> None:
    # R67
    write(tmp_path / "a", dsd_bits(1000, 0.2, 2_822_400), 2_822_400)
    clip = read_sound(tmp_path / "a")
    assert clip.rate_hz == 352_800
    assert clip.duration_s == pytest.approx(0.2, abs=0.02)
    assert pitch_hz(clip.samples[0], clip.rate_hz) == pytest.approx(1000, abs=3)


@pytest.mark.parametrize(
    ("container", "codec"),
    [("flv", "libmp3lame"), ("flv", "aac"), ("rm", "ac3"), ("tta", "tta"), ("wv", "wavpack")],
)
def test_more_containers_are_read(tmp_path: Path, container: str, codec: str) -> None:
    # R67
    try:
        mux(tmp_path / "a", container, codec, tone(440, 2, 44_100), 44_100)
    except (ValueError, av.FFmpegError) as error:
        pytest.skip(f"this FFmpeg does not write {container}: {error}")
    clip = read_sound(tmp_path / "a")
    assert clip.duration_s == pytest.approx(2, abs=0.2)
    assert pitch_hz(clip.samples[0, 22_050:66_150], clip.rate_hz) == pytest.approx(440, abs=1)


def test_every_container_in_the_list_exists_and_none_opens_other_files() -> None:
    # R67; R1 for sounds
    names = set(CONTAINERS.split(","))
    known = {part for name in av.formats_available for part in name.split(",")}
    assert names <= known
    assert not names & {
        "concat",
        "hls",
        "dash",
        "image2",
        "lavfi",
        "sdp",
        "rtsp",
        "imf",
        "webm_dash_manifest",
    }


# Names, chatter, memory


@pytest.mark.skipif(sys.platform == "win32", reason="names are Unicode there")
@pytest.mark.parametrize("suffix", [".wav", ".ogg", ".mp3"])
def test_a_name_that_is_not_utf_8_is_read(tmp_path: Path, suffix: str) -> None:
    # R51, R73
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")).with_suffix(suffix)
    soundfile.write(tmp_path / f"a{suffix}", tone(440, 1), RATE)
    (tmp_path / f"a{suffix}").rename(path)
    assert read_sound(path).duration_s == pytest.approx(1, abs=0.1)
    path.write_bytes(b"no sound" * 100)
    with pytest.raises(BadInput, match="not a sound"):
        read_sound(path)


def test_decoders_print_nothing_about_a_web_page_called_mp3(tmp_path: Path) -> None:
    # R71
    (tmp_path / "a.mp3").write_text("<!DOCTYPE html><html><body>404</body></html>" * 50)
    program = (
        "import sys; from pathlib import Path; from eidophone.media.audio import read_sound\n"
        "from eidophone.core.errors import BadInput\n"
        "try: read_sound(Path(sys.argv[1]))\n"
        "except BadInput: pass\n"
        "else: sys.exit(3)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "a.mp3")], capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_too_little_memory_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # R61
    soundfile.write(tmp_path / "a.wav", tone(440, 1), RATE)

    def no_memory(*_args: object, **_kwargs: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(np, "concatenate", no_memory)
        with pytest.raises(EidophoneError, match=r"Out of memory while reading .*a\.wav"):
            read_sound(tmp_path / "a.wav")
    monkeypatch.setattr(np, "ascontiguousarray", no_memory)
    with pytest.raises(EidophoneError, match=r"Out of memory while reading .*a\.wav"):
        list(read_blocks(tmp_path / "a.wav"))


# R28: opposite phase


def test_channels_that_cancel_are_named() -> None:
    # R28
    x = tone(440, 1)
    noise = np.random.default_rng(0).normal(0, 0.3, (2, RATE)).astype(np.float32)
    message = cancelled_channels(Clip(np.stack([x, -x]), RATE), "a.wav")
    assert message is not None and "a.wav have opposite phase" in message and message.endswith(".")
    for samples in (np.stack([x, x]), np.stack([x, 0 * x]), x[None], noise, np.zeros((2, 9), np.float32)):
        assert cancelled_channels(Clip(samples, RATE), "a.wav") is None


def test_a_chunk_beyond_every_file_stops_nobody_and_prints_nothing(tmp_path: Path, capfd) -> None:
    soundfile.write(tmp_path / "a.caf", tone(440, 0.5), RATE, format="CAF", subtype="PCM_16")
    content = (tmp_path / "a.caf").read_bytes()
    at = content.index(b"desc") + 4 + 8 + 32
    (tmp_path / "a.caf").write_bytes(content[:at] + struct.pack(">4sq", b"free", 2**60) + content[at:])
    blocks = list(decode(tmp_path / "a.caf", 0.0, None))
    assert sum(samples.shape[1] for samples, _ in blocks) == RATE // 2  # the sound behind the chunk is whole
    assert not capfd.readouterr().err
