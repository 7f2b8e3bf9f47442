"""Makes six pictures that play and keeps the best two: `python examples/compose.py OUT`."""

import sys

import eidophone

results = eidophone.compose(
    "a painting of three frogs, grayscale, black background",
    "frog croaking",
    count=2,  # keep two ...
    from_=6,  # ... of six
    seed=7,  # sample i starts from seed 7 + i, so every run makes the same pictures
    blend="average",  # one canvas, denoised by both models
    preset="draft",
    out=sys.argv[1],
)
for result in results:
    looks, sounds = result.score.side("looks"), result.score.side("sounds")
    print(f"{result.folder}: looks {looks:.2f}, sounds {sounds:.2f}, {result.clip.duration_s:.1f} s of sound")
