"""Memory and time of `eidophone evaluate`: `python -m benchmarks.evaluating 1000 10000` results.

Results are small (32 x 64 pixels) and made from noise, each with its own numbers; judges that need no weights
look at them. Each size runs in a process of its own, so that its peak is its own.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from eidophone import evaluate
from eidophone.core.recipe import Recipe
from eidophone.core.values import Clip, Picture, Result
from eidophone.media.mel import MelSpec
from eidophone.results import store as records
from eidophone.results.store import Store

SPEC = MelSpec(
    rate_hz=8000, n_fft=256, win_length=256, hop_length=64, n_mels=32, f_max=4000.0, floor=1e-3, ceiling=20
)


def make(root: Path, count: int) -> None:
    """Stores results of ten pairs of prompts, without films."""
    records.write_video = lambda path, *_, **__: path.write_bytes(b"none")  # type: ignore[attr-defined]
    for index in range(count):
        rng = np.random.default_rng(index)
        gray = rng.random((32, 64), np.float32)
        samples = (0.2 * rng.standard_normal((1, 64 * SPEC.hop_length))).astype(np.float32)
        options = {"image_prompt": f"picture {index % 10}", "audio_prompt": f"sound {index % 10}"}
        recipe = {
            "format": 1, "verb": "compose", "index": index, "seed": index, "options": options, "models": {},
            "vocoder": "none", "mel_spec": SPEC.to_dict(), "versions": {},
        }  # fmt: skip
        clip = Clip(samples, SPEC.rate_hz)
        made = Result("compose", index, Picture.from_gray(gray), gray, clip, Recipe.model_validate(recipe))
        Store(root).save(made)


def measure(root: Path, out: Path) -> None:
    """Evaluates and prints samples, seconds and the peak of resident memory."""
    began = time.monotonic()
    summary = evaluate([root], out, judges="signal", shown=8)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{summary.judged} samples: {time.monotonic() - began:.0f} s, peak {peak_mb:.0f} MB", flush=True)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("counts", type=int, nargs="*", default=[1000, 10_000])
    parser.add_argument("--measure", type=Path, nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        measure(*given.measure)
        return
    with tempfile.TemporaryDirectory() as folder:
        for count in sorted(given.counts):
            root, out = Path(folder, f"{count}"), Path(folder, f"{count}-out")
            make(root, count)
            program = [sys.executable, "-m", "benchmarks.evaluating", "--measure", root, out]
            subprocess.run([str(part) for part in program], check=True, env=os.environ)


if __name__ == "__main__":
    main()
