"""Does the caption name what sounds? ESC-10, single recordings and mixtures of two that it never heard.

`python -m benchmarks.captions --data ../shared/data` prints a table for fold 4: a class counts as named if
one of its words stands in the caption. Mixtures are drawn by `eidophone.data.mixtures` from fixed seeds.
"""

import argparse
import time
from collections import defaultdict
from pathlib import Path

from eidophone.core.values import Caption, Clip
from eidophone.data.mixtures import draw, mix
from eidophone.data.recordings import read_esc
from eidophone.media.audio import read_sound, resample
from eidophone.models.captioners.contract import Captioner
from eidophone.models.captioners.tagged import load_tagged

#: Words that name each class.
WORDS = {
    "baby_cry": ("baby",),
    "chainsaw": ("chainsaw",),
    "clock_tick": ("clock",),
    "dog_bark": ("dog",),
    "fire_crackling": ("fire",),
    "helicopter": ("helicopter",),
    "person_sneeze": ("sneezing",),
    "rain": ("rain",),
    "rooster": ("rooster",),
    "sea_waves": ("waves",),
}


def names(caption: Caption, label: str) -> bool:
    """Whether a caption names a class."""
    said = {word.text.rstrip(",") for word in caption.words}
    return not said.isdisjoint(WORDS[label])


def sources(caption: Caption) -> int:
    """How many things a caption names: stretches of words of one confidence and time, without the joints."""
    kinds = [(w.confidence, w.start_s, w.end_s) for w in caption.words if w.text not in ("and", "then")]
    return len(dict.fromkeys(kinds))


def heard(captioner: Captioner, clip: Clip) -> Caption:
    """The caption of a clip."""
    return captioner.caption([resample(clip, captioner.rate_hz).mono()])


def singles(captioner: Captioner, data: Path, fold: int) -> None:
    """Prints, for each class, how often it is named."""
    right: dict[str, list[bool]] = defaultdict(list)
    told = 0
    for recording in read_esc(data / "esc10"):
        if recording.fold == fold:
            caption = heard(captioner, read_sound(recording.path))
            right[recording.labels[0]].append(named := names(caption, recording.labels[0]))
            told += sources(caption)
            if not named:
                print(f"  {recording.path.parent.name}/{recording.path.name}: {caption.text}")
    count = sum(map(len, right.values()))
    for label, found in right.items():
        print(f"| {label} | {sum(found)} of {len(found)} |")
    print(
        f"| all | {sum(map(sum, right.values())) / count:.1%} of {count} | {told / count:.2f} things named |"
    )


def mixtures(captioner: Captioner, data: Path, fold: int, count: int, seed: int, spread_db: float) -> None:
    """Prints how often both and how often at least one of two is named."""
    pool = [r for r in read_esc(data / "esc10") if r.fold == fold]
    both = one = told = 0
    for mixture in draw(pool, count, seed, (-spread_db, spread_db)):
        caption = heard(captioner, mix(mixture))
        found = sum(names(caption, label) for label in mixture.labels)
        both, one, told = both + (found == 2), one + (found > 0), told + sources(caption)
    print(
        f"| {count} mixtures, up to {spread_db:g} dB apart | both {both / count:.0%}, at least one "
        f"{one / count:.0%} | {told / count:.2f} things named |"
    )


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.captions", description=main.__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder that holds esc10/")
    parser.add_argument("--fold", type=int, default=4)
    parser.add_argument("--count", type=int, default=100, help="mixtures of each kind")
    parser.add_argument("--seed", type=int, default=1000, help="of the first mixture")
    parser.add_argument("--head", type=Path, help="another head than the one in the package")
    args = parser.parse_args()
    captioner, begun = load_tagged(args.head), time.process_time()
    singles(captioner, args.data, args.fold)
    for spread_db in (0.0, 6.0):
        mixtures(captioner, args.data, args.fold, args.count, args.seed, spread_db)
    print(f"{time.process_time() - begun:.0f} s of one core")


if __name__ == "__main__":
    main()
