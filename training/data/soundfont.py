"""Plays a General MIDI soundfont: from patterns of notes to clips.

A pattern draws notes with a seeded generator: a tolling bell, a melody, a beat. Many clips go into one MIDI
file, each in its own slot, because starting the synthesizer takes longer than playing.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import mido
import numpy as np
import soundfile
from numpy.random import Generator
from numpy.typing import NDArray

from training.config import TrainingError

LEAD_S = 1.0  # from the start of a slot to the start of its window
GAP_S = 0.7  # after the window, so that the sound can decay
TICKS_PER_S = 960  # mido's defaults: 480 ticks per beat, 120 beats per minute
DRUM_BANK, DRUM_CHANNEL = 128, 9
SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 4, 7, 9))
CHORDS = ((0, 4, 7), (0, 3, 7), (0, 4, 7, 11), (0, 5, 7), (0, 3, 7, 10))
TRIAD = CHORDS[0]
ALL_SOUND_OFF, BANK, REVERB, CHORUS = 120, 0, 91, 93


class Note(NamedTuple):
    """One note; times in seconds from the start of the window, key and velocity as in MIDI (0 to 127)."""

    start_s: float
    length_s: float
    key: int
    velocity: int


@dataclass(frozen=True)
class Preset:
    """A sound of the soundfont, and how to play it.

    Attributes:
        bank: MIDI bank; 128 is the drum kits.
        program: MIDI program, counted from 0.
        keys: Lowest and highest key to play.
        play: Names of patterns, from PATTERNS.
    """

    bank: int
    program: int
    keys: tuple[int, int]
    play: tuple[str, ...]

    def __post_init__(self) -> None:
        if unknown := sorted(set(self.play) - PATTERNS.keys()):
            raise ValueError(f"no pattern {unknown[0]!r}; there are: {', '.join(sorted(PATTERNS))}")


def scale_keys(rng: Generator, keys: tuple[int, int]) -> list[int]:
    """Keys of up to two octaves of a random scale with its root in the given range."""
    low, high = keys
    root = int(rng.integers(low, max(low + 1, high - 11)))
    steps = SCALES[rng.integers(len(SCALES))]
    return [key for octave in (0, 12) for step in steps if low <= (key := root + octave + step) <= high]


def held(rng: Generator, keys: tuple[int, int], seconds: float) -> list[Note]:
    """One note for the whole window."""
    start = rng.uniform(-0.9, 0.1)
    return [Note(start, seconds - start, int(rng.integers(keys[0], keys[1] + 1)), int(rng.integers(80, 127)))]


def hits(rng: Generator, keys: tuple[int, int], seconds: float) -> list[Note]:
    """The same key again and again, at irregular intervals."""
    key, at, notes = int(rng.integers(keys[0], keys[1] + 1)), rng.uniform(0, 0.4), []
    pace = rng.uniform(0.3, 1.3)
    while at < seconds - 0.3:
        length = pace * rng.uniform(0.7, 1.2)
        notes.append(Note(at, length, key, int(rng.integers(80, 127))))
        at += length
    return notes


def toll(rng: Generator, keys: tuple[int, int], seconds: float) -> list[Note]:
    """A slow, steady stroke on one or two keys; every stroke rings on."""
    low = int(rng.integers(keys[0], keys[1] + 1))
    pair = (low, min(low + int(rng.choice([0, 0, 3, 4, 5])), keys[1]))
    period, first = rng.uniform(0.6, 1.9), rng.uniform(0, 0.4)
    times = np.arange(first, seconds - 0.2, period)
    return [Note(t, seconds - t, pair[i % 2], int(rng.integers(90, 127))) for i, t in enumerate(times)]


def peal(rng: Generator, keys: tuple[int, int], seconds: float) -> list[Note]:
    """Four to six bells of a scale, rung in rounds from high to low."""
    bells = scale_keys(rng, keys)[: int(rng.integers(4, 7))][::-1]
    period, first = rng.uniform(0.18, 0.45), rng.uniform(0, 0.2)
    times = np.arange(first, seconds - 0.1, period)
    return [Note(t, 1.5, bells[i % len(bells)], int(rng.integers(85, 120))) for i, t in enumerate(times)]


def melody(rng: Generator, keys: tuple[int, int], seconds: float) -> list[Note]:
    """A random walk along a scale, with mixed note lengths."""
    scale, beat = scale_keys(rng, keys), rng.uniform(0.16, 0.36)
    at, place, notes = rng.uniform(0, 0.2), int(rng.integers(len(scale))), []
    while at < seconds:
        length = beat * int(rng.choice([1, 1, 2, 2, 3, 4]))
        notes.append(Note(at, length * 0.95, scale[place], int(rng.integers(75, 120))))
        at += length
        place = int(np.clip(place + rng.choice([-2, -1, 1, 2, 3]), 0, len(scale) - 1))
    return notes


def notes(rng: Generator, keys: tuple[int, int], seconds: float) -> list[Note]:
    """One to three long notes."""
    count = int(rng.integers(1, 4))
    scale, length = scale_keys(rng, keys), seconds / count
    return [
        Note(i * length + 0.05, length * 0.95, int(rng.choice(scale)), int(rng.integers(75, 120)))
        for i in range(count)
    ]


def chords(rng: Generator, keys: tuple[int, int], seconds: float) -> list[Note]:
    """Two to five chords, all strings or pipes at once."""
    count = int(rng.integers(2, 6))
    scale, length, made = scale_keys(rng, keys), seconds / count, []
    for i in range(count):
        root, velocity = int(rng.choice(scale)), int(rng.integers(70, 115))
        shape = CHORDS[rng.integers(len(CHORDS))]
        made += [Note(i * length + 0.012 * j, length, root + step, velocity) for j, step in enumerate(shape)]
    return made


def arpeggio(rng: Generator, keys: tuple[int, int], seconds: float) -> list[Note]:
    """A broken chord, up and down; every note rings on."""
    root, shape = int(rng.integers(keys[0], keys[1] + 1)), CHORDS[rng.integers(len(CHORDS))]
    ladder = [key for octave in (0, 12) for step in shape if (key := root + octave + step) <= keys[1] + 12]
    turn, step_s = ladder + ladder[-2:0:-1], rng.uniform(0.1, 0.3)
    times = np.arange(rng.uniform(0, 0.2), seconds, step_s)
    return [Note(t, 4 * step_s, turn[i % len(turn)], int(rng.integers(70, 110))) for i, t in enumerate(times)]


def fanfare(rng: Generator, keys: tuple[int, int], seconds: float) -> list[Note]:
    """Long and short notes of one major chord, that of the lowest key."""
    ladder = [keys[0] + step for step in (*TRIAD, 12) if keys[0] + step <= keys[1]]
    at, notes = rng.uniform(0, 0.2), []
    while at < seconds:
        length = float(rng.choice([0.2, 0.4, 0.4, 0.8]))
        notes.append(Note(at, 0.95 * length, int(rng.choice(ladder)), int(rng.integers(95, 125))))
        at += length
    return notes


def strum(rng: Generator, keys: tuple[int, int], seconds: float) -> list[Note]:
    """Tonic, subdominant and dominant chords on six strings; the lowest key is the tonic."""
    at, made = rng.uniform(0, 0.2), []
    while at < seconds:
        length, root = float(rng.choice([0.4, 0.4, 0.8])), keys[0] + int(rng.choice([0, 0, 5, 7]))
        velocity = int(rng.integers(85, 120))
        strings = [key for step in (0, 7, 12, 16, 19, 24) if (key := root + step) <= keys[1]]
        made += [Note(at + 0.012 * j, length, key, velocity) for j, key in enumerate(strings)]
        at += length
    return made


def beat(rng: Generator, keys: tuple[int, int], seconds: float) -> list[Note]:
    """A drum pattern of sixteen steps, sometimes with a fill. Drums have no pitch: `keys` is ignored."""
    del keys
    step_s, made = rng.uniform(0.1, 0.17), []
    kick, snare, hat = rng.random(16) < 0.3, rng.random(16) < 0.12, rng.random(16) < rng.uniform(0, 0.8)
    kick[0] = snare[4] = snare[12] = True
    fill = rng.random() < 0.4
    for i, t in enumerate(np.arange(rng.uniform(0, 0.1), seconds, step_s)):
        place = i % 16
        played = [key for key, on in ((36, kick), (38, snare), (42, hat)) if on[place]]
        if fill and place >= 12:
            played = [50 - 2 * (place - 12)]
        made += [Note(t, 0.1, key, int(rng.integers(80, 125))) for key in played]
    return made


def gallop(rng: Generator, keys: tuple[int, int], seconds: float) -> list[Note]:
    """Hooves: groups of two to four strokes on neighbouring keys, at a steady pace."""
    group, period = int(rng.integers(2, 5)), rng.uniform(0.34, 0.62)
    places = np.array([0, 0.22, 0.45, 0.7])[:group] * period
    key, made = int(rng.integers(keys[0], keys[1] + 1)), []
    for t in np.arange(rng.uniform(0, 0.2), seconds, period):
        made += [
            Note(t + place, 0.2, key - i % 2 * 2, int(rng.integers(75, 120)))
            for i, place in enumerate(places)
        ]
    return made


PATTERNS: dict[str, Callable[[Generator, tuple[int, int], float], list[Note]]] = {
    f.__name__: f
    for f in (held, hits, toll, peal, melody, notes, chords, arpeggio, fanfare, strum, beat, gallop)
}


def score(preset: Preset, rng: Generator, seconds: float) -> list[mido.Message]:
    """MIDI messages of one clip in order, with `time` in seconds from the start of the slot."""
    channel = DRUM_CHANNEL if preset.bank == DRUM_BANK else 0
    controls = [(ALL_SOUND_OFF, 0), (REVERB, int(rng.integers(0, 80))), (CHORUS, 0)]
    if channel != DRUM_CHANNEL:
        controls.append((BANK, preset.bank))
    messages = [
        mido.Message("control_change", channel=channel, control=c, value=v, time=0) for c, v in controls
    ]
    messages.append(mido.Message("program_change", channel=channel, program=preset.program, time=0))
    end = LEAD_S + seconds + 0.1
    timed = []
    for note in PATTERNS[str(rng.choice(preset.play))](rng, preset.keys, seconds):
        if note.start_s >= seconds:
            continue
        start = max(LEAD_S + note.start_s, 0.02)
        stop = min(start + note.length_s, end)
        on = mido.Message("note_on", channel=channel, note=note.key, velocity=note.velocity, time=start)
        timed += [on, mido.Message("note_off", channel=channel, note=note.key, time=stop)]
    silence = mido.Message("control_change", channel=channel, control=ALL_SOUND_OFF, value=0, time=end)
    return [*messages, *sorted(timed, key=lambda m: (m.time, m.type == "note_on")), silence]


def midi_file(clips: Sequence[tuple[Preset, Generator]], seconds: float) -> mido.MidiFile:
    """All clips one after another, each in its slot."""
    track, now = mido.MidiTrack(), 0
    slot_s = LEAD_S + seconds + GAP_S
    for i, (preset, rng) in enumerate(clips):
        for message in score(preset, rng, seconds):
            tick = round((i * slot_s + message.time) * TICKS_PER_S)
            track.append(message.copy(time=tick - now))
            now = tick
    track.append(mido.MetaMessage("end_of_track", time=TICKS_PER_S))
    return mido.MidiFile(type=0, tracks=[track])


def render(
    clips: Sequence[tuple[Preset, Generator]], fonts: Sequence[Path], seconds: float, rate_hz: int
) -> NDArray[np.float32]:
    """Plays every clip with fluidsynth; sounds of a later font replace those of an earlier one.

    Returns:
        float32, shape (clips, seconds * rate_hz), mono.
    """
    if shutil.which("fluidsynth") is None:
        raise TrainingError(
            "fluidsynth is needed to play a soundfont. Install it: apt-get install fluidsynth"
        )
    with tempfile.TemporaryDirectory() as work:
        midi, wav = Path(work) / "clips.mid", Path(work) / "clips.wav"
        midi_file(clips, seconds).save(midi)
        quiet = ["fluidsynth", "-n", "-i", "-q", "-g", "0.5", "-r", str(rate_hz), "-F", str(wav)]
        subprocess.run([*quiet, *map(str, fonts), str(midi)], check=True, capture_output=True)
        sound, _ = soundfile.read(wav, dtype="float32", always_2d=True)
    mono, frames = sound.mean(1), round(seconds * rate_hz)
    starts = [round((i * (LEAD_S + seconds + GAP_S) + LEAD_S) * rate_hz) for i in range(len(clips))]
    mono = np.pad(mono, (0, max(0, starts[-1] + frames - len(mono))))
    return np.stack([mono[start : start + frames] for start in starts])
