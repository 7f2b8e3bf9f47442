"""Contact sheets of what the U-Nets make so far: `python -m training.watch image|audio|blend OUT.png`.

It exports the family as it is now to WORK/watched and composes with fixed prompts and seeds, so that sheets
of different days can be compared.
"""

from pathlib import Path
from typing import Any

import numpy as np

from eidophone import compose
from eidophone.core.values import Picture
from eidophone.media.picture import write_png
from eidophone.media.sheets import contact_sheet
from training.config import command_line, opened
from training.networks.export import export

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
#: Weight of the audio model on each kind of sheet; None takes what the family recommends.
SHARES = {"image": 0.0, "audio": 1.0, "blend": None}


def sheet(folder: Path, share: float | None, seed: int) -> Picture:
    """One sample of every pair, composed by an exported family.

    Args:
        folder: The family.
        share: Weight of the audio model; None takes what the family recommends.
        seed: Of every sample.
    """
    settings: dict[str, Any] = {"count": 1, "seed": seed, "audio_weight": share}
    settings |= {f"{role}_model": folder / role for role in ("image", "audio")}
    made = [compose(*pair, **settings)[0].picture for pair in PAIRS]
    titles = [pair[share == 1].removeprefix("a painting of ").split(",")[0] for pair in PAIRS]
    gray = [Picture.from_gray(np.ascontiguousarray(p.gray())) for p in made]
    return contact_sheet(gray, titles, 4)


def main() -> None:
    """The command line."""
    parser = command_line("python -m training.watch", __doc__)
    parser.add_argument(
        "what", choices=SHARES, help="drawings, spectrograms, or both as `compose` makes them"
    )
    parser.add_argument("out", type=Path, help="PNG to write")
    parser.add_argument("--seed", type=int, default=0, help="seed of every sample")
    given = parser.parse_args()
    run = opened(given)
    folder = export(run, run.work / "watched")
    write_png(given.out, sheet(folder, SHARES[given.what], given.seed))


if __name__ == "__main__":
    main()
