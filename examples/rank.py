"""Compares audio weights and writes a table, best first: `python examples/rank.py OUT`."""

import csv
import sys
from pathlib import Path

import eidophone

out = Path(sys.argv[1])
rows = []
for weight in (0.3, 0.5, 0.7):
    for result in eidophone.compose(
        "a painting of violins, grayscale, black background", "violin playing",
        audio_weight=weight, blend="average", count=2, preset="draft", out=out / f"weight-{weight}",
    ):  # fmt: skip
        numbers = eidophone.score(result.folder, judges="tiny,tagger").numbers
        rows.append({"folder": str(result.folder), "audio_weight": weight, **numbers})

# A result is as good as its weaker side: the picture or the sound.
rows.sort(key=lambda row: min(row["tiny.looks"], row["tiny.sounds"]), reverse=True)
with (out / "scores.csv").open("w", newline="") as file:
    table = csv.DictWriter(file, rows[0])
    table.writeheader()
    table.writerows(rows)
print(f"best: {rows[0]['folder']}; all {len(rows)} in {out / 'scores.csv'}")
