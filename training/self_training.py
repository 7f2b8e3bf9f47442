"""Self-training of the audio model: it learns from those of its own sounds that the tagger recognizes.

The stage `self-training` lets the earlier family's audio model play every concept. The tagger listens to
each sound, alone and under drawings of the image model, and the sounds in which it hears the concept join
the training set (networks/unet.py). A small network learns what it nearly does sooner than what it cannot
do. As in ReST (Gulcehre et al., 2023, arXiv:2308.08998). Each concept has a file in self_training/, so that
a stopped run goes on.
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
from eidophone.verbs.compose.blends.lighten import lighten
from training.cache import cached_arrays
from training.config import Run, TrainingError
from training.data import captions
from training.data.examples import sound_phrases
from training.data.pictures import concepts as picture_concepts
from training.data.repainted import STEPS, STRIDE
from training.data.scenes import as_light
from training.data.sounds import concepts, heard_again
from training.data.textures import WIDTH
from training.networks import tagger

AT_ONCE = 8
DRAWN = 2  # drawings of each concept
#: First seeds of drawings and sounds; the benchmarks use others.
DRAWING_SEED, SOUND_SEED = 30_000, 20_000
#: Number of drawings that every sound is tried under.
TRIALS = 2
#: Weight of a sound that is heard under none of them; one that is heard under all has 1 more.
RARELY = 0.25
#: One prompt in so many is a concept's first phrase; the others are random ones.
FIRST_PHRASE = 2
#: Options of `compose` that leave one model out.
DRAWN_ALONE = {"audio_start_step": STEPS, "audio_weight": 0.0}
PLAYED_ALONE = {"image_start_step": STEPS, "audio_weight": 1.0}


@dataclass(frozen=True)
class SelfMade:
    """A model's own sounds of one concept, as far as the tagger hears it in them.

    Attributes:
        pictures: Mel pictures, uint8 (N, HEIGHT, WIDTH).
        under_drawings: Under how many of TRIALS drawings the concept is heard, (N,).
        tried: Number of sounds that were made.
    """

    pictures: np.ndarray
    under_drawings: np.ndarray
    tried: int

    @property
    def share(self) -> float:
        """Share of all sounds that are heard under a drawing."""
        return float((self.under_drawings > 0).sum()) / max(1, self.tried)


def recordings_only(run: Run) -> Sequence[str]:
    """Concepts that the run learns from recordings only."""
    names: Sequence[str] = run["audio"].get("recordings_only", ())
    return names


def folder_of(run: Run, role: str) -> str:
    """A model of the family that the run goes on from."""
    return str(run.earlier(role))


def made(
    run: Run, prompts: tuple[str, str], seed: int, more: dict[str, Any], count: int = AT_ONCE
) -> np.ndarray:
    """Canvases of one prompt, uint8 (count, HEIGHT, WIDTH), whatever width the models recommend."""
    found = compose(
        *prompts, seed=seed, count=count, batch_size=count, image_model=folder_of(run, "image"),
        audio_model=folder_of(run, "audio"), preset="fast", steps=STEPS, width=WIDTH,
        device=run.device.type, **more,
    )  # fmt: skip
    pictures = np.stack([result.spectrogram for result in found])
    return (255 * pictures.clip(0, 1)).round().astype(np.uint8)


def drawings(run: Run) -> np.ndarray:
    """The image model's pictures of its concepts, uint8 (N, HEIGHT, WIDTH); cached."""

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
    """Under how many of TRIALS random drawings from `over` each sound is heard, (N,)."""
    found = np.zeros(len(sounds), np.int64)
    for _ in range(TRIALS if len(sounds) else 0):
        drawn = over[rng.integers(len(over), size=len(sounds))]
        laid = lighten(as_light(drawn)[:, None], as_light(sounds)[:, None], 0.5, STRIDE)[:, 0]
        pictures = (255 * laid).round().to(torch.uint8).numpy()
        found += np.array(heard_again(ear, pictures, concepts()[name])) > 0
    return found


def listened(run: Run, ear: Tagger, name: str, phrases: Sequence[str], over: np.ndarray) -> dict[str, Any]:
    """Makes sounds of a concept until enough are heard under a drawing, or enough were tried."""
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
    """The model's own sounds of a concept; None if it made none."""
    file = run.work / "self_training" / f"{name}.npz"
    if not file.exists():
        return None
    data = np.load(file)
    return SelfMade(data["pictures"], data["under_drawings"], int(data["tried"]))


def recorded_under_drawings(run: Run, name: str, sounds: np.ndarray) -> np.ndarray:
    """Under how many drawings the recorded sounds of a concept are heard, (N,); cached."""

    def _listened() -> dict[str, np.ndarray]:
        rng = np.random.default_rng((run["seed"], zlib.crc32(name.encode()), 1))
        return {"under_drawings": heard_under_drawings(tagger.load(run), sounds, name, drawings(run), rng)}

    found = cached_arrays(run.work / "self_training" / f"{name}-recorded.npz", _listened)["under_drawings"]
    if len(found) != len(sounds):
        raise TrainingError(f"{name}: the pack of sounds has changed; delete {run.work / 'self_training'}.")
    return found


def chances(under_drawings: np.ndarray) -> np.ndarray:
    """Probability of each sound, from the number of drawings under which it is heard; sums to 1."""
    weight = RARELY + under_drawings / TRIALS
    found: np.ndarray = weight / weight.sum()
    return found


def make_sounds(run: Run, names: Sequence[str]) -> None:
    """Makes the missing sounds of some concepts."""
    torch.manual_seed(run["seed"])
    (run.work / "self_training").mkdir(parents=True, exist_ok=True)
    ear, over, phrases = tagger.load(run), drawings(run), sound_phrases(run)
    for name in names:
        file: Path = run.work / "self_training" / f"{name}.npz"
        cached_arrays(file, partial(listened, run, ear, name, phrases[name], over))
        found = self_made(run, name)
        assert found is not None
        counts = np.bincount(found.under_drawings, minlength=TRIALS + 1).tolist()
        facts = {"tried": found.tried, "heard": len(found.pictures), "under 0, 1, 2 drawings": counts}
        print(name, json.dumps(facts), flush=True)


def make(run: Run) -> None:
    """The stage `self-training`: all concepts but those that are learned from recordings only."""
    make_sounds(run, [name for name in sound_phrases(run) if name not in recordings_only(run)])
