"""`paint` and `distill`: `fast` against `paper`, with the embedded models; each way in a process of its own.

    python -m benchmarks.performance.optimising fast 70        one way of distill, as JSON

A `paper` distillation takes 40,000 iterations. So a few are timed, and multiplied.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from benchmarks.optimise import memory
from benchmarks.performance.clock import Report
from benchmarks.performance.machine import PROMPTS
from eidophone.verbs.distill.options import DistillOptions

#: Iterations of a `paper` distillation that are timed; fewer are taken off, as they load and decode.
TIMED, LESS = 24, 4
AIM = "at most 1/12 of the time, 1/4 of the memory"


def _asked(module: str, *arguments: str) -> dict[str, Any]:
    said = subprocess.run(
        [sys.executable, "-m", module, *arguments], check=True, capture_output=True, text=True
    )
    found: dict[str, Any] = json.loads(said.stdout.splitlines()[-1])
    return found


def paint(report: Report) -> None:
    """A painting of a chirp, with a caption."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "frog"
        place.mkdir()
        times = np.arange(2 * 22_050) / 22_050
        soundfile.write(place / "4-chirp.ogg", 0.5 * np.sin(900 * times**2), 22_050)
        given = ("one", "--sounds", folder, "--count", "1", "--way")
        found = {way: _asked("benchmarks.optimise", *given, way)["rows"][0] for way in ("paper", "fast")}
    _compare(report, "paint", found, "Ten pictures in 40 PLMS steps with gradients through all of them, against up to "
             "six in 10 steps with gradients through three.")  # fmt: skip


def distill(report: Report) -> None:
    """A distillation of each preset."""
    fast, paper = DistillOptions.make(), DistillOptions.make(preset="paper")
    found = {"fast": _asked(__spec__.name, "fast", str(fast.iterations))}
    many, few = (_asked(__spec__.name, "paper", str(count)) for count in (TIMED, LESS))
    each = (many["seconds"] - few["seconds"]) / (TIMED - LESS)
    # before its start step, the image model is not asked; each of the two takes about half of an iteration
    iterations = paper.iterations - paper.image_start_step / 2
    found["paper"] = {"seconds": each * iterations, "above": many["above"]}
    _compare(report, "distill", {way: found[way] for way in ("paper", "fast")},
             f"**`paper` is calculated**: {each:.2f} s an iteration, measured over {TIMED - LESS}, times "
             f"{iterations:.0f} (40,000; the first 5,000 ask the audio model only and count half).")  # fmt: skip


def _compare(report: Report, verb: str, found: dict[str, dict[str, float]], about: str) -> None:
    base = found["paper"]
    shares = {
        way: (row["seconds"] / base["seconds"], row["above"] / base["above"]) for way, row in found.items()
    }
    rows = [
        (f"`{way}`", f"{row['seconds']:.1f}", f"{shares[way][0]:.3f}", f"{row['above']:.0f}", f"{shares[way][1]:.2f}")
        for way, row in found.items()
    ]  # fmt: skip
    report.aim(f"`{verb}`: `fast` against `paper`", AIM,
               f"{shares['fast'][0]:.4f} of the time, {shares['fast'][1]:.2f} of the memory")  # fmt: skip
    report.table(f"`{verb}` with the embedded models, one result",
                 ("preset", "s", "of `paper`", "MB above the loaded models", "of `paper`"), rows, about)  # fmt: skip


def main() -> None:
    """One distillation, measured; prints JSON."""
    from eidophone.verbs.distill.models import load_distill_models
    from eidophone.verbs.distill.pipeline import distill as distilled
    from eidophone.verbs.shared.context import Context

    preset, iterations = sys.argv[1], int(sys.argv[2])
    more = {"image_start_step": 0, "preview_every": 1000} if preset == "paper" else {}
    options = DistillOptions.make(
        image_prompt=PROMPTS[0], audio_prompt=PROMPTS[1], preset=preset, iterations=iterations, count=1,
        device="cpu", threads=1, offline=True, image_model="tiny", audio_model="tiny", **more,
    )  # fmt: skip
    context = Context()
    load_distill_models(options, context)  # the context keeps them
    Path("/proc/self/clear_refs").write_text("5")
    before, began = memory("VmRSS"), time.process_time()
    list(distilled(options, context))
    print(json.dumps({"seconds": time.process_time() - began, "above": memory("VmHWM") - before}))


if __name__ == "__main__":
    main()
