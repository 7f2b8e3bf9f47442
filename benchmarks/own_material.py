"""Own photographs and recordings: what is left of them in a picture that plays.

    python -m benchmarks.own_material --out DIR     ten photographs x three sounds, against imprint

Photographs come from the packages scikit-image and scikit-learn.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

import eidophone
from eidophone.core.values import Clip, Floats
from eidophone.media.fitting import fitted, toned
from eidophone.media.picture import read_picture
from eidophone.media.ssim import ssim
from eidophone.models.tagger import load_tagger
from eidophone.scoring.scorers.tagger import Tagging, classes_of
from eidophone.verbs.compose.blends.inlay import lifted
from eidophone.verbs.compose.blends.relief import relief
from eidophone.verbs.compose.options import ComposeOptions
from eidophone.verbs.shared.canvas import play
from eidophone.verbs.shared.context import Context
from eidophone.verbs.shared.models import load_models

#: (package, file); the first ten photographs of things and people, chosen before anything was made of them.
PHOTOS = (
    ("skimage", "data/astronaut.png"), ("skimage", "data/camera.png"), ("skimage", "data/chelsea.png"),
    ("skimage", "data/coffee.png"), ("skimage", "data/rocket.jpg"), ("skimage", "data/coins.png"),
    ("skimage", "data/moon.png"), ("skimage", "data/motorcycle_left.png"),
    ("sklearn", "datasets/images/china.jpg"), ("sklearn", "datasets/images/flower.jpg"),
)  # fmt: skip
#: Noise, lines, bursts.
SOUNDS = ("rain on leaves", "birds singing", "dog barking")
STRENGTHS = (0.5,)
#: How deep imprints are pressed in; the one whose similarity is nearest to compose's is compared.
RATIOS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
SEED, STEPS = 7, 12


def photographs() -> Iterator[Path]:
    """Where the ten photographs are."""
    from importlib import resources

    for package, name in PHOTOS:
        yield Path(str(resources.files(package))) / name


def photos(out: Path) -> None:
    """Similarity to the photograph and the tagger's class, compose against imprint.

    Without an image prompt the sound's canvas does not depend on the photograph, so each sound is sampled once.
    """
    ear, loaded = Tagging(load_tagger()), load_models(ComposeOptions.make(threads=1), Context())[0]

    def heard(gray: Floats, prompt: str) -> dict[str, float]:
        samples = play(torch.from_numpy(gray)[None], loaded.vocoder, loaded.mel_spec)[0]
        clip = Clip(samples[None].copy(), loaded.mel_spec.rate_hz)
        return ear.heard(clip, classes_of(prompt, ear.tagger.classes))

    plain: dict[str, Floats] = {}
    with eidophone.Session(threads=1) as session:
        for sound in SOUNDS:
            (alone,) = session.compose("", sound, audio_weight=1.0, count=1, steps=STEPS, seed=SEED)
            plain[sound] = alone.spectrogram
    rows = []
    for path in photographs():
        for sound in SOUNDS:
            found = fitted(read_picture(path), *plain[sound].shape, "cover")
            photo = found.picture.gray()
            own, sung = toned(photo, found.inside), lifted(torch.from_numpy(plain[sound])[None, None])
            pressed = [plain[sound] * (1 - ratio * (1 - photo)) for ratio in RATIOS]
            similar = np.array([ssim(each, photo) for each in pressed])
            for strength in STRENGTHS:
                made = relief(torch.from_numpy(own)[None, None], sung, strength)[0, 0].numpy()
                row = {"photo": path.stem, "sound": sound, "strength": strength, "ssim": ssim(made, photo)}
                nearest = int(np.abs(similar - row["ssim"]).argmin())
                row |= {**heard(made, sound), "ratio": RATIOS[nearest], "imprint_ssim": similar[nearest]}
                rows.append(row | {f"imprint_{k}": v for k, v in heard(pressed[nearest], sound).items()})
    (out / "photos.json").write_text(json.dumps(rows, default=float))
    _table(rows)


def _table(rows: list[dict]) -> None:
    for strength in STRENGTHS:
        better = 0
        print(f"\nstrength {strength}\n| photo | similarity | heard | imprint: similarity | heard |")
        for photo in dict.fromkeys(row["photo"] for row in rows):
            own = [row for row in rows if row["photo"] == photo and row["strength"] == strength]
            mean = {
                k: np.mean([row[k] for row in own])
                for k in ("ssim", "sounds", "imprint_ssim", "imprint_sounds")
            }
            top = [int(sum(row[k] for row in own)) for k in ("top5", "imprint_top5")]
            better += mean["sounds"] > mean["imprint_sounds"]
            print(
                f"| {photo} | {mean['ssim']:.2f} | {mean['sounds']:.2f} ({top[0]} of 3) "
                f"| {mean['imprint_ssim']:.2f} | {mean['imprint_sounds']:.2f} ({top[1]} of 3) |"
            )
        print(f"compose is heard better with {better} of 10 photographs")
        for sound in SOUNDS:
            own = [row for row in rows if row["sound"] == sound and row["strength"] == strength]
            wins = sum(row["sounds"] > row["imprint_sounds"] for row in own)
            print(
                f"{sound}: similarity {np.mean([r['ssim'] for r in own]):.2f} against "
                f"{np.mean([r['imprint_ssim'] for r in own]):.2f}, heard {np.mean([r['sounds'] for r in own]):.2f} "
                f"against {np.mean([r['imprint_sounds'] for r in own]):.2f}, better in {wins} of {len(own)}"
            )


def main() -> None:
    """Prints the table of one comparison."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.own_material", description=main.__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for results and tables")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    photos(args.out)


if __name__ == "__main__":
    main()
