"""Canvases and spectrograms for training, from the packs in the work folder; generated in a smoke run."""

from collections.abc import Sequence

import numpy as np

from training.cache import cached_arrays
from training.config import Run
from training.data.canvas import Pack, canvas, choose
from training.data.iconic import brightened, favour_iconic, iconic_scores
from training.data.pictures import concepts
from training.data.sounds import concepts as sound_concepts
from training.data.textures import HEIGHT, WIDTH, texture

FAVOURED = {
    "castle": 3.0, "dog": 3.0, "cat": 2.0, "tiger": 2.0, "garden": 1.5, "lilies": 1.5, "train": 2.0,
    "race car": 1.5, "horse": 2.0, "bird": 2.0, "bell": 1.5, "frog": 1.5, "rooster": 1.5,
    "monkey": 2.0, "violin": 2.0, "cow": 2.0, "whale": 2.0, "ship": 2.0,
}  # fmt: skip


def pack(run: Run) -> Pack:
    """The packed drawings; in a smoke run generated ones. They are mostly iconic if the run asks for it."""
    found = Pack.load(run.work / "pictures.npz", concepts()) if run.packs else Pack.made_up(concepts())
    return (
        brightened(favour_iconic(found, iconic_scores(run, found)))
        if run["canvases"].get("iconic")
        else found
    )


def sound_pictures(run: Run) -> tuple[np.ndarray, list[str]]:
    """Spectrograms to train on, uint8 (N, HEIGHT, WIDTH), and the concept of each."""
    if not run.packs:
        made = np.stack([texture(np.random.default_rng(i)) for i in range(run["canvases"]["sounds"])])
        return (255 * made).astype(np.uint8), [("dog", "bell", "rain")[i % 3] for i in range(len(made))]
    data = np.load(run.work / "sounds.npz")
    names = [str(n) for n in data["concepts"]]
    train = data["split"] == "train" if data["split"].dtype.kind in "US" else data["split"] == 0
    return data["pictures"][train], [names[i] for i in data["concept"][train]]


def sound_phrases(run: Run) -> dict[str, list[str]]:
    """Captions of each sound concept, from sounds.toml; in a smoke run made from three names."""
    if not run.packs:
        return {name: [name, f"{name} sound"] for name in ("dog", "bell", "rain")}
    return {name: list(concept.captions) for name, concept in sound_concepts().items()}


def picked(rng: np.random.Generator, names: Sequence[str]) -> str:
    """A random concept; those in FAVOURED are more likely."""
    return choose(rng, {name: FAVOURED.get(name, 1.0) for name in names})


def draw(run: Run, count: int) -> tuple[np.ndarray, list[str], list[str]]:
    """The first `count` canvases: pictures uint8 (count, HEIGHT, WIDTH), captions and concepts."""
    objects, sounds = pack(run), sound_pictures(run)[0]
    pictures, words, names = np.empty((count, HEIGHT, WIDTH), np.uint8), [], []
    for number in range(count):
        rng = np.random.default_rng((run["seed"], number, 1))
        concept = picked(rng, run["canvases"].get("concepts") or list(objects.tables))
        simple = bool(rng.random() < run["canvases"].get("simple_share", 0.0))
        made = canvas(objects, (run["seed"], number), concept, sounds, simple)
        pictures[number] = (255 * made.picture).round()
        words.append(made.caption)
        names.append(concept)
    return pictures, words, names


def canvases(run: Run) -> tuple[np.ndarray, list[str], list[str]]:
    """All canvases of the run, cached: pictures uint8 (count, HEIGHT, WIDTH), captions and concepts."""

    def _drawn() -> dict[str, np.ndarray]:
        pictures, words, names = draw(run, run["canvases"]["count"])
        return {"pictures": pictures, "words": np.array(words), "names": np.array(names)}

    data = cached_arrays(run.work / "canvases.npz", _drawn)
    return data["pictures"], [str(w) for w in data["words"]], [str(n) for n in data["names"]]


def make(run: Run) -> None:
    """The stage `canvases`."""
    print(f"{len(canvases(run)[1])} canvases")
