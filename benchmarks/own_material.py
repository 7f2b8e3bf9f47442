"""Own photographs and recordings: what is left of them in a picture that plays.

    python -m benchmarks.own_material photos --out DIR          ten photographs x three sounds, against imprint
    python -m benchmarks.own_material plays --data DIR --out DIR       ten recordings through paint --plays
    python -m benchmarks.own_material mixtures --data DIR --out DIR    mixtures of two recordings through paint

Photographs come from the packages scikit-image and scikit-learn. Each result is kept in a folder, so that a
stopped run goes on; the tables are printed at the end.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

import eidophone
from eidophone.core.values import Clip, Floats
from eidophone.media.fitting import fitted
from eidophone.media.picture import read_picture
from eidophone.media.ssim import ssim
from eidophone.models.tagger import load_tagger
from eidophone.scoring.scorers.tagger import Tagging, classes_of
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
STRENGTHS = (0.5, 0.7)
#: How deep imprints are pressed in; the one whose similarity is nearest to compose's is compared.
RATIOS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
SEED, STEPS = 7, 12


def photographs() -> Iterator[Path]:
    """Where the ten photographs are."""
    from importlib import resources

    for package, name in PHOTOS:
        yield Path(str(resources.files(package))) / name


def photos(out: Path) -> None:
    """Similarity to the photograph and the tagger's class, compose against imprint."""
    ear, loaded = Tagging(load_tagger()), load_models(ComposeOptions.make(), Context())[0]
    plain: dict[str, Floats] = {}
    kept = out / "photos.jsonl"
    rows = [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []
    done = {(row["photo"], row["sound"], row["strength"]) for row in rows}

    def heard(gray: Floats, prompt: str) -> dict[str, float]:
        samples = play(torch.from_numpy(gray)[None], loaded.vocoder, loaded.mel_spec)[0]
        clip = Clip(samples[None].copy(), loaded.mel_spec.rate_hz)
        return ear.heard(clip, classes_of(prompt, ear.tagger.classes))

    common = {"count": 1, "steps": STEPS, "seed": SEED, "threads": 1}
    with eidophone.Session() as session:
        for sound in SOUNDS:
            (alone,) = session.compose("", sound, audio_weight=1.0, **common)
            plain[sound] = alone.spectrogram
        for path in photographs():
            for sound in SOUNDS:
                for strength in STRENGTHS:
                    if (path.stem, sound, strength) in done:
                        continue
                    (made,) = session.compose(
                        audio_prompt=sound, picture=path, fit="cover", strength=strength, **common
                    )
                    photo = fitted(read_picture(path), *made.spectrogram.shape, "cover").picture.gray()
                    row = {"photo": path.stem, "sound": sound, "strength": strength}
                    row |= {"ssim": ssim(made.spectrogram, photo), **heard(made.spectrogram, sound)}
                    pressed = [plain[sound] * (1 - ratio * (1 - photo)) for ratio in RATIOS]
                    similar = np.array([ssim(each, photo) for each in pressed])
                    nearest = int(np.abs(similar - row["ssim"]).argmin())
                    row |= {"ratio": RATIOS[nearest], "imprint_ssim": float(similar[nearest])}
                    row |= {f"imprint_{k}": v for k, v in heard(pressed[nearest], sound).items()}
                    rows.append(row)
                    with kept.open("a") as file:
                        file.write(json.dumps(row) + "\n")
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
    parser.add_argument("what", choices=("photos",))
    parser.add_argument("--out", type=Path, required=True, help="folder for results and tables")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    photos(args.out)


if __name__ == "__main__":
    main()
