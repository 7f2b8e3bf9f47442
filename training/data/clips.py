"""Clips: windows of sound from recordings, a soundfont and sound models, and variations of them.

A clip is mono and as long as a canvas is wide. Its loudest sample is PEAK, unless it is a variation.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from numpy.random import Generator
from numpy.typing import NDArray

from eidophone.media.audio import read_sound, resample
from training.data import fetch
from training.data.soundfont import Preset, render
from training.mel import SPEC

COLUMNS = 288
FRAMES = SPEC.frames(COLUMNS)
PEAK = 0.95
TRAIN, DEV = 0, 1
DEV_FOLD = "4"
SAMPLING_PLUS = {"1-40730-A", "2-96460-A"}  # the two clips of ESC-10 that are neither CC0 nor CC-BY
DEV_PART = 0.2  # of each ambient recording, at its end
SEMITONES = (-6, 3)  # pitch shifts; lower sounds survive a mel picture more often
SEAM = 220  # frames (10 ms) of fade where a sound is cut and joined
#: A call is where the level exceeds this share of the level of the loudest moments, and AROUND_S around it.
CALLING, AROUND_S = 0.12, 0.12
SHORTEST_CALL_S, REST_S = 0.15, 0.4

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Clip:
    """One window of sound.

    Attributes:
        samples: float32, shape (FRAMES,), at SPEC.rate_hz.
        source: Where it comes from; the part before "@" names the recording or preset.
        split: TRAIN or DEV.
    """

    samples: Floats
    source: str
    split: int

    @property
    def origin(self) -> str:
        """The recording or preset it was cut from."""
        return self.source.split("@")[0]


@dataclass(frozen=True)
class Concept:
    """A concept of sounds.toml, which explains the fields.

    Attributes:
        calls: Whether the recordings consist of calls; then the pauses between them are shortened.
        semitones: Lowest and highest pitch shift of variations.
    """

    heard: tuple[str, ...]
    captions: tuple[str, ...]
    esc10: tuple[str, ...] = ()
    ambient: tuple[str, ...] = ()
    presets: tuple[Preset, ...] = ()
    synth: str = ""
    calls: bool = False
    semitones: tuple[int, int] = SEMITONES

    @classmethod
    def from_mapping(cls, given: dict[str, Any]) -> "Concept":
        """Reads a concept from its table in sounds.toml; an unknown key is an error."""
        presets = tuple(
            Preset(p["bank"], p["program"], (p["keys"][0], p["keys"][1]), tuple(p["play"]))
            for p in given.get("presets", ())
        )
        plain = {key: given[key] for key in given.keys() & {"synth", "calls"}}
        lists: dict[str, Any] = {key: tuple(given[key]) for key in given.keys() - plain.keys() - {"presets"}}
        return cls(**lists, **plain, presets=presets)


def gather(concept: Concept, data: Path, train: int, dev: int, seed: Sequence[int]) -> list[Clip]:
    """Every raw clip of a concept; about `train` and `dev` of each come from a soundfont or sound model."""
    rng = np.random.default_rng(seed)
    clips, read = [], called if concept.calls else mono
    for folder in concept.esc10:
        clips += esc10_clips(data / "esc10" / folder, rng, read)
    for name in concept.ambient:
        count = max(10, train // len(concept.ambient))
        clips += ambient_clips(data / "ambient" / f"{name}.ogg", count, read)
    if concept.presets:
        clips += played_clips(concept.presets, {TRAIN: train, DEV: dev}, seed)
    if concept.synth:
        clips += modelled_clips(concept.synth, {TRAIN: train, DEV: dev}, seed)
    return clips


# --- recordings ----------------------------------------------------------------------------------


def esc10_clips(folder: Path, rng: Generator, read: Callable[[Path], Floats]) -> list[Clip]:
    """Two windows of each recording: around its loudest moment, and anywhere."""
    clips = []
    for file in sorted(f for f in folder.glob("*.ogg") if f.stem not in SAMPLING_PLUS):
        sound, split = read(file), DEV if file.name.startswith(f"{DEV_FOLD}-") else TRAIN
        last = max(len(sound) - FRAMES, 0)
        near = round(loudest(sound) + rng.uniform(-0.4, 0.1) * SPEC.rate_hz)
        for start in (int(np.clip(near, 0, last)), int(rng.integers(last + 1))):
            clips.append(cut(sound, start, f"esc10/{folder.name}/{file.stem}", split))
    return clips


def ambient_clips(file: Path, count: int, read: Callable[[Path], Floats]) -> list[Clip]:
    """Windows from all of a recording. Its end is for development and shares no frame with the rest."""
    sound = read(file)
    border = round(len(sound) * (1 - DEV_PART))
    if len(sound) - border < FRAMES:
        border = len(sound)
    clips = []
    for begin, end, split, wanted in ((0, border, TRAIN, count), (border, len(sound), DEV, -(-count // 5))):
        if end > begin:
            starts = np.linspace(begin, max(end - FRAMES, begin), wanted).astype(int)
            clips += [
                cut(sound[:end], s, f"ambient/{file.stem}", split) for s in sorted(set(starts.tolist()))
            ]
    return clips


def mono(file: Path) -> Floats:
    """A sound file in mono at the family's sample rate."""
    return resample(read_sound(file), SPEC.rate_hz).mono()


