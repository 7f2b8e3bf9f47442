"""Mixtures of two recordings through paint: are both things named, and are both seen in the picture?

    python -m benchmarks.mixtures --data ../shared/data --work WORK --out DIR --count 50

WORK is training's work folder with `judge.pt`, the judge of pictures that took no part in training. Two pools: all ten
classes of ESC-10, and things that the image model was taught, from ESC-10 and from ambient recordings. A file for each
mixture is kept, so that a run goes on where it was stopped.
"""

import argparse
import itertools
import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
import torch

import eidophone
from eidophone.core.values import Floats, Result
from eidophone.data.mixtures import draw, mix
from eidophone.data.recordings import Recording, read_esc
from eidophone.media.picture import write_png
from eidophone.models.embedders.contract import Embedder
from eidophone.models.embedders.load import load_embedder
from training.networks.judge import Judge
from training.networks.judge import load as load_judge

SEED, LEVEL_DB, FOLDS = 2000, (-3.0, 3.0), (1, 2, 3, 4)
#: What the captions call each class, and what the judge of forty things calls its picture. "": it knows none.
#: The family draws ships for the sea.
CLASSES = {
    "baby_cry": ("a baby", ""), "chainsaw": ("a chainsaw", ""), "clock_tick": ("a clock", "clock"),
    "dog_bark": ("a dog", "dog"), "fire_crackling": ("a fire", "fire"), "helicopter": ("a helicopter", "helicopter"),
    "person_sneeze": ("a person sneezing", ""), "rain": ("rain", ""), "rooster": ("a rooster", "rooster"),
    "sea_waves": ("sea waves", "ship"),
}  # fmt: skip
#: Ambient recordings of things that the image model was taught.
AMBIENT = {
    "airplane": ("an airplane", "airplane"), "beehive": ("a bee", "bee"), "birds": ("a bird", "bird"),
    "cat-purring": ("a cat", "cat"), "cows": ("a cow", "cow"), "frog": ("a frog", "frog"),
    "horse-gallop": ("a horse", "horse"), "owl": ("an owl", "owl"), "train": ("a train", "train"),
}  # fmt: skip
#: Length of the parts of ambient recordings, that of ESC-10's, and how many of each, in seconds.
PART_S, PARTS = 5.0, 4
THINGS = CLASSES | AMBIENT
#: How the captioner names each class.
PHRASES = {
    "baby_cry": "a baby crying", "chainsaw": "a chainsaw running", "clock_tick": "a clock ticking",
    "dog_bark": "a dog barking", "fire_crackling": "a fire crackling", "helicopter": "a helicopter flying",
    "person_sneeze": "a person sneezing", "rain": "the rain falling", "rooster": "a rooster crowing",
    "sea_waves": "the sea waves", "airplane": "an airplane flying", "beehive": "a bee buzzing",
    "birds": "a bird singing", "cat-purring": "a cat purring", "cows": "a cow mooing", "frog": "a frog croaking",
    "horse-gallop": "a horse galloping", "owl": "an owl hooting", "train": "a train passing",
}  # fmt: skip


