"""Direct sound optimisation: what each saving costs and gains against the published way, on one model.

    python -m benchmarks.optimise ways --sounds ../shared/data/esc10 --count 3
    python -m benchmarks.optimise rises --sounds ../shared/data/esc10 --count 40 --out rises

`ways` runs every way in a process of its own: CPU seconds a picture, peak memory above that of the loaded
models (and in all), similarities before and after. `rises` paints recordings and counts how often the
similarity of sound and picture rises. Sounds lie in one folder a class, as ESC-10's; a class is a caption.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

#: Way -> options over those of the preset.
WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "paper": ("paper", {}),
    "paper, best kept": ("paper", {"keep": "best"}),
    "last 5 steps": ("paper", {"gradient_steps": 5}),
    "checkpointed": ("paper", {"checkpointing": True}),
    "10 steps of DPM-Solver++": ("paper", {"sampler": "dpm++2m", "steps": 10}),
    "stop after 2 no better": ("paper", {"patience": 2, "keep": "best"}),
    "fast": ("fast", {}),
}


def recordings(folder: Path, fold: str, count: int) -> list[tuple[Path, str]]:
    """Recordings of a fold with their classes as captions, one class after another."""
    found = sorted(folder.glob(f"*/{fold}-*.ogg"), key=lambda path: (path.stem, path.parent.name))
    by_class: dict[str, list[Path]] = {}
    for path in found:
        by_class.setdefault(path.parent.name, []).append(path)
    rounds = max(map(len, by_class.values()), default=0)
    turns = (paths[i] for i in range(rounds) for paths in by_class.values() if i < len(paths))
    return [(path, path.parent.name.replace("_", " ")) for _, path in zip(range(count), turns, strict=False)]


def memory(kind: str) -> float:
    """MB that this process holds (VmRSS) or held at most (VmHWM); Linux only."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1e3 for line in lines if line.startswith(kind))


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """One way over all sounds, in this process."""
    from eidophone.verbs.paint.models import load_paint_models
    from eidophone.verbs.paint.options import PaintOptions
    from eidophone.verbs.paint.pipeline import paint
    from eidophone.verbs.shared.context import Context

    preset, changes = WAYS[arguments.way]
    rows = []
    context = Context()
    for sound, caption in recordings(arguments.sounds, arguments.fold, arguments.count):
        models = {
            "image_model": arguments.image_model, "embedder": arguments.embedder, "text_embedder": "",
            "nouns": "wordnet",
        }  # fmt: skip
        options = PaintOptions.make(
            preset=preset, sound=sound, caption=caption, device="cpu", threads=1, **models, **changes
        )
        load_paint_models(options, context)  # the context keeps them, so that loading is not measured
        Path("/proc/self/clear_refs").write_text("5")
        before, began = memory("VmRSS"), time.process_time()
        (result,) = paint(options, context)
        # the facts hold a time too, that of the clock on the wall
        measured = {
            "seconds": time.process_time() - began,
            "above": memory("VmHWM") - before,
            "peak": memory("VmHWM"),
        }
        rows.append(result.facts | measured)
    return {"way": arguments.way, "rows": rows}


def ways(arguments: argparse.Namespace) -> None:
    """Prints the table."""
    print(
        f"{'way':<28}{'CPU s':>8}{'x paper':>9}{'MB above':>10}{'x paper':>9}{'MB':>7}   sound before, after"
    )
    first: dict[str, float] = {}
    for way in arguments.ways or WAYS:
        given = [f"--{name.replace('_', '-')}={getattr(arguments, name)}" for name in _SHARED]
        command = [sys.executable, "-m", "benchmarks.optimise", "one", *given, "--way", way]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        rows = json.loads(said.splitlines()[-1])["rows"]
        mean = {name: float(np.mean([row[name] for row in rows])) for name in ("seconds", "above", "peak")}
        first = first or mean
        sound = np.mean([row["similarity_to_sound"] for row in rows], 0)
        words = np.mean([row["similarity_to_caption"] for row in rows], 0)
        shares = [mean[name] / first[name] for name in ("seconds", "above")]
        print(
            f"{way:<28}{mean['seconds']:>8.1f}{shares[0]:>9.3f}{mean['above']:>10.0f}{shares[1]:>9.3f}"
            f"{mean['peak']:>7.0f}   {sound[0]:.4f} {sound[1]:.4f}, caption {words[0]:.4f} {words[1]:.4f}",
            flush=True,
        )


def rises(arguments: argparse.Namespace) -> None:
    """Paints recordings into a folder, those that are not there yet, and counts."""
    from eidophone.results.store import load
    from eidophone.running import Output
    from eidophone.session import Session
    from eidophone.verbs.paint.options import PaintOptions

    session = Session()
    for number, (sound, caption) in enumerate(recordings(arguments.sounds, arguments.fold, arguments.count)):
        if (arguments.out / f"{number:04d}").exists():
            continue
        options = PaintOptions.make(
            sound=sound, caption=caption, device="cpu", image_model=arguments.image_model,
            embedder=arguments.embedder, index=number,
        )  # fmt: skip
        (result,) = session.run(options, Output(arguments.out))
        print(f"{number} {result.facts['summary']}, {result.facts['seconds']} s", flush=True)
    folders = sorted(path for path in arguments.out.iterdir() if path.is_dir())
    pairs = [load(folder).facts["similarity_to_sound"] for folder in folders]
    risen = sum(after > before for before, after in pairs)
    means = np.mean(pairs, 0)
    risen_to = f"from {means[0]:.4f} to {means[1]:.4f} on average"
    print(f"the similarity rose in {risen} of {len(pairs)} runs, {risen_to}")


_SHARED = ("sounds", "fold", "count", "image_model", "embedder")


def main() -> None:
    """Runs one of the two."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("ways", "rises", "one"))
    parser.add_argument("--sounds", type=Path, required=True)
    parser.add_argument("--fold", default="4")
    parser.add_argument("--count", type=int, default=3)
    parser.add_argument("--image-model", default="tiny")
    parser.add_argument("--embedder", default="tiny")
    parser.add_argument("--ways", nargs="*", choices=WAYS)
    parser.add_argument("--way", choices=WAYS, default="paper")
    parser.add_argument("--out", type=Path, default=Path("rises"))
    arguments = parser.parse_args()
    if arguments.what == "one":
        print(json.dumps(measure(arguments)))
    else:
        (ways if arguments.what == "ways" else rises)(arguments)


if __name__ == "__main__":
    main()
