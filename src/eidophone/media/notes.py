"""The notes of a mel picture, and a MIDI file of them."""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eidophone.core.errors import BadInput
from eidophone.core.values import Floats
from eidophone.media.mel import MelSpec

Reals = NDArray[np.float64]

#: A peak is heard as a note if it is at least this light and stands out this far from what is beside it.
LIGHT, STANDS_OUT = 0.3, 0.08
#: Bands on either side that a peak is compared with.
BESIDE = 4
#: Seconds of a gap that does not end a note, and of the shortest note.
GAP_S, SHORTEST_S = 0.04, 0.05
#: A rise of the grey range within a note that begins it anew.
STRUCK_AGAIN = 0.12
LOWEST, HIGHEST = 0, 127
_TICKS, _TEMPO = 480, 500_000  # ticks a beat, microseconds a beat: 960 ticks a second


@dataclass(frozen=True)
class Note:
    """One note.

    Attributes:
        pitch: MIDI number; 69 is A4, 440 Hz.
        start_s, end_s: In seconds.
        velocity: 1 to 127, even in decibels.
    """

    pitch: int
    start_s: float
    end_s: float
    velocity: int


def notes_of(gray: Floats, spec: MelSpec) -> list[Note]:
    """The notes of a mel picture, by start, then by pitch.

    In every column each peak over frequency is a pitch, placed between its bands by a parabola; a pitch that
    lasts is a note. Overtones are notes of their own.

    Args:
        gray: (bands, columns) in [0, 1], low pitch last.
        spec: Its settings.
    """
    roll = _roll(np.asarray(gray[::-1], np.float64), band_centres(spec))
    column_s = spec.seconds(1)
    found = [
        note for pitch in np.flatnonzero(roll.any(1)) for note in _notes(int(pitch), roll[pitch], column_s)
    ]
    return sorted(found, key=lambda note: (note.start_s, note.pitch))


def band_centres(spec: MelSpec) -> Reals:
    """Centre frequencies of the mel bands in Hz, lowest first, (n_mels,)."""
    from transformers.audio_utils import hertz_to_mel, mel_to_hertz

    ends = [float(hertz_to_mel(f, mel_scale="slaney")) for f in (spec.f_min, spec.f_max)]
    mels = np.linspace(ends[0], ends[1], spec.n_mels + 2)
    return np.asarray(mel_to_hertz(mels, mel_scale="slaney")[1:-1], np.float64)


def _roll(bands: Reals, centres: Reals) -> Reals:
    """How light each pitch is in each column, (128, columns); 0 where it is no peak."""
    padded = np.pad(bands, ((BESIDE, BESIDE), (0, 0)), mode="edge")
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * BESIDE + 1, 0)
    low = np.maximum(around[..., :BESIDE].min(-1), around[..., BESIDE + 1 :].min(-1))
    inner = np.zeros(bands.shape, bool)
    inner[1:-1] = (bands[1:-1] >= bands[:-2]) & (bands[1:-1] > bands[2:])
    rows, columns = np.nonzero(inner & (bands >= LIGHT) & (bands - low >= STANDS_OUT))
    below, here, above = (bands[rows + step, columns] for step in (-1, 0, 1))
    bend = below - 2 * here + above
    shift = np.clip(np.where(bend < 0, 0.5 * (below - above) / np.minimum(bend, -1e-9), 0), -0.5, 0.5)
    hertz = np.interp(rows + shift, np.arange(len(centres)), centres)
    pitch = np.rint(69 + 12 * np.log2(np.maximum(hertz, 1) / 440)).astype(int)
    roll = np.zeros((HIGHEST + 1, bands.shape[1]))
    inside = (pitch >= LOWEST) & (pitch <= HIGHEST)
    np.maximum.at(roll, (pitch[inside], columns[inside]), here[inside])
    return roll


def _notes(pitch: int, course: Reals, column_s: float) -> list[Note]:
    """The notes of one pitch from its light over time."""
    gap, shortest = max(1, round(GAP_S / column_s)), max(2, round(SHORTEST_S / column_s))
    sounding = np.flatnonzero(course)
    found = []
    for run in np.split(sounding, np.flatnonzero(np.diff(sounding) > gap) + 1):
        starts = [int(run[0]), *(int(run[k]) for k in _struck_again(course[run], shortest))]
        for start, beyond in zip(starts, [*starts[1:], int(run[-1]) + 1], strict=True):
            if beyond - start >= shortest:
                velocity = math.ceil(np.clip(course[start:beyond].max(), 0, 1) * HIGHEST)
                found.append(Note(pitch, start * column_s, beyond * column_s, max(1, velocity)))
    return found


def _struck_again(course: Reals, apart: int) -> list[int]:
    """Where a sounding pitch was struck again: its light fell by a step, and rose by one."""
    found: list[int] = []
    peak, trough, begun = 0.0, math.inf, 0
    for k, light in enumerate(course.tolist()):
        if light > peak and trough > peak - STRUCK_AGAIN:
            peak = light
        trough = min(trough, light) if peak > light else trough
        if trough <= peak - STRUCK_AGAIN and light >= trough + STRUCK_AGAIN and k - begun >= apart:
            found.append(k)
            peak, trough, begun = light, math.inf, k
    return found


def midi_file(notes: Sequence[Note]) -> bytes:
    """A standard MIDI file (format 0) at 120 beats a minute.

    Raises:
        BadInput: mido is not installed.
    """
    try:
        import mido
    except ImportError as error:
        raise BadInput("--midi needs the package mido; pip install 'eidophone[midi]'.") from error
    events = [(note.start_s, True, note) for note in notes] + [(note.end_s, False, note) for note in notes]
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=_TEMPO)])
    now = 0
    for moment, on, note in sorted(events, key=lambda event: (event[0], event[1], event[2].pitch)):
        at = round(mido.second2tick(moment, _TICKS, _TEMPO))
        kind = "note_on" if on else "note_off"
        track.append(mido.Message(kind, note=note.pitch, velocity=note.velocity if on else 0, time=at - now))
        now = at
    track.append(mido.MetaMessage("end_of_track"))
    stored = io.BytesIO()
    mido.MidiFile(type=0, ticks_per_beat=_TICKS, tracks=[track]).save(file=stored)
    return stored.getvalue()
