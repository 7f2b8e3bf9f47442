"""Compares two samples made by different versions of the dependencies.

python -m tests.packaging.same FOLDER FOLDER
"""

import sys
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image

#: Versions of torch round differently: at most this many of 255 grey levels, and this much of full scale.
LEVELS, FULL_SCALE = 2, 1e-2


def differences(first: Path, second: Path) -> tuple[int, float]:
    """Largest difference of the spectrogram pictures, in grey levels, and of the sounds, full scale 1."""
    pictures = [np.asarray(Image.open(f / "spectrogram.png").convert("L"), int) for f in (first, second)]
    sounds = [soundfile.read(f / "sound.wav")[0] for f in (first, second)]
    assert pictures[0].shape == pictures[1].shape, "the pictures differ in size"
    assert sounds[0].shape == sounds[1].shape, "the sounds differ in length"
    return int(np.abs(pictures[0] - pictures[1]).max()), float(np.abs(sounds[0] - sounds[1]).max())


if __name__ == "__main__":
    levels, amplitude = differences(*map(Path, sys.argv[1:3]))
    print(f"largest difference: {levels} grey levels, {amplitude:.1e} of full scale")
    sys.exit(levels > LEVELS or amplitude > FULL_SCALE)
