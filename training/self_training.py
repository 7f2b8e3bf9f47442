"""Sounds that the audio model makes itself and that are heard: `python -m training.own --config further`.

The audio model that a run begins from (`--init-from`, else the package's) plays every concept, the tagger
listens, alone and beneath drawings of the image model, and what is heard is kept for the training_set of
training/unet.py: a small network learns sooner what it nearly does than what it cannot do. (Learning from
one's own best, as in ReST, Gulcehre et al., 2023, arXiv:2308.08998.) A file a concept in work/self-made/; a stopped
run goes on.
"""

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from eidophone import compose
from eidophone.models.tagger import Tagger
from eidophone.verbs.compose.lighten import lighten
from training.cache import cached_arrays
from training.config import Run, TrainingError
from training.data import captions
from training.data.examples import sound_phrases
from training.data.pictures import concepts as picture_concepts
from training.data.repainted import STEPS, STRIDE
from training.data.scenes import as_light
from training.data.sounds import concepts, heard_again
from training.networks import tagger

AT_ONCE = 8
DRAWN = 2  # drawings of each thing
#: Seeds of drawings and of sounds; benchmarks use others.
DRAWING_SEED, SOUND_SEED = 30_000, 20_000
#: Drawings that every sound is laid beneath.
TRIALS = 2
#: Weight of a sound that is heard beneath none of them, where one that is heard beneath all has this and 1.
RARELY = 0.25
#: One in so many prompts is a concept's first phrase, the others are any of its phrases.
FIRST_PHRASE = 2
#: Options of `compose` that leave one model out.
DRAWN_ALONE = {"audio_start_step": STEPS, "audio_weight": 0.0}
PLAYED_ALONE = {"image_start_step": STEPS, "audio_weight": 1.0}


@dataclass(frozen=True)
class SelfMade:
    """What a model made of one concept and the tagger heard.

    Attributes:
        pictures: uint8 (N, HEIGHT, WIDTH) mel pictures in which the concept is heard.
        under_drawings: Of TRIALS drawings, beneath how many it is heard, (N,).
        tried: How many sounds were made.
    """

    pictures: np.ndarray
    under_drawings: np.ndarray
    tried: int

    @property
    def share(self) -> float:
        """Share of the sounds that are heard beneath a drawing."""
        return float((self.under_drawings > 0).sum()) / max(1, self.tried)


def recordings_only(run: Run) -> Sequence[str]:
    """Concepts that the run learns from recordings alone, whatever the elder makes of them."""
    names: Sequence[str] = run["audio"].get("recordings_only", ())
    return names


def folder_of(run: Run, role: str) -> str:
    """The model that a run begins from."""
    return str(run.earlier(role))


def made(
    run: Run, prompts: tuple[str, str], seed: int, more: dict[str, Any], count: int = AT_ONCE
) -> np.ndarray:
    """Canvases of one prompt, uint8 (count, HEIGHT, WIDTH)."""
    found = compose(
        *prompts, seed=seed, count=count, batch_size=count, image_model=folder_of(run, "image"),
        audio_model=folder_of(run, "audio"), preset="fast", steps=STEPS, device=run.device.type, **more,
    )  # fmt: skip
    pictures = np.stack([result.spectrogram for result in found])
    return (255 * pictures.clip(0, 1)).round().astype(np.uint8)


def drawings(run: Run) -> np.ndarray:
    """The image model's pictures of its concepts, uint8 (N, HEIGHT, WIDTH), kept in work/self-made-drawings.npz."""

    def _drawn() -> dict[str, np.ndarray]:
        tables = picture_concepts()
        things = [captions.article(tables[n]["one"][0]) for n in run["canvases"]["concepts"]]
        said = [captions.ADVISED.format(thing) for thing in things]
        drawn = [made(run, (s, ""), DRAWING_SEED, DRAWN_ALONE, DRAWN) for s in said]
        return {"pictures": np.concatenate(drawn)}

    return cached_arrays(run.work / "self-made-drawings.npz", _drawn)["pictures"]