def called(file: Path) -> Floats:
    """The calls in a sound file one after another, with short rests instead of the quiet between them."""
    sound = mono(file)
    level = np.sqrt(np.convolve(sound.astype(np.float64) ** 2, np.full(2 * SEAM, 0.5 / SEAM), "same").clip(0))
    reach = 2 * round(AROUND_S * SPEC.rate_hz) + 1
    near = np.convolve(level > CALLING * np.quantile(level, 0.995), np.ones(reach), "same") > 0.5
    edges = np.flatnonzero(np.diff(np.concatenate([[0], near.astype(int), [0]])))
    rest = np.zeros(round(REST_S * SPEC.rate_hz), np.float32)
    calls = [
        part
        for begin, end in edges.reshape(-1, 2)
        if end - begin > SHORTEST_CALL_S * SPEC.rate_hz
        for part in (faded(sound[begin:end]), rest)
    ]
    return np.concatenate(calls) if calls else sound


def loudest(sound: Floats) -> int:
    """First frame of the window with most energy."""
    if len(sound) <= FRAMES:
        return 0
    energy = np.concatenate([[0.0], np.cumsum(sound.astype(np.float64) ** 2)])
    return int(np.argmax(energy[FRAMES:] - energy[:-FRAMES]))


def cut(sound: Floats, start: int, origin: str, split: int) -> Clip:
    """The window that starts at `start`; a sound that ends early is repeated."""
    part = sound[start : start + FRAMES]
    return Clip(at_peak(filled(part)), f"{origin}@{start / SPEC.rate_hz:.2f}s", split)


# --- soundfont -----------------------------------------------------------------------------------


def played_clips(presets: Sequence[Preset], counts: dict[int, int], seed: Sequence[int]) -> list[Clip]:
    """Clips of a soundfont's presets in turn, each with its own seed."""
    fonts = [
        fetch.debian(f"fluid-soundfont-{font.lower()}") / "usr/share/sounds/sf2" / f"FluidR3_{font}.sf2"
        for font in ("GM", "GS")
    ]
    plan = [(presets[i % len(presets)], split, i) for split, n in counts.items() for i in range(n)]
    orders = [(preset, np.random.default_rng([*seed, split, i])) for preset, split, i in plan]
    sounds = render(orders, fonts, FRAMES / SPEC.rate_hz, SPEC.rate_hz)
    return [
        Clip(at_peak(sound[:FRAMES]), f"fluidr3/{preset.bank}:{preset.program}@{i}", split)
        for sound, (preset, split, i) in zip(sounds, plan, strict=True)
        if np.abs(sound).max() > 1e-3
    ]


# --- sound models --------------------------------------------------------------------------------


def modelled_clips(model: str, counts: dict[int, int], seed: Sequence[int]) -> list[Clip]:
    """Clips of a sound model, each with its own seed."""
    return [
        Clip(
            at_peak(MODELS[model](np.random.default_rng([*seed, 2 + split, i]))), f"synth/{model}@{i}", split
        )
        for split, count in counts.items()
        for i in range(count)
    ]


def bell(rng: Generator) -> Floats:
    """One to three church bells, struck at a steady pace.

    The partials are those that founders tune: hum, prime, minor third, fifth, nominal and higher. Each is a
    pair of tones a fraction of a hertz apart, so that it beats. Higher partials decay sooner. The strike is a
    short noise.
    """
    sound, bells = np.zeros(3 * FRAMES), int(rng.choice([1, 1, 1, 2, 3]))
    prime_hz = np.exp(rng.uniform(np.log(220), np.log(620)))
    steps = [0, *np.cumsum(rng.choice([2, 3, 4], size=2))][:bells][::-1]
    period_s, t = rng.uniform(0.7, 2.0) / np.sqrt(bells), np.arange(FRAMES) / SPEC.rate_hz
    ring = [struck_bell(prime_hz * 2 ** (step / 12), t, rng) for step in steps]
    first = int(rng.choice([0, FRAMES]))  # an earlier start rings on into the window
    for i, at_s in enumerate(np.arange(rng.uniform(0, 0.3), (first + FRAMES) / SPEC.rate_hz, period_s)):
        begin = round(at_s * SPEC.rate_hz)
        sound[begin : begin + FRAMES] += ring[i % bells] * rng.uniform(0.7, 1)
    return sound[first : first + FRAMES].astype(np.float32)


