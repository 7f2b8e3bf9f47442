"""Colours a picture that plays; the sound stays the same: `python examples/colour.py OUT`."""

import sys
from pathlib import Path

import numpy as np

import eidophone

out = Path(sys.argv[1])
(gray,) = eidophone.compose(
    "a painting of sailing ships, grayscale, black background", "waves",
    blend="average", count=1, preset="draft", out=out / "gray",
)  # fmt: skip
(coloured,) = eidophone.colorize(
    gray.folder, "a colorful photo of blue sailing ships", preset="draft", out=out / "coloured"
)

# The mean of the three channels is the spectrogram. Both pictures have 8 bits a channel.
difference = np.abs(coloured.picture.gray() - eidophone.load(gray.folder).spectrogram).max()
print(f"{coloured.folder / 'picture.png'}: the gray part differs by {difference * 255:.3f} of 255")
assert difference < 0.5 / 255