def heard_under_drawings(
    ear: Tagger, sounds: np.ndarray, name: str, over: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Beneath how many of TRIALS drawings, drawn at random from `over`, each sound is heard, (N,)."""
    found = np.zeros(len(sounds), np.int64)
    for _ in range(TRIALS if len(sounds) else 0):
        drawn = over[rng.integers(len(over), size=len(sounds))]
        laid = lighten(as_light(drawn)[:, None], as_light(sounds)[:, None], 0.5, STRIDE)[:, 0]
        pictures = (255 * laid).round().to(torch.uint8).numpy()
        found += np.array(heard_again(ear, pictures, concepts()[name])) > 0
    return found


def listened(run: Run, ear: Tagger, name: str, phrases: Sequence[str], over: np.ndarray) -> dict[str, Any]:
    """Makes sounds of a concept until enough are heard beneath a drawing, or enough were made."""
    settings, number = run["self_training"], zlib.crc32(name.encode())
    rng = np.random.default_rng((run["seed"], number))
    kept, under_drawings, tried = [np.zeros((0, *over.shape[1:]), np.uint8)], np.zeros(0, np.int64), 0
    while tried < settings["tries"] and (under_drawings > 0).sum() < settings["wanted"]:
        phrase = phrases[int(rng.integers(len(phrases)))] if rng.integers(FIRST_PHRASE) else phrases[0]
        sounds = made(run, ("", phrase), SOUND_SEED + tried, PLAYED_ALONE)
        tried += AT_ONCE
        sounds = sounds[np.array(heard_again(ear, sounds, concepts()[name])) > 0]
        kept.append(sounds)
        under_drawings = np.concatenate([under_drawings, heard_under_drawings(ear, sounds, name, over, rng)])
    return {"pictures": np.concatenate(kept), "under_drawings": under_drawings, "tried": np.array(tried)}


def self_made(run: Run, name: str) -> SelfMade | None:
    """What is kept of a concept, None if nothing was made of it."""
    file = run.work / "self_training" / f"{name}.npz"
    if not file.exists():
        return None
    data = np.load(file)
    return SelfMade(data["pictures"], data["under_drawings"], int(data["tried"]))


def recorded_under_drawings(run: Run, name: str, sounds: np.ndarray) -> np.ndarray:
    """Beneath how many drawings recorded sounds of a concept are heard, (N,), kept in work/self-made/."""

    def _listened() -> dict[str, np.ndarray]:
        rng = np.random.default_rng((run["seed"], zlib.crc32(name.encode()), 1))
        return {"under_drawings": heard_under_drawings(tagger.load(run), sounds, name, drawings(run), rng)}

    found = cached_arrays(run.work / "self_training" / f"{name}-recorded.npz", _listened)["under_drawings"]
    if len(found) != len(sounds):
        raise TrainingError(f"{name}: the pack of sounds has changed; delete {run.work / 'self_training'}.")
    return found


def chances(under_drawings: np.ndarray) -> np.ndarray:
    """How often each sound is to be learned from, by beneath how many drawings it is heard; sums to 1."""
    weight = RARELY + under_drawings / TRIALS
    found: np.ndarray = weight / weight.sum()
    return found


def make_sounds(run: Run, names: Sequence[str]) -> None:
    """Makes what is missing of some concepts."""
    torch.manual_seed(run["seed"])
    (run.work / "self_training").mkdir(parents=True, exist_ok=True)
    ear, over, phrases = tagger.load(run), drawings(run), sound_phrases(run)
    for name in names:
        file: Path = run.work / "self_training" / f"{name}.npz"
        cached_arrays(file, partial(listened, run, ear, name, phrases[name], over))
        found = self_made(run, name)
        assert found is not None
        counts = np.bincount(found.under_drawings, minlength=TRIALS + 1).tolist()
        facts = {"tried": found.tried, "heard": len(found.pictures), "beneath 0, 1, 2": counts}
        print(name, json.dumps(facts), flush=True)


def make(run: Run) -> None:
    """The stage `self-training`: all concepts but those that are learned from recordings only."""
    make_sounds(run, [name for name in sound_phrases(run) if name not in recordings_only(run)])
