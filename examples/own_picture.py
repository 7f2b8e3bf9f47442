"""Plays a picture and draws the sound again: `python examples/own_picture.py OUT [PICTURE]`."""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

import eidophone

out = Path(sys.argv[1])
if len(sys.argv) > 2:
    picture = Path(sys.argv[2])
else:  # a rising tone: one bright line from the bottom left to the top right
    out.mkdir(parents=True, exist_ok=True)
    picture = out / "rising.png"
    Image.fromarray(np.eye(256, dtype=np.uint8)[::-1] * 255).resize((512, 256)).save(picture)

heard = eidophone.hear(picture, out=out / "heard")
seen = eidophone.see(heard.folder / "sound.wav", out=out / "seen")
print(f"{picture.name} plays for {heard.clip.duration_s:.1f} s: {heard.folder / 'sound.wav'}")
print(f"the sound looks like this: {seen.folder / 'picture.png'}")
