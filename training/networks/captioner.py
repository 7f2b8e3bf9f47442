"""The captioner's head: names the family's concepts in a sound, alone and mixed (the stage `captioner`).

It is a linear map from the tagger's embedding of a window to the concepts of sounds.toml and ESC-10. Its
labels belong to whole sounds (what is in them, not when), so the probabilities of the windows are pooled,
each weighted by itself. It learns from ESC-10 folds 1 to 3 without the two Sampling+ clips, from the
training windows of the sound pack, from sounds that are none of these, and from mixtures of two.
"""

import io
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from eidophone.data.mixtures import loudness
from eidophone.data.recordings import read_esc
from eidophone.media.audio import read_sound, resample
from eidophone.media.files import write_atomically, write_text
from eidophone.models.tagger import CONFIG, RATE_HZ, WEIGHTS, Tagger
from training.config import Run
from training.data.clips import DEV_FOLD, SAMPLING_PLUS, TRAIN
from training.data.sounds import concepts
from training.mel import SPEC
from training.networks.tagger import load

Floats = NDArray[np.float32]

FRAMES = 5 * RATE_HZ  # the length of ESC-10's recordings
#: Concepts of ESC-10's classes, where the names differ.
ESC10 = {
    "baby_cry": "baby",
    "clock_tick": "clock",
    "dog_bark": "dog",
    "fire_crackling": "fire",
    "person_sneeze": "sneeze",
    "sea_waves": "waves",
}
#: Recordings without any of the concepts.
OTHERS = (
    "boiling-water", "busy-street", "ceiling-fan", "construction-site", "crowd", "dryer", "fireworks",
    "laundry-room", "rowing-boat", "singing-bowl", "submarine", "subway-station", "washing-machine",
    "woodpecker",
)  # fmt: skip
VOICES = ("en", "en-us", "en+f3", "en+m3", "en+f2", "en+m7")


@dataclass(frozen=True)
class Amounts:
    """How many sounds to learn from, and how.

    Attributes:
        packed: Windows of each concept from the sound pack.
        speeches: Spoken sentences, which have none of the concepts.
        made: Generated noises and tones, likewise.
        mixtures: Mixtures of two sounds.
        steps: Optimizer steps.
        batch: Sounds per step.
        rate: Peak learning rate.
        sparse: Weight of the sum of the head's absolute weights.
        seed: Seed of every random choice.
    """

    packed: int
    speeches: int
    made: int
    mixtures: int
    steps: int
    batch: int
    rate: float
    sparse: float
    seed: int


@dataclass(frozen=True)
class Sound:
    """A sound and the concepts in it: samples float32 (frames,) at 16 kHz."""

    samples: Floats
    names: frozenset[str]


# --- material ------------------------------------------------------------------------------------


def recorded(data: Path) -> Iterator[Sound]:
    """ESC-10 without the fold for development."""
    for recording in read_esc(data / "esc10"):
        if recording.fold != int(DEV_FOLD) and recording.path.stem not in SAMPLING_PLUS:
            (label,) = recording.labels
            yield Sound(heard_at(recording.path)[:FRAMES], frozenset({ESC10.get(label, label)}))


