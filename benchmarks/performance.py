"""What everything costs, in one table: `python -m benchmarks.performance [--full-size] [--out docs/performance.md]`.

Every row compares ways that take turns in one run, so that other load on the machine meets all of them alike. On
a CPU, processor time counts (one thread); on a GPU, wall time with its queue drained. The baselines are written out
here: diffusers' own networks and scheduler in the publication's loop, and diffusers' own pipeline.
"""

import argparse
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import Tensor

from benchmarks.baselines import Loop, pipeline_seconds, random_unets
from eidophone.diffusion.canvas import start_noise
from eidophone.models.cards import package_folder
from eidophone.models.device import choose_device
from eidophone.models.networks.reuse import Reuse
from eidophone.verbs.compose.options import ComposeOptions
from eidophone.verbs.compose.pipeline import compose, open_run
from eidophone.verbs.shared.context import Context

PROMPTS = {"image_prompt": "a painting of a frog, grayscale", "audio_prompt": "frog croaking"}
Work = Callable[[], object]


@dataclass
class Clock:
    """Seconds of work on a device: of the processor on a CPU, else of the wall."""

    device: torch.device
    rounds: int = 3

    def once(self, work: Work) -> float:
        """Seconds of one call."""
        cuda = self.device.type == "cuda"
        now = time.perf_counter if cuda else time.process_time
        if cuda:
            torch.cuda.synchronize()
        began = now()
        work()
        if cuda:
            torch.cuda.synchronize()
        return now() - began

    def turns(self, works: Mapping[str, Work]) -> dict[str, float]:
        """Medians of several pieces of work that take turns; with several rounds, a first one does not count."""
        for work in works.values() if self.rounds > 1 else ():
            work()
        found: dict[str, list[float]] = {name: [] for name in works}
        for _ in range(self.rounds):
            for name, work in works.items():
                found[name].append(self.once(work))
        return {name: statistics.median(values) for name, values in found.items()}