def struck_bell(prime_hz: float, t: NDArray[np.float64], rng: Generator) -> NDArray[np.float64]:
    """One stroke at t = 0, as long as t."""
    ratios = np.array([0.5, 1, 1.2, 1.5, 2, 2.5, 2.67, 3, 4, 5.33, 6.7, 8.1]) * rng.normal(1, 0.003, 12)
    levels = np.array([0.5, 0.7, 0.8, 0.3, 1, 0.35, 0.3, 0.6, 0.45, 0.3, 0.2, 0.12]) * rng.uniform(
        0.6, 1.3, 12
    )
    lives_s = rng.uniform(1.6, 3.2) / ratios**0.8
    ring = np.zeros(len(t))
    for ratio, level, life_s in zip(ratios, levels, lives_s, strict=True):
        for detune_hz in (0, rng.uniform(0.3, 1.5)):
            wave = np.sin(2 * np.pi * (prime_hz * ratio + detune_hz) * t + rng.uniform(0, 2 * np.pi))
            ring += 0.5 * level * np.exp(-t / life_s) * wave * (prime_hz * ratio < 0.45 * SPEC.rate_hz)
    return ring + rng.normal(0, 0.8, len(t)) * np.exp(-t / 0.012)


def pipe(rng: Generator) -> Floats:
    """Notes of a wooden pipe, with few harmonics and some breath noise."""
    count, t = int(rng.integers(3, 7)), np.arange(FRAMES) / SPEC.rate_hz
    step = np.minimum((t * count / t[-1]).astype(int), count - 1)
    hz = 440 * 2 ** (rng.choice([0, 2, 4, 7, 9, 12], count) / 12)
    phase = 2 * np.pi * np.cumsum(hz[step]) / SPEC.rate_hz
    sound = np.sin(phase) + 0.2 * np.sin(2 * phase) + 0.02 * rng.normal(size=FRAMES)
    return sound.astype(np.float32)


def drops(rng: Generator) -> Floats:
    """Rain: a hiss with drops in it."""
    sparks = rng.normal(size=FRAMES) * (rng.random(FRAMES) < 0.004) * 3
    return (0.3 * rng.normal(size=FRAMES) + sparks).astype(np.float32)


MODELS: dict[str, Callable[[Generator], Floats]] = {"bell": bell, "pipe": pipe, "drops": drops}


# --- variations ----------------------------------------------------------------------------------


def varied(clips: Sequence[Clip], rng: Generator, semitones: tuple[int, int] = SEMITONES) -> Clip:
    """A variation of one or two clips: shifted in time and pitch, changed in level, sometimes mixed.

    Args:
        clips: All of one split, so that nothing leaks from training into development.
        rng: Makes every choice.
        semitones: Lowest and highest pitch shift.
    """
    first, second = (clips[i] for i in rng.integers(len(clips), size=2))
    sound = shifted(repitched(first.samples, rng.uniform(*semitones)), int(rng.integers(FRAMES)))
    if rng.random() < 0.3:
        sound = sound + rng.uniform(0.3, 0.9) * shifted(second.samples, int(rng.integers(FRAMES)))
    return Clip(at_peak(sound, rng.uniform(0.6, PEAK)), f"{first.source}+varied", first.split)


def repitched(sound: Floats, semitones: float) -> Floats:
    """A sound played faster or slower. If it becomes too short, its beginning fills the end.

    >>> len(repitched(np.ones(FRAMES, np.float32), 2)) == FRAMES
    True
    """
    return filled(soxr.resample(sound, SPEC.rate_hz * 2 ** (semitones / 12), SPEC.rate_hz))


def shifted(sound: Floats, frames: int) -> Floats:
    """A sound shifted in time, cyclically, with a short fade where the end meets the beginning."""
    return np.roll(faded(sound), frames)


def filled(sound: Floats) -> Floats:
    """A sound of FRAMES frames: cut, or repeated with a fade at the seam."""
    return sound[:FRAMES] if len(sound) >= FRAMES else np.resize(faded(sound), FRAMES)


def faded(sound: Floats) -> Floats:
    """A sound with SEAM frames of fade-in and fade-out."""
    ramp = np.linspace(0, 1, min(SEAM, len(sound) // 2), dtype=np.float32)
    out = sound.copy()
    out[: len(ramp)] *= ramp
    out[len(out) - len(ramp) :] *= ramp[::-1]
    return out


def at_peak(sound: NDArray[np.floating], peak: float = PEAK) -> Floats:
    """A sound scaled so that its largest sample is `peak`; silence stays silence."""
    largest = float(np.abs(sound).max())
    return (sound * (peak / largest if largest > 0 else 1)).astype(np.float32)