def pool_of(name: str, data: Path) -> list[Recording]:
    """The recordings of a pool: "esc10" or "taught"."""
    found = [r for r in read_esc(data / "esc10") if r.fold in FOLDS]
    if name == "esc10":
        return found
    taught = [r for r in found if THINGS[r.labels[0]][1]]
    for label in AMBIENT:
        path = data / "ambient" / f"{label}.ogg"
        parts = min(PARTS, int(soundfile.info(path).duration // PART_S))
        taught += [Recording(path, (label,), start_s=PART_S * n, duration_s=PART_S) for n in range(parts)]
    return taught


class Eyes:
    """Who looks at the pictures."""

    def __init__(self, judge: Judge, embedder: Embedder, labels: Sequence[str]) -> None:
        self.judge, self.embedder, self.labels = judge.eval(), embedder, list(labels)
        with torch.no_grad():
            self.texts = embedder.text([THINGS[label][0] for label in labels])

    @torch.no_grad()
    def labelled(self, pixels: Floats, count: int) -> list[str]:
        """The labels of the pool that the embedder finds likeliest; pixels: (height, width, 3)."""
        near = (self.embedder.picture(_batch(pixels)) @ self.texts.T)[0]
        return [self.labels[i] for i in near.topk(count).indices.tolist()]

    def named(self, pixels: Floats) -> str:
        """What the judge of forty things sees."""
        return self.judge.top(_batch(pixels))[0][0]


def _batch(pixels: Floats) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None]


def regions(result: Result) -> list[Floats]:
    """The parts of a picture that its sources have; the whole if there is one drawing."""
    pixels = result.picture.pixels
    sources = result.facts.get("sources", ())
    edges = np.cumsum([0, *(source["columns"] for source in sources)]) if sources else [0, pixels.shape[1]]
    return [pixels[:, first:end] for first, end in itertools.pairwise(edges)]


def judged(result: Result, labels: Sequence[str], eyes: Eyes) -> dict[str, object]:
    """What is named and seen of a mixture's two labels."""
    parts = regions(result)
    by_judge = [eyes.named(part) for part in parts]
    by_embedder = [eyes.labelled(part, 1)[0] for part in parts]
    caption = str(result.facts["caption"])
    return {
        "labels": list(labels),
        "caption": caption,
        "judge": by_judge,
        "embedder": by_embedder,
        "named": [THINGS[label][0].split()[-1] in caption for label in labels],
        "seen_by_judge": [THINGS[label][1] in by_judge for label in labels],
        "seen_by_embedder": [label in by_embedder for label in labels],
        "seen_in_whole": [label in eyes.labelled(result.picture.pixels, 2) for label in labels],
    }


def run(
    pool: str, data: Path, eyes: Eyes, count: int, out: Path, given: dict[str, object], captions: bool
) -> list[dict]:
    """Paints and judges a pool's mixtures; with `captions`, the names of both are given."""
    rows = []
    with eidophone.Session(threads=1, offline=True) as session:
        for number, mixture in enumerate(draw(pool_of(pool, data), count, SEED, LEVEL_DB)):
            kept = out / f"{pool}-{number:02d}.json"
            if not kept.exists():
                told = (
                    {"caption": " and ".join(PHRASES[label] for label in mixture.labels)} if captions else {}
                )
                (result,) = session.paint(mix(mixture), seed=number, **told, **given)
                write_png(kept.with_suffix(".png"), result.picture)
                kept.write_text(json.dumps(judged(result, mixture.labels, eyes)))
            rows.append(json.loads(kept.read_text()))
            print(number, rows[-1], flush=True)
    return rows


def interval(right: int, count: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share.

    >>> [round(end, 3) for end in interval(5, 10)]
    [0.237, 0.763]
    """
    z = 1.96
    middle, half = right + z * z / 2, z * math.sqrt(right * (count - right) / count + z * z / 4)
    return (middle - half) / (count + z * z), (middle + half) / (count + z * z)


def table(pool: str, rows: list[dict]) -> None:
    """Prints how often both, and at least one, of a mixture's things are named and seen."""
    print(f"\n{pool}, {len(rows)} mixtures\n| reading | both | 95 % interval | at least one |")
    for what in ("named", "seen_by_judge", "seen_by_embedder", "seen_in_whole"):
        both = sum(all(row[what]) for row in rows)
        low, high = interval(both, len(rows))
        one = sum(any(row[what]) for row in rows)
        print(f"| {what} | {both} of {len(rows)} | {low:.0%} to {high:.0%} | {one} |")


def main() -> None:
    """Prints the tables of both pools."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mixtures", description=main.__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with esc10 and ambient")
    parser.add_argument("--work", type=Path, required=True, help="training's work folder with judge.pt")
    parser.add_argument("--out", type=Path, required=True, help="folder for pictures and verdicts")
    parser.add_argument("--count", type=int, default=50, help="mixtures of each pool")
    parser.add_argument("--pools", default="esc10,taught", help="which pools")
    parser.add_argument("--preset", default="draft", help="preset of paint")
    parser.add_argument("--one-drawing", action="store_true", help="paint with --no-sources, for comparison")
    parser.add_argument("--captions", action="store_true", help="give paint the names of both")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    judge, embedder = load_judge(args.work), load_embedder("tiny", torch.device("cpu"))
    given = {"preset": args.preset, "sources": not args.one_drawing, "colors": False}
    for pool in args.pools.split(","):
        labels = CLASSES if pool == "esc10" else [label for label in THINGS if THINGS[label][1]]
        eyes = Eyes(judge, embedder, list(labels))
        table(pool, run(pool, args.data, eyes, args.count, args.out, given, args.captions))


if __name__ == "__main__":
    main()
