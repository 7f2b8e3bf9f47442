"""Contact sheets of what the denoisers make so far: `python -m training.watch image|audio|blend OUT.png`.

Exports the family as it stands to WORK/watched and composes from fixed prompts and seeds, so that sheets of
different days can be laid side by side.
"""

import argparse
from pathlib import Path

import numpy as np

from eidophone import compose
from eidophone.core.values import Picture
from eidophone.media.picture import write_png
from eidophone.media.sheets import contact_sheet
from training.config import HERE, Run
from training.export import export

PAIRS = (
    ("a painting of castle towers, grayscale, black background", "bell ringing"),
    ("a painting of cute dogs, grayscale, black background", "dog barking"),
    ("a painting of tigers, grayscale, black background", "wolf howling"),
    ("a painting of furry kittens, grayscale, black background", "cat purring"),
    ("a painting of birds, grayscale, black background", "birds singing sweetly"),
    ("a painting of trains, grayscale, black background", "train whistling"),
    ("a painting of cars, grayscale, black background", "a car passing by"),
    ("a painting of flowers, grayscale, black background", "rain falling"),
    ("a painting of horse heads, grayscale, black background", "thunder"),
    ("a painting of frogs, grayscale, black background", "frog croaking"),
    ("a painting of roosters, grayscale, black background", "rooster crowing"),
    ("a painting of owls, grayscale, black background", "owl hooting"),
    ("a painting of guitars, grayscale, black background", "guitar playing"),
    ("a painting of airplanes, grayscale, black background", "airplane flying over"),
    ("a painting of clocks, grayscale, black background", "clock ticking"),
    ("a painting of pianos, grayscale, black background", "piano playing"),
)
#: Share of the audio model on each kind of sheet; None is what the family advises.
SHARES = {"image": 0.0, "audio": 1.0, "blend": None}


def sheet(folder: Path, share: float | None, seed: int) -> Picture:
    """What an exported family makes of all pairs, one sample each."""
    settings = {"count": 1, "seed": seed, "audio_weight": share}
    settings |= {f"{role}_model": folder / role for role in ("image", "audio")}
    made = [compose(*pair, **settings)[0].picture for pair in PAIRS]
    titles = [pair[share == 1].removeprefix("a painting of ").split(",")[0] for pair in PAIRS]
    gray = [Picture.from_gray(np.ascontiguousarray(p.gray())) for p in made]
    return contact_sheet(gray, titles, 4)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m training.watch", description=__doc__)
    parser.add_argument("what", choices=SHARES)
    parser.add_argument("out", type=Path)
    parser.add_argument("--config", default="cpu")
    parser.add_argument("--work", type=Path, default=HERE / "work")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    folder = export(Run.open(given.config, given.work, "cpu"), given.work / "watched")
    write_png(given.out, sheet(folder, SHARES[given.what], given.seed))


if __name__ == "__main__":
    main()
