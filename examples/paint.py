"""Describes a recording and paints it: `python examples/paint.py OUT [RECORDING]`."""

import sys
from pathlib import Path

import eidophone

out = Path(sys.argv[1])
if len(sys.argv) > 2:
    recording = Path(sys.argv[2])
else:  # no recording at hand: let the audio model make one
    (made,) = eidophone.compose(
        "black", "birds singing", audio_weight=1, count=1, preset="draft", out=out / "made"
    )
    recording = made.folder / "sound.wav"

caption = eidophone.caption(recording)
print(f"{recording.name}: {caption.text}")
for word in caption.words:
    print(f"  {word.text:<12} {word.confidence:4.0%}  {word.start_s:.1f} s to {word.end_s:.1f} s")

(painted,) = eidophone.paint(recording, caption=caption.text, preset="draft", out=out / "painted")
print(f"painted: {painted.folder / 'picture.png'}")
