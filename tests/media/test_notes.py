"""The notes of pictures of known tones, and of a microphone that is not there."""

import io
import sys
import types
from pathlib import Path

import mido
import numpy as np
import pytest

import eidophone
from eidophone.core.errors import BadInput
from eidophone.core.values import Clip, Picture
from eidophone.media.audio import write_wav
from eidophone.media.mel import MelSpec
from eidophone.media.microphone import record
from eidophone.media.notes import Note, band_centres, midi_file, notes_of
from eidophone.media.picture import write_png
from eidophone.media.spectrogram import gray_from_clip

RATE = 22_050
SPEC = MelSpec(rate_hz=RATE, n_fft=2048, win_length=1024, hop_length=256, n_mels=128, f_max=8000.0)


def tones(*played: tuple[int, float, float, float], seconds: float = 2.0) -> Clip:
    """Sines of (pitch, start, end, amplitude) with short fades."""
    time = np.arange(round(RATE * seconds)) / RATE
    sound = np.zeros_like(time)
    for pitch, start, end, amplitude in played:
        hertz = 440 * 2 ** ((pitch - 69) / 12)
        fade = np.clip(np.minimum(time - start, end - time) / 0.01, 0, 1)
        sound += amplitude * fade * np.sin(2 * np.pi * hertz * time)
    return Clip(sound[None].astype(np.float32), RATE)


def played(clip: Clip) -> list[Note]:
    return notes_of(gray_from_clip(clip, SPEC), SPEC)


def test_bands_are_those_of_librosa() -> None:
    librosa = pytest.importorskip("librosa")
    wanted = librosa.mel_frequencies(n_mels=SPEC.n_mels + 2, fmin=SPEC.f_min, fmax=SPEC.f_max)[1:-1]
    assert np.allclose(band_centres(SPEC), wanted, rtol=1e-4)


@pytest.mark.parametrize("pitch", [60, 64, 69, 72, 79, 84, 91, 100])
def test_a_tone_is_one_note_of_its_pitch_at_its_time(pitch: int) -> None:
    (note,) = played(tones((pitch, 0.5, 1.25, 0.5)))
    assert note.pitch == pitch
    assert note.start_s == pytest.approx(0.5, abs=0.05) and note.end_s == pytest.approx(1.25, abs=0.05)


def test_a_chord_and_a_melody() -> None:
    score = [
        (60, 0.1, 0.8, 0.3),
        (67, 0.1, 0.8, 0.3),
        (76, 0.1, 0.8, 0.3),
        (72, 1.0, 1.4, 0.3),
        (74, 1.5, 1.9, 0.3),
    ]
    pitches = [note.pitch for note in played(tones(*score))]
    assert sorted(pitches[:3]) == [60, 67, 76] and pitches[3:] == [72, 74]


def test_louder_is_a_higher_velocity() -> None:
    soft, loud = played(tones((72, 0.2, 0.8, 0.05), (72, 1.1, 1.8, 0.5)))
    assert 0 < soft.velocity < loud.velocity <= 127


def test_a_note_struck_twice_is_two_notes() -> None:
    assert len(played(tones((72, 0.2, 0.7, 0.4), (72, 0.8, 1.4, 0.4)))) == 2


def test_a_tone_that_dips_is_struck_again() -> None:
    swelling = tones((72, 0.2, 1.4, 0.4))
    time = np.arange(swelling.samples.shape[1]) / RATE
    dipped = np.where(abs(time - 0.8) < 0.06, 0.01, 1.0).astype(np.float32)
    assert len(played(Clip(swelling.samples * dipped, RATE))) == 2


def test_silence_and_noise_hold_few_notes() -> None:
    assert played(Clip(np.zeros((1, RATE), np.float32), RATE)) == []
    noise = np.random.default_rng(0).standard_normal((1, 2 * RATE)).astype(np.float32)
    assert len(played(Clip(0.2 * noise, RATE))) < 20


def test_the_midi_file_says_the_same() -> None:
    notes = played(tones((60, 0.1, 0.8, 0.3), (67, 0.5, 1.5, 0.2)))
    file = mido.MidiFile(file=io.BytesIO(midi_file(notes)))
    now, begun, read = 0.0, {}, []
    for message in file:
        now += message.time
        if message.type == "note_on":
            begun[message.note] = now, message.velocity
        elif message.type == "note_off":
            start, velocity = begun.pop(message.note)
            read.append(Note(message.note, start, now, velocity))
    for one, other in zip(sorted(read, key=lambda n: n.start_s), notes, strict=True):
        assert (one.pitch, one.velocity) == (other.pitch, other.velocity)
        assert one.start_s == pytest.approx(other.start_s, abs=0.002)
        assert one.end_s == pytest.approx(other.end_s, abs=0.002)


def test_hear_stores_the_notes(tmp_path: Path) -> None:
    gray = gray_from_clip(tones((72, 0.2, 0.8, 0.5), seconds=1.0), SPEC)
    write_png(tmp_path / "tone.png", Picture.from_gray(gray))
    made = eidophone.hear(tmp_path / "tone.png", midi=True, out=tmp_path / "out", offline=True)
    stored = made.folder / "notes.mid"
    pitches = [m.note for m in mido.MidiFile(stored) if m.type == "note_on"]
    assert pitches == [72] and made.facts["notes"] == 1
    plain = eidophone.hear(tmp_path / "tone.png", out=tmp_path / "plain", offline=True)
    assert not (plain.folder / "notes.mid").exists()


class _Microphone(types.ModuleType):
    """What the package sounddevice looks like, with or without a device."""

    class PortAudioError(Exception):
        """Its error."""

    def __init__(self, there: bool) -> None:
        super().__init__("sounddevice")
        self.there = there

    def query_devices(self, kind: str) -> dict[str, float]:
        if not self.there:
            raise self.PortAudioError("Error querying device -1")
        return {"default_samplerate": float(RATE)}

    def rec(self, frames: int, samplerate: int, channels: int, dtype: str) -> np.ndarray:
        return (
            np.sin(np.arange(frames) * 2 * np.pi * 440 / samplerate)
            .astype(dtype)[:, None]
            .repeat(channels, 1)
        )

    def wait(self) -> None:
        """Nothing to wait for."""


def test_see_draws_what_the_microphone_hears(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", _Microphone(True))
    made = eidophone.see(record=1.0, out=tmp_path, offline=True)
    assert made.clip.duration_s == pytest.approx(1.0, abs=0.01)
    assert {note.pitch for note in notes_of(made.spectrogram, SPEC)} == {69}
    again = eidophone.remake(made.folder, out=tmp_path / "again")
    assert (again.folder / "sound.wav").read_bytes() == (made.folder / "sound.wav").read_bytes()


@pytest.mark.parametrize(
    ("module", "says"),
    [(None, r"pip install 'eidophone\[microphone\]'"), (_Microphone(False), "there is no microphone")],
)
def test_without_a_microphone_one_sentence_says_so(
    module: object, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", module)
    with pytest.raises(BadInput, match=says):
        record(1.0)


def test_see_takes_a_file_or_the_microphone_but_not_both(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", tones((72, 0.2, 0.8, 0.5), seconds=1.0))
    with pytest.raises(BadInput, match="--record"):
        eidophone.see(tmp_path / "a.wav", record=1.0)
    with pytest.raises(BadInput, match="--record"):
        eidophone.see()
