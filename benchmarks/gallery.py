"""The README's pictures: `python -m benchmarks.gallery`. Fixed pairs and seeds, chosen by the machine alone.

For each pair 16 candidates of the embedded family are made and the default judge keeps the best one. Its film goes
to docs/gallery/, all pictures to docs/images/tiny.png. The sound tagger, which did not choose, says what it
hears. Six further pairs, one sample each, are coloured: docs/images/colours.jpg.
"""

import argparse
import shutil
import tempfile
from pathlib import Path

import torch
from PIL import Image

import eidophone
from benchmarks.judging import guesses
from eidophone.core.values import Picture
from eidophone.media.files import slug
from eidophone.media.picture import to_bytes, write_png
from eidophone.media.sheets import contact_sheet
from eidophone.models.tagger import load_tagger
from training.data.captions import ADVISED

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAIRS = (
    ("a frog", "frog croaking"),
    ("a cute dog", "dog barking"),
    ("an owl", "birds singing sweetly"),
    ("a castle", "church bell ringing"),
    ("a furry kitten", "cat purring"),
    ("a train", "train whistling"),
    ("a rooster", "rooster crowing"),
    ("a guitar", "guitar playing"),
    ("a clock", "clock ticking"),
)
#: What is seen and heard, and how it is to be coloured.
COLOURED = (
    ("an owl", "birds singing sweetly", "a blue owl"),
    ("a car", "a car drives past", "a red car"),
    ("a frog", "frog croaking", "a green frog"),
    ("a rooster", "rooster crowing", "a red rooster"),
    ("a kitten", "cat purring", "an orange kitten"),
    ("a castle", "church bell ringing", "a purple castle"),
)
CANDIDATES, SEED = 16, 1234


def coloured() -> Picture:
    """One sample of each pair of COLOURED, coloured once, on one sheet."""
    pictures = []
    for looks, sounds, colours in COLOURED:
        with tempfile.TemporaryDirectory() as folder:
            (made,) = eidophone.compose(ADVISED.format(looks), sounds, count=1, seed=SEED, out=folder)
            assert made.folder is not None
            (found,) = eidophone.colorize(made.folder, f"a colorful photo of {colours}", count=1, seed=SEED)
        pictures.append(found.picture)
    return contact_sheet(pictures, [colours for *_, colours in COLOURED], 3)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gallery", description=__doc__.split("\n")[0])
    parser.add_argument("--docs", type=Path, default=DOCS, help="where gallery/ and images/ are")
    given = parser.parse_args()
    ear, pictures, titles = load_tagger(), [], []
    (given.docs / "gallery").mkdir(parents=True, exist_ok=True)
    for looks, sounds in PAIRS:
        with tempfile.TemporaryDirectory() as folder:
            (best,) = eidophone.compose(
                ADVISED.format(looks), sounds, count=1, from_=CANDIDATES, seed=SEED, out=folder
            )
            assert best.folder is not None
            shutil.copy(best.folder / "video.mp4", given.docs / "gallery" / f"{slug(looks)}.mp4")
        pictures.append(best.picture)
        titles.append(f"{looks} + {sounds}")
        heard = guesses(ear, torch.from_numpy(best.clip.mono()), best.clip.rate_hz, 3)
        print(f"{titles[-1]}: seed {best.recipe.seed}, the tagger hears {', '.join(heard)}")
    write_png(given.docs / "images" / "tiny.png", contact_sheet(pictures, titles, 3))
    Image.fromarray(to_bytes(coloured())).save(given.docs / "images" / "colours.jpg", quality=85)


if __name__ == "__main__":
    main()
