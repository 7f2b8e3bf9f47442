"""The gallery in the docs: `python -m benchmarks.gallery`. Fixed pairs and seeds, chosen by the machine alone.

For each pair 16 candidates of the embedded family are made on one canvas, at five audio weights in turn, and the
default judge keeps the best one. Its film goes to docs/gallery/, all pictures to docs/images/gallery.png. The
sound tagger says what it hears; it is a part of that judge. Six further pairs, one sample each, are coloured:
docs/images/colours.jpg.
"""

import argparse
import shutil
import tempfile
from pathlib import Path
from typing import Any

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
    ("three frogs", "frog croaking"),
    ("three dogs", "dog barking"),
    ("three owls", "birds singing sweetly"),
    ("three castles", "church bell ringing"),
    ("three cats", "cat purring"),
    ("three trains", "train whistling"),
    ("three roosters", "rooster crowing"),
    ("three guitars", "guitar playing"),
    ("three clocks", "clock ticking"),
)
#: What is seen and heard, and how it is to be coloured.
COLOURED = (
    ("three owls", "birds singing sweetly", "blue owls"),
    ("three cars", "a car drives past", "red cars"),
    ("three frogs", "frog croaking", "green frogs"),
    ("three roosters", "rooster crowing", "red roosters"),
    ("three cats", "cat purring", "orange cats"),
    ("three castles", "church bell ringing", "purple castles"),
)
CANDIDATES, SEED = 16, 1234
WEIGHTS = "0.3,0.4,0.5,0.6,0.7"
#: All steps computed and guided, whatever `fast` saves.
WHOLE: dict[str, Any] = {"steps": 25, "guidance_stop_step": 25, "reuse_steps": 1}


def coloured() -> Picture:
    """One sample of each pair of COLOURED, coloured once, on one sheet."""
    pictures = []
    for looks, sounds, colours in COLOURED:
        with tempfile.TemporaryDirectory() as folder:
            (made,) = eidophone.compose(
                ADVISED.format(looks), sounds, count=1, seed=SEED, out=folder, **WHOLE
            )
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
                ADVISED.format(looks),
                sounds,
                count=1,
                from_=CANDIDATES,
                audio_weights=WEIGHTS,
                seed=SEED,
                out=folder,
                **WHOLE,
            )
            assert best.folder is not None
            shutil.copy(best.folder / "video.mp4", given.docs / "gallery" / f"{slug(looks)}.mp4")
        pictures.append(best.picture)
        titles.append(f"{looks} + {sounds}")
        heard = guesses(ear, torch.from_numpy(best.clip.mono()), best.clip.rate_hz, 3)
        print(f"{titles[-1]}: seed {best.recipe.seed}, the tagger hears {', '.join(heard)}")
    write_png(given.docs / "images" / "gallery.png", contact_sheet(pictures, titles, 3))
    Image.fromarray(to_bytes(coloured())).save(given.docs / "images" / "colours.jpg", quality=85)


if __name__ == "__main__":
    main()
