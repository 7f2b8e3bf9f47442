"""What a batch costs: a sample early and late, memory, loads; against a loop over `eidophone compose`; many results.

    python -m benchmarks.batch --rows 60 --loop 3      samples of the embedded family (draft), one process
    python -m benchmarks.batch --fakes 100000          manifest, resume scan and totals of results without pictures

CPU seconds count beside wall-clock seconds, because another program on the machine changes only the latter.
Prints JSON.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil

IMAGES = (
    "a painting of a frog",
    "a painting of a castle",
    "a painting of a rooster",
    "a painting of a train",
)
SOUNDS = ("frog croaking", "bell ringing", "rooster crowing", "train whistle")


def job_file(folder: Path, rows: int, width: int | None) -> Path:
    """Rows of all pairs of prompts in turn, each with a seed of its own."""
    path = folder / "jobs.jsonl"
    with path.open("w") as file:
        for number in range(rows):
            pair = {"image_prompt": IMAGES[number % 4], "audio_prompt": SOUNDS[number // 4 % 4]}
            row = {
                **pair,
                "seed": 1000 + number,
                "count": 1,
                "preset": "draft",
                "device": "cpu",
                "threads": 1,
            }
            row |= {} if width is None else {"width": width}
            file.write(json.dumps(row) + "\n")
    return path


def measure_rows(rows: int, folder: Path, width: int | None) -> dict[str, Any]:
    """One process, one thread: CPU seconds and memory row by row."""
    from eidophone.batch.jobs import read_tasks
    from eidophone.batch.run import Progress, run_batch
    from eidophone.batch.work import Made, Outcome

    marks = [(time.process_time(), time.monotonic(), 0)]

    def _watch(_: Progress, event: Made | Outcome) -> None:
        if isinstance(event, Outcome):
            assert not event.error, event.error
            marks.append((time.process_time(), time.monotonic(), event.memory_bytes))

    finish = run_batch(read_tasks(job_file(folder, rows, width)), str(folder / "runs"), watch=_watch)
    cpu = [b[0] - a[0] for a, b in pairwise(marks)]
    wall = [b[1] - a[1] for a, b in pairwise(marks)]
    part = max(1, rows // 10)
    first, last = sum(cpu[1 : part + 1]) / part, sum(cpu[-part:]) / part
    return {
        "rows": rows,
        "cpu_s_first_tenth": round(first, 3),  # without the very first row, which loads the models
        "cpu_s_last_tenth": round(last, 3),
        "last_over_first": round(last / first, 3),
        "cpu_s_loading_row": round(cpu[0], 3),
        "cpu_s_per_row": round(sum(cpu) / rows, 3),
        "wall_s_per_row": round(sum(wall) / rows, 3),
        "memory_mb_after_tenth": round(marks[part][2] / 1e6),
        "memory_mb_at_end": round(marks[-1][2] / 1e6),
        "loads_per_worker": max(finish.progress.loads.values()),
    }


def measure_loop(rows: int, folder: Path, width: int | None) -> dict[str, Any]:
    """The same rows by one command each."""
    began, used = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    for line in job_file(folder, rows, width).read_text().splitlines():
        row = json.loads(line)
        prompts = [row.pop("image_prompt"), row.pop("audio_prompt")]
        flags = [text for name, value in row.items() for text in (f"--{name}", str(value))]
        out = ["--out", str(folder / "loop" / str(row["seed"]))]
        subprocess.run(
            [sys.executable, "-m", "eidophone", "compose", *prompts, *flags, *out],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
    wall = time.monotonic() - began
    return {"rows": rows, "cpu_s_per_row": round(cpu / rows, 3), "wall_s_per_row": round(wall / rows, 3)}


def make_fakes(folder: Path, samples: int, per_row: int = 10) -> Path:
    """Results that are a record only, with a job file that describes them; returns the job file."""
    from eidophone.batch.jobs import read_tasks

    path = folder / "jobs.jsonl"
    with path.open("w") as file:
        for number in range(samples // per_row):
            row = {"image_prompt": IMAGES[number % 4], "audio_prompt": "waves", "seed": 10_000 * number}
            file.write(json.dumps({**row, "count": per_row}) + "\n")
    for task in read_tasks(path):
        options = task.options.plain()
        for index in task.samples:
            place = folder / "runs" / task.key / f"{index:04d}"
            place.mkdir(parents=True)
            recipe = {
                "format": 1, "verb": "compose", "index": index, "seed": options["seed"] + index, "options": options,
                "models": {"image": {"name": "tiny", "revision": "x"}, "audio": {"name": "tiny", "revision": "x"}},
                "vocoder": "griffin-lim", "mel_spec": {}, "versions": {},
            }  # fmt: skip
            record = {
                "format": 1, "verb": "compose", "index": index, "captions": [], "recipe": recipe,
                "facts": {"seconds": 2.5, "unet_evaluations": 48}, "made": "2026-01-01T00:00:00+00:00",
                "files": {"picture.png": "0" * 64, "sound.wav": "1" * 64},
            }  # fmt: skip
            (place / "record.json").write_text(json.dumps(record))
    return path


def measure_fakes(samples: int, folder: Path) -> dict[str, Any]:
    """Seconds of the job file's check, the resume scan, and the manifest with its totals; peak memory."""
    from eidophone.batch.jobs import read_tasks
    from eidophone.batch.manifest import write_manifest
    from eidophone.batch.places import LocalPlace
    from eidophone.batch.run import missing_of

    jobs, place = folder / "jobs.jsonl", LocalPlace(str(folder / "runs"))
    marks, used = [time.monotonic()], [time.process_time()]

    def _mark() -> None:
        marks.append(time.monotonic())
        used.append(time.process_time())

    tasks = read_tasks(jobs)
    _mark()
    assert missing_of(tasks, place) == []
    _mark()
    name, totals = write_manifest(place)
    _mark()
    assert totals.samples == samples and not totals.damaged
    steps = "check", "resume_scan", "manifest_and_totals"
    return {
        "samples": samples, "rows": len(tasks),
        "wall_s": dict(zip(steps, (round(b - a, 1) for a, b in pairwise(marks)), strict=True)),
        "cpu_s": dict(zip(steps, (round(b - a, 1) for a, b in pairwise(used)), strict=True)),
        "manifest_mb": round((folder / "runs" / name).stat().st_size / 1e6, 2),
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }  # fmt: skip


def main() -> None:
    """Measures what the flags ask for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=0)
    parser.add_argument("--loop", type=int, default=0)
    parser.add_argument("--fakes", type=int, default=0)
    parser.add_argument("--width", type=int, help="of the canvas, in pixels (default: the models' own)")
    parser.add_argument("--measure-fakes", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure_fakes:  # a process of its own, so that its peak memory is that of the measured work
        print(json.dumps(measure_fakes(given.fakes, given.measure_fakes)))
        return
    found: dict[str, Any] = {"cores": os.cpu_count(), "load_average": psutil.getloadavg()}
    with TemporaryDirectory() as folder:
        root = Path(folder)
        if given.rows:
            found["batch"] = measure_rows(given.rows, root, given.width)
        if given.loop:
            found["loop"] = measure_loop(given.loop, root, given.width)
        if given.fakes:
            make_fakes(root, given.fakes)
            own = [
                sys.executable,
                "-m",
                "benchmarks.batch",
                "--fakes",
                str(given.fakes),
                "--measure-fakes",
                folder,
            ]
            found["fakes"] = json.loads(subprocess.run(own, check=True, stdout=subprocess.PIPE).stdout)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