@dataclass
class Report:
    """Lines of Markdown."""

    lines: list[str] = field(default_factory=list)

    def table(self, title: str, head: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
        """A section with one table."""
        self.lines += ["", f"## {title}", "", "| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
        self.lines += ["| " + " | ".join(row) + " |" for row in rows]
        print("\n".join(self.lines[-len(rows) - 3 :]), flush=True)


def started(arguments: list[str]) -> tuple[float, float, float]:
    """A command from pressing return: wall seconds to the first whole sample, to the end, processor seconds."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "eidophone", "compose", *PROMPTS.values(), *arguments]
        began = time.perf_counter()
        process = psutil.Popen(
            [*command, "--out", f"{folder}/out"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        first, cpu = 0.0, 0.0
        while process.poll() is None:
            if not first and list(Path(folder).glob("out/*/record.json")):
                first = time.perf_counter() - began
            try:
                used = process.cpu_times()
                cpu = max(cpu, used.user + used.system)
            except psutil.Error:
                break
            time.sleep(0.02)
        process.wait()
        return first or time.perf_counter() - began, time.perf_counter() - began, cpu


def start(report: Report, device: str) -> None:
    """From pressing return."""
    rows = []
    for name, arguments in (("one sample", ["--count", "1"]), ("the demo: four samples with films", [])):
        first, whole, cpu = started([*arguments, "--device", device])
        rows.append((name, f"{first:.1f}", f"{whole:.1f}", f"{cpu:.1f}"))
    report.table(
        "From pressing return, the embedded family",
        ("run", "first picture, s", "end, s", "processor, s"),
        rows,
    )


def sampled(clock: Clock, **more: Any) -> Work:
    """One sample of the embedded family, models loaded."""
    context = Context()
    options = ComposeOptions.make(
        **(PROMPTS | {"count": 1, "device": str(clock.device), "offline": True, "threads": 1} | more)
    )
    return lambda: list(compose(options, context))


def embedded(report: Report, clock: Clock) -> None:
    """The embedded family: presets against the publication's loop, with diffusers' networks and scheduler."""
    run = open_run([ComposeOptions.make(**PROMPTS, device=str(clock.device), threads=1)], Context())
    loop = Loop.of(run)
    works = {"publication's loop": loop} | {
        name: sampled(clock, preset=name) for name in ("paper", "fast", "draft")
    }
    found = clock.turns(works)
    base = found["publication's loop"]
    report.table(
        "Embedded family, one sample", ("way", "s", "times the loop's speed"),
        [(name, f"{value:.2f}", f"{base / value:.1f}") for name, value in found.items()],
    )  # fmt: skip


def pipeline(report: Report, clock: Clock, steps: int = 10) -> None:
    """One model alone, against diffusers' own pipeline: same steps, canvas and number format."""
    theirs = pipeline_seconds(package_folder("tiny/image"), PROMPTS["image_prompt"], steps, clock.device)
    alone = {"audio_weight": 0.0, "steps": steps, "sampler": "ddim", "preset": "fast", "reuse_steps": 1}
    found = clock.turns({"diffusers": theirs, "eidophone": sampled(clock, **alone)})
    rows = [(name, f"{value:.2f}", f"{found['diffusers'] / value:.2f}") for name, value in found.items()]
    report.table("Against diffusers' own pipeline: the image model alone, ten DDIM steps, guided",
                 ("way", "s", "times its speed"), rows)  # fmt: skip


def matmul_rate(clock: Clock, dtype: torch.dtype) -> float:
    """Floating-point operations a second of a large product."""
    size = 4096 if clock.device.type == "cuda" else 1024
    a = torch.randn(size, size, device=clock.device).to(dtype)
    return 2 * size**3 / clock.turns({"": lambda: a @ a})[""]


def full_size(report: Report, clock: Clock, width: int) -> None:
    """The U-Net of Stable Diffusion 1.5 with random weights, by number format."""
    rows: list[tuple[str, ...]] = []
    kinds = (torch.float32, torch.bfloat16) if clock.device.type == "cpu" else (torch.float16, torch.bfloat16)
    first = 0.0
    for dtype in kinds:
        for name, value, flops in full_size_rows(clock, dtype, width):
            first = first or value
            share = f"{flops / value / matmul_rate(clock, dtype):.0%}" if flops else ""
            rows.append(
                (str(dtype).removeprefix("torch."), name, f"{value:.2f}", f"{first / value:.1f}", share)
            )
    report.table(f"U-Net of Stable Diffusion 1.5, random weights, canvas 256 x {width}, one evaluation",
                 ("format", "way", "s", "times the first row's speed", "share of the matmul rate"), rows)  # fmt: skip


@torch.inference_mode()
def full_size_rows(clock: Clock, dtype: torch.dtype, width: int) -> Iterator[tuple[str, float, float]]:
    """(way, seconds, floating-point operations) of one evaluation."""
    theirs, ours = random_unets(dtype, clock.device)
    noisy = start_noise((1, 4, 32, width // 8), 0).to(clock.device, dtype)
    condition, at = torch.randn(1, 77, 768).to(clock.device, dtype), torch.tensor(500, device=clock.device)

    def reused() -> Tensor:
        return ours(noisy, at, condition, Reuse.of(inner))[0]

    whole = Reuse(1)
    ours(noisy, at, condition, whole)
    inner = whole.features
    assert inner is not None
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counted:
        ours(noisy, at, condition)
    flops = float(counted.get_total_flops())
    found = clock.turns(
        {
            "diffusers": lambda: theirs(noisy, at, condition, return_dict=False),
            "eidophone": lambda: ours(noisy, at, condition),
            "eidophone, inner features reused": reused,
        }
    )
    for name, value in found.items():
        yield name, value, 0.0 if "reused" in name else flops


def scaling(report: Report, clock: Clock) -> None:
    """How the cost grows with the batch, the canvas and the steps."""
    base = {"preset": "fast"}
    works = {"one sample": sampled(clock, **base)}
    works |= {f"batch of {n}, a sample": sampled(clock, count=n, batch_size=n, **base) for n in (2, 4)}
    works |= {f"{n} samples, a sample": sampled(clock, count=n, **base) for n in (2, 8)}
    works |= {f"width {n}": sampled(clock, width=n, **base) for n in (224, 896)}
    works |= {f"{n} steps": sampled(clock, steps=n, **base) for n in (6, 24, 48)}
    found = clock.turns(works)
    each = {
        name: value / (int(name.split()[2 if name.startswith("batch") else 0]) if "a sample" in name else 1)
        for name, value in found.items()
    }
    rows = [(name, f"{value:.2f}", f"{value / each['one sample']:.2f}") for name, value in each.items()]
    report.table("Scaling, the embedded family", ("run", "s", "against one sample"), rows)


def main() -> None:
    """Measures and writes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="auto")
    parser.add_argument("--rounds", type=int, default=3, help="calls of each way")
    parser.add_argument("--full-size", action="store_true", help="also U-Nets of Stable Diffusion's size")
    parser.add_argument("--width", type=int, default=1024, help="canvas of the full size, in pixels")
    parser.add_argument("--only", nargs="*", help="start, embedded, pipeline, scaling, full_size")
    parser.add_argument("--out", type=Path, help="write the tables here, as Markdown")
    given = parser.parse_args()
    device = choose_device(given.device)
    torch.set_num_threads(1)
    clock, report = Clock(device, given.rounds), Report()
    place = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or "CPU"
    load = psutil.getloadavg()[0]
    report.lines += [
        "# Performance", "",
        f"Written by `python -m benchmarks.performance` on {place}, {psutil.cpu_count()} cores, "
        f"torch {torch.__version__.split('+')[0]}, at a load of {load:.1f}. "
        + ("Seconds are wall time." if device.type == "cuda" else
           "Seconds are processor time of one thread, but from pressing return."),
    ]  # fmt: skip
    parts: dict[str, Work] = {
        "start": lambda: start(report, str(device)),
        "embedded": lambda: embedded(report, clock),
        "pipeline": lambda: pipeline(report, clock),
        "scaling": lambda: scaling(report, clock),
        "full_size": lambda: full_size(report, clock, given.width),
    }
    for name, part in parts.items():
        if name in given.only if given.only else name != "full_size" or given.full_size:
            part()
    if given.out:
        given.out.write_text("\n".join(report.lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
