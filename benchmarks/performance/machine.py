"""A run as a user starts it: from pressing return, and beside other programs."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from benchmarks.busy import POLICIES, measure
from benchmarks.performance.clock import Report
from eidophone.models.device import usable_cores

PROMPTS = ("a painting of a frog, grayscale", "frog croaking")
#: How much longer a run may take than its fair share, by programs beside it.
MOST = {1: 1.3, 3: 2.2}


def started(arguments: list[str]) -> tuple[float, float, float]:
    """A command from pressing return: wall seconds to the first whole sample, to the end, processor seconds."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "eidophone", "compose", *PROMPTS, *arguments]
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
        rows.append((name, f"{first:.1f}", f"{whole:.1f}", f"{cpu:.1f}", f"{os.getloadavg()[0]:.1f}"))
    report.table(
        "From pressing return, the embedded family",
        ("run", "first picture, s", "end, s", "processor, s", "load"), rows,
        "The only seconds here that a clock on the wall measured; other load on the machine is in them.",
    )  # fmt: skip


def busy(report: Report, rounds: int = 3) -> None:
    """Four drafts beside 0, 1 and 3 endless loops."""
    cores, others = usable_cores(), os.getloadavg()[0]
    policy = {"sleep": POLICIES["sleep"]}
    found = {count: measure(count, rounds, policy)["sleep"] for count in (0, *MOST)}
    alone, rows = found[0]["wall_s"], []
    hidden = f" (at a load of {others:.0f}, which hides it)" if others > 2 * cores else ""
    for count, row in found.items():
        took = row["wall_s"] / alone
        fair = max(1.0, (cores + others + count) / cores) / max(1.0, (cores + others) / cores)
        rows.append((f"{count}", f"{row['wall_s']:.1f}", f"{took:.2f}", f"{fair:.2f}", f"{took / fair:.2f}"))
        if count:
            report.aim(
                f"four drafts, other busy programs: {count}; against the fair share of the time",
                f"at most {MOST[count]}", f"{took / fair:.2f}{hidden}",
            )  # fmt: skip
    report.table(
        "On a busy machine",
        ("programs beside it", "s", "times as long", "a fair share", "against the fair share"), rows,
        f"Four drafts with default threads on {cores} cores, wall time. A fair share is the part of the processor "
        f"that belongs to the run's threads; it counts the load of {others:.1f} that was there before."
        + (" That load outweighs the programs, so the table says little." if others > 2 * cores else ""),
    )  # fmt: skip
