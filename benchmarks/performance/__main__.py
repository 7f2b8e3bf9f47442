"""What everything costs, in one table: `python -m benchmarks.performance [--full-size] [--out docs/performance.md]`.

Every row compares ways that take turns in one run, so that other load on the machine meets all of them alike. On
a CPU, processor time of one thread counts; on a GPU, wall time with its queue drained. The baselines are written out
in `benchmarks.baselines`: diffusers' own networks and scheduler in the publication's loop, and diffusers' own pipeline.
"""

import argparse
import platform
from collections.abc import Callable
from datetime import date
from pathlib import Path

import psutil
import torch

from benchmarks.performance import embedded, machine, optimising
from benchmarks.performance.clock import Clock, Report
from benchmarks.performance.full_size import full_size
from eidophone.models.device import choose_device

#: Rounds of the full size, where one evaluation takes many seconds.
FULL_SIZE_ROUNDS = 1


def processor() -> str:
    """The name of the processor."""
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text().splitlines() if facts.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "a CPU"


def parts_of(given: argparse.Namespace, report: Report, clock: Clock) -> dict[str, Callable[[], None]]:
    """All parts of the page, in its order."""
    few = Clock(clock.device, FULL_SIZE_ROUNDS if clock.device.type == "cpu" else clock.rounds)
    return {
        "start": lambda: machine.start(report, str(clock.device)),
        "embedded": lambda: embedded.presets(report, clock),
        "pipeline": lambda: embedded.pipeline(report, clock),
        "counts": lambda: embedded.counts(report, clock),
        "scaling": lambda: embedded.scaling(report, clock),
        "paint": lambda: optimising.paint(report),
        "distill": lambda: optimising.distill(report),
        "busy": lambda: machine.busy(report),
        "full_size": lambda: full_size(report, few, given.width),
    }


def head(clock: Clock, loads: tuple[float, float]) -> list[str]:
    """Where and how it was measured."""
    cuda = clock.device.type == "cuda"
    place = torch.cuda.get_device_name(clock.device) if cuda else processor()
    kind = "wall time" if cuda else "processor time of one thread, except where wall time is named"
    return [
        "# Performance", "",
        f"`python -m benchmarks.performance --full-size --out docs/performance.md` makes this page. "
        f"Measured on {date.today()} on {place}, {psutil.cpu_count()} cores, with torch "
        f"{torch.__version__.split('+')[0]}. Seconds are {kind}. Ways that are compared took turns, so ratios hold on "
        f"a busy machine; its load was {loads[0]:.0f} to {loads[1]:.0f}.",
    ]  # fmt: skip


def main() -> None:
    """Measures and writes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = "start, embedded, pipeline, counts, scaling, paint, distill, busy, full_size"
    parser.add_argument("--device", default="auto")
    parser.add_argument("--rounds", type=int, default=3, help="calls of each way")
    parser.add_argument("--full-size", action="store_true", help="also networks of Stable Diffusion's size")
    parser.add_argument("--width", type=int, default=1024, help="canvas of the full size, in pixels")
    parser.add_argument("--only", nargs="*", help=names)
    parser.add_argument("--keep", type=Path, help="a JSON file with the parts; --only replaces some of them")
    parser.add_argument("--out", type=Path, help="write the page here, as Markdown")
    given = parser.parse_args()
    torch.set_num_threads(1)
    clock, report = Clock(choose_device(given.device), given.rounds), Report(given.keep)
    parts = parts_of(given, report, clock)

    def write() -> None:
        report.keep()
        if given.out:
            given.out.write_text(report.text(head(clock, report.loads()), parts), encoding="utf-8")

    for name, part in parts.items():
        if name in given.only if given.only is not None else name != "full_size" or given.full_size:
            report.begin(name)
            part()
            write()  # what is known so far, in case that it is stopped
    write()


if __name__ == "__main__":
    main()
