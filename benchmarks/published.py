"""The published protocol's table with judges that took no part: `python -m benchmarks.published OUT`.

OUT is the folder of `eidophone evaluate --protocol published --out OUT`. YAMNet says whether the sound's
concept is among its five likeliest classes, training/networks/judge.py whether the picture's likeliest name
of forty is its concept; prompts whose concept a judge does not know are left out of its column.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from benchmarks.judging import Judges
from eidophone.evaluation.journal import JOURNAL_FILE, Row
from eidophone.evaluation.report import formatted
from eidophone.evaluation.summary import Group
from eidophone.results.store import load
from training.data.sounds import concepts as sound_concepts
from training.networks.judge import JUDGED

#: Concepts that prompts of the protocol mean, by a word in them.
WORDS = {
    "castle": "castle", "dogs": "dog", "tigers": "tiger", "kittens": "cat", "birds": "bird",
    "trains": "train", "racing": "car", "lilies": "flower", "horse": "horse", "corgis": "dog", "bell": "bell",
    "dog": "dog", "kitten": "cat", "train": "train", "race": "car", "frog": "frog", "rooster": "rooster",
}  # fmt: skip
COLUMNS = (
    "tiny.looks", "tiny.sounds", "seen by the judge", "heard by YAMNet", "rehearing.ssim",
    "rehearing.ssim_mp3", "rehearing.ssim_aac", "unet_evaluations",
)  # fmt: skip


def concept_of(prompt: str, known: Iterable[str]) -> str:
    """The first concept that a prompt's words mean and a judge knows; empty if there is none."""
    words = prompt.replace(",", "").split()
    return next((WORDS[word] for word in words if WORDS.get(word) in set(known)), "")


def table(out: Path, judges: Judges) -> str:
    """A line a method, in Markdown; mean and 1.96 s/sqrt(n)."""
    methods: dict[str, Group] = defaultdict(Group)
    with (out / JOURNAL_FILE).open(encoding="utf-8") as file:
        next(file)
        for row in map(Row.from_line, file):
            if not row.broken:
                methods[row.method].add(row.numbers | independent(row, judges))
    lines = ["| method | samples | " + " | ".join(COLUMNS) + " |", "|---" * (len(COLUMNS) + 2) + "|"]
    for name, group in sorted(methods.items()):
        means = group.means()
        cells = " | ".join(formatted(means.get(column)) for column in COLUMNS)
        lines.append(f"| {name} | {max(mean.count for mean in means.values())} | {cells} |")
    return "\n".join(lines)


def independent(row: Row, judges: Judges) -> dict[str, float]:
    """What the judges that took no part say of a sample."""
    seen, heard = concept_of(row.image_prompt, JUDGED), concept_of(row.audio_prompt, sound_concepts())
    found = judges.both(load(row.folder), seen, heard)
    names = {"seen": "seen by the judge", "heard": "heard by YAMNet"}
    return {names[side]: float(right) for side, right in found.items()}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--work", type=Path, default=Path("training/work/laptop"), help="where judge.pt is")
    given = parser.parse_args()
    print(table(given.out, Judges.load(given.work)))


if __name__ == "__main__":
    main()
