"""Sounds that the audio model makes itself and that are heard: `python -m training.own --config further`.

The audio model that a run begins from (`--elder`, else the package's) plays every concept, the tagger
listens, alone and beneath drawings of the image model, and what is heard is kept for the lesson of
training/unet.py: a small network learns sooner what it nearly does than what it cannot do. (Learning from
one's own best, as in ReST, Gulcehre et al., 2023, arXiv:2308.08998.) A file a concept in work/own/; a stopped
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

from eidophone.models.tagger import Tagger, load_tagger
from eidophone.verbs.compose.blends.lighten import lighten
from eidophone.verbs.compose.options import ComposeOptions
from eidophone.verbs.compose.pipeline import compose
from training import captions
from training.config import Run, command_line, opened
from training.data import sound_phrases
from training.kept import kept_arrays
from training.pictures import concepts as picture_concepts
from training.repainted import STEPS, STRIDE
from training.scenes import as_light
from training.sounds import concepts, heard_again

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
class Own:
    """What a model made of one concept and the tagger heard.

    Attributes:
        pictures: uint8 (N, HEIGHT, WIDTH) mel pictures in which the concept is heard.
        beneath: Of TRIALS drawings, beneath how many it is heard, (N,).
        tried: How many sounds were made.
    """

    pictures: np.ndarray
    beneath: np.ndarray
    tried: int

    @property
    def share(self) -> float:
        """Share of the sounds that are heard beneath a drawing."""
        return float((self.beneath > 0).sum()) / max(1, self.tried)


def anew(run: Run) -> Sequence[str]:
    """Concepts that the run learns from recordings alone, whatever the elder makes of them."""
    names: Sequence[str] = run["audio"].get("anew", ())
    return names


def folder_of(run: Run, role: str) -> str:
    """The model that a run begins from."""
    return str(run.elder / role) if run.elder else "tiny"


def made(
    run: Run, prompts: tuple[str, str], seed: int, more: dict[str, Any], count: int = AT_ONCE
) -> np.ndarray:
    """Canvases of one prompt, uint8 (count, HEIGHT, WIDTH)."""
    options = ComposeOptions.make(
        image_prompt=prompts[0], audio_prompt=prompts[1], seed=seed, count=count, batch_size=count,
        image_model=folder_of(run, "image"), audio_model=folder_of(run, "audio"), preset="fast",
        steps=STEPS, device=run.device.type, **more,
    )  # fmt: skip
    pictures = np.stack([result.spectrogram for result in compose(options)])
    return (255 * pictures.clip(0, 1)).round().astype(np.uint8)


def drawings(run: Run) -> np.ndarray:
    """The image model's pictures of its concepts, uint8 (N, HEIGHT, WIDTH), kept in work/own-drawings.npz."""

    def _drawn() -> dict[str, np.ndarray]:
        tables = picture_concepts()
        things = [captions.article(tables[n]["one"][0]) for n in run["canvases"]["concepts"]]
        said = [captions.ADVISED.format(thing) for thing in things]
        drawn = [made(run, (s, ""), DRAWING_SEED, DRAWN_ALONE, DRAWN) for s in said]
        return {"pictures": np.concatenate(drawn)}

    return kept_arrays(run.work / "own-drawings.npz", _drawn)["pictures"]


def heard_beneath(
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
    settings, number = run["own"], zlib.crc32(name.encode())
    rng = np.random.default_rng((run["seed"], number))
    kept, beneath, tried = [np.zeros((0, *over.shape[1:]), np.uint8)], np.zeros(0, np.int64), 0
    while tried < settings["tries"] and (beneath > 0).sum() < settings["wanted"]:
        phrase = phrases[rng.integers(len(phrases))] if rng.integers(FIRST_PHRASE) else phrases[0]
        sounds = made(run, ("", phrase), SOUND_SEED + tried, PLAYED_ALONE)
        tried += AT_ONCE
        sounds = sounds[np.array(heard_again(ear, sounds, concepts()[name])) > 0]
        kept.append(sounds)
        beneath = np.concatenate([beneath, heard_beneath(ear, sounds, name, over, rng)])
    return {"pictures": np.concatenate(kept), "beneath": beneath, "tried": np.array(tried)}


def own(run: Run, name: str) -> Own | None:
    """What is kept of a concept, None if nothing was made of it."""
    file = run.work / "own" / f"{name}.npz"
    if not file.exists():
        return None
    data = np.load(file)
    return Own(data["pictures"], data["beneath"], int(data["tried"]))


def beneath_of(run: Run, name: str, sounds: np.ndarray) -> np.ndarray:
    """Beneath how many drawings recorded sounds of a concept are heard, (N,), kept in work/own/."""

    def _listened() -> dict[str, np.ndarray]:
        rng = np.random.default_rng((run["seed"], zlib.crc32(name.encode()), 1))
        return {"beneath": heard_beneath(load_tagger(), sounds, name, drawings(run), rng)}

    found = kept_arrays(run.work / "own" / f"{name}-recorded.npz", _listened)["beneath"]
    assert len(found) == len(sounds), f"{name}: the sound pack has changed, empty {run.work / 'own'}"
    return found


def chances(beneath: np.ndarray) -> np.ndarray:
    """How often each sound is to be learned from, by beneath how many drawings it is heard; sums to 1."""
    weight = RARELY + beneath / TRIALS
    found: np.ndarray = weight / weight.sum()
    return found


def make(run: Run, names: Sequence[str]) -> None:
    """Makes what is missing of some concepts."""
    torch.manual_seed(run["seed"])
    (run.work / "own").mkdir(parents=True, exist_ok=True)
    ear, over, phrases = load_tagger(), drawings(run), sound_phrases(run)
    for name in names:
        file: Path = run.work / "own" / f"{name}.npz"
        kept_arrays(file, partial(listened, run, ear, name, phrases[name], over))
        found = own(run, name)
        assert found is not None
        counts = np.bincount(found.beneath, minlength=TRIALS + 1).tolist()
        facts = {"tried": found.tried, "heard": len(found.pictures), "beneath 0, 1, 2": counts}
        print(name, json.dumps(facts), flush=True)


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = command_line("python -m training.own", __doc__)
    parser.add_argument("--elder", type=Path, help="an exported family to listen to; else the package's")
    parser.add_argument("--only", nargs="+", metavar="CONCEPT", help="these concepts only")
    given = parser.parse_args(arguments)
    run = opened(given)
    make(run, given.only or [name for name in sound_phrases(run) if name not in anew(run)])


if __name__ == "__main__":
    main()