def packed(work: Path, count: int) -> Iterator[Sound]:
    """Training windows of the sound pack that do not come from ESC-10."""
    for file in sorted((work / "sounds").glob("*.npz")):
        with np.load(file) as stored:
            sources, splits, samples = stored["source"], stored["split"], stored["samples"]
        fit = [i for i, s in enumerate(sources) if splits[i] == TRAIN and not str(s).startswith("esc10")]
        for i in fit[:: max(1, len(fit) // count)][:count]:
            sound = soxr.resample(samples[i].astype(np.float32) / 32767, SPEC.rate_hz, RATE_HZ)
            yield Sound(sound, frozenset({file.stem}))


def others(data: Path | None, plan: Amounts, rng: Generator) -> Iterator[Sound]:
    """Sounds with none of the concepts: recordings (if there are any), speech, noises and tones."""
    for name in OTHERS if data else ():
        assert data is not None
        sound = heard_at(data / "ambient" / f"{name}.ogg")
        for start in range(0, len(sound) - FRAMES, 2 * FRAMES):
            yield Sound(sound[start : start + FRAMES], frozenset())
    phrases = [phrase for concept in concepts().values() for phrase in concept.captions]
    for i in range(plan.speeches):
        text = ". ".join(rng.choice(phrases, 2))
        yield Sound(spoken(text, VOICES[i % len(VOICES)], int(rng.integers(120, 200))), frozenset())
    for i in range(plan.made):
        yield Sound(made(i % 3, rng), frozenset())


def heard_at(path: Path) -> Floats:
    """A sound file in mono at the tagger's sample rate."""
    return resample(read_sound(path), RATE_HZ).mono()


def spoken(text: str, voice: str, words_a_minute: int) -> Floats:
    """A sentence spoken by espeak-ng."""
    command = ["espeak-ng", "-v", voice, "-s", str(words_a_minute), "--stdout", text]
    wave = subprocess.run(command, capture_output=True, check=True).stdout
    sound, rate_hz = soundfile.read(io.BytesIO(wave), dtype="float32")
    return soxr.resample(sound, rate_hz, RATE_HZ)[:FRAMES]


def made(kind: int, rng: Generator) -> Floats:
    """White noise, brown noise or a tone at a random level."""
    level = 10 ** rng.uniform(-2.5, -0.3)
    if kind == 2:
        sound = np.sin(2 * np.pi * 10 ** rng.uniform(2, 3.6) * np.arange(FRAMES) / RATE_HZ)
    else:
        sound = rng.standard_normal(FRAMES)
        sound = np.cumsum(sound) if kind else sound
        sound = (sound - sound.mean()) / np.abs(sound).max()
    return (level * sound).astype(np.float32)


def mixture(first: Sound, second: Sound, rng: Generator) -> Sound:
    """Two sounds at once, with levels up to 8 dB apart."""
    laid = [laid_out(s.samples, rng) / max(loudness(s.samples, RATE_HZ), 1e-6) for s in (first, second)]
    both = laid[0] * 10 ** (rng.uniform(-8, 8) / 20) + laid[1]
    both *= 10 ** rng.uniform(-1.2, -0.05) / np.abs(both).max()
    return Sound(both.astype(np.float32), first.names | second.names)


def laid_out(samples: Floats, rng: Generator) -> Floats:
    """A sound at a random position in FRAMES frames."""
    room = FRAMES - len(samples)
    if room <= 0:
        return samples[:FRAMES]
    before = int(rng.integers(room + 1))
    return np.pad(samples, (before, room - before))


def mixtures(pool: list[Sound], count: int, rng: Generator) -> Iterator[Sound]:
    """Mixtures of two different concepts, or of a concept and another sound; all concepts equally often."""
    members: dict[str, list[Sound]] = {}
    for sound in pool:
        members.setdefault(next(iter(sound.names), ""), []).append(sound)
    names = sorted(members)
    for _ in range(count):
        pair = [members[names[i]] for i in rng.choice(len(names), 2, replace=False)]
        first, second = (sounds[int(rng.integers(len(sounds)))] for sounds in pair)
        yield mixture(first, second, rng)


def mixed(alone: list[Sound], field: list[Sound], plan: Amounts, rng: Generator) -> Iterator[Sound]:
    """Mixtures; half of them of field recordings, which vary most and are closest to what users bring."""
    yield from mixtures(field, plan.mixtures // 2, rng)
    yield from mixtures(alone, plan.mixtures - plan.mixtures // 2, rng)


# --- learning ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TrainingSet:
    """Embedded sounds.

    Attributes:
        embeddings: (sounds, windows, 1024); zeros after the end of a sound.
        present: (sounds, windows, 1); 1 where there is a window.
        wanted: (sounds, names); 1 for what is in a sound.
        names: The concepts.
    """

    embeddings: Tensor
    present: Tensor
    wanted: Tensor
    names: tuple[str, ...]


def training_set(sounds: list[Sound], tagger: Tagger) -> TrainingSet:
    """Embeds all sounds with the tagger; takes minutes."""
    names = tuple(sorted(set().union(*(s.names for s in sounds))))
    found = [tagger.embeddings(torch.from_numpy(s.samples)) for s in sounds]
    present = nn.utils.rnn.pad_sequence([torch.ones(len(f), 1) for f in found], batch_first=True)
    wanted = torch.tensor([[float(name in s.names) for name in names] for s in sounds])
    return TrainingSet(nn.utils.rnn.pad_sequence(found, batch_first=True), present, wanted, names)


def pooled(probabilities: Tensor) -> Tensor:
    """Probabilities of whole sounds from those of windows, as `captioners.timeline` pools them.

    Shape:
        - Input: (sounds, windows, names)
        - Output: (sounds, names)
    """
    return probabilities.square().sum(1) / probabilities.sum(1).clamp(min=1e-6)


def train(given: TrainingSet, plan: Amounts) -> nn.Linear:
    """Trains the head on standardized embeddings, then folds the standardization into its weights."""
    torch.manual_seed(plan.seed)
    windows = given.embeddings[given.present[..., 0] > 0]
    mean, spread = windows.mean(0), windows.std(0) + 0.1
    head = nn.Linear(windows.shape[1], len(given.names))
    nn.init.zeros_(head.weight)
    nn.init.constant_(head.bias, -3)
    optimizer = torch.optim.Adam(head.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, plan.rate, total_steps=plan.steps)
    for step in range(plan.steps):
        chosen = torch.randint(len(given.wanted), (plan.batch,))
        seen = (given.embeddings[chosen] - mean) / spread
        guess = pooled(head(seen).sigmoid() * given.present[chosen]).clamp(1e-5, 1 - 1e-5)
        wrong = F.binary_cross_entropy(guess, given.wanted[chosen], reduction="none").sum(1).mean()
        loss = wrong + plan.sparse * head.weight.abs().sum() / len(given.names)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            print(f"step {step}: {wrong.item():.3f}", flush=True)
    with torch.no_grad():
        head.weight.div_(spread)
        head.bias.sub_(head.weight @ mean)
    return head


def export(head: nn.Linear, names: tuple[str, ...], folder: Path) -> None:
    """Writes the head as float16 safetensors."""
    half = {key: value.half().contiguous() for key, value in head.state_dict().items()}
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / WEIGHTS, lambda draft: save_file(half, draft))
    text = json.dumps({"kind": "tagged", "sources": names}, indent=1) + "\n"
    write_text(folder / CONFIG, text)


def make(run: Run) -> None:
    """The stage `captioner`."""
    plan = Amounts(**run["captioner"], seed=run["seed"] - 1)
    rng = np.random.default_rng(plan.seed)
    field = list(recorded(run.recordings)) if run.packs else []
    alone = [
        *field,
        *packed(run.work, plan.packed),
        *others(run.recordings if run.packs else None, plan, rng),
    ]
    given = training_set([*alone, *mixed(alone, field or alone, plan, rng)], load(run))
    print(f"{len(alone)} sounds, {plan.mixtures} mixtures, {len(given.names)} concepts", flush=True)
    export(train(given, plan), given.names, run.family / "captioner")
