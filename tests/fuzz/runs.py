"""Short runs of every verb that writes, as processes that can be killed, started together or out of room.

Every run is a process of its own, forked from one that has imported everything already.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # a process with a pool of threads must not be forked

import json
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eidophone.cli import main as eidophone
from eidophone.media.lock import LOCK_FILE
from tests.fuzz.materials import Materials

_TIMES = {"made", "seconds", "wall_s", "record_sha256"}


@dataclass(frozen=True)
class Run:
    """A command that can be killed and started again.

    Attributes:
        arguments: Without --out.
        resume: What the command needs to go on; some go on by themselves.
        goes_on: Whether a run that was stopped goes on at all; the short verbs begin again.
    """

    arguments: list[str]
    resume: tuple[str, ...] = ("--resume",)
    goes_on: bool = True


def commands(good: Materials, root: Path) -> dict[str, Run]:
    """A short run of every verb that writes."""
    where = ["--device", "cpu", "--threads", "1", "--offline"]
    pair = ["--image-model", str(good.image), "--audio-model", str(good.audio), *where]
    small = ["--dtype", "float32", "--judges", "none", "--preset", "draft"]
    sounds = _sounds(root / "sounds", good.sounds[0])
    stages = ["--image-model", str(good.networks["pixel"]), "--upscaler", str(good.networks["upscaler"])]
    jobs = root / "jobs.jsonl"
    row = {"image_prompt": "frog", "audio_prompt": "rain", "count": 2, "steps": 2, "preset": "draft",
           "offline": True, "image_model": str(good.image), "audio_model": str(good.audio), "device": "cpu",
           "dtype": "float32"}  # fmt: skip
    jobs.write_text("".join(json.dumps(row | {"seed": seed}) + "\n" for seed in (1, 100)))
    return {
        "compose": Run(["compose", "frog", "rain", "--count", "5", "--batch-size", "2", "--steps", "3", *pair, *small]),
        "imprint": Run(["imprint", "frog", "--sound", str(good.sounds[0]), "--count", "3", *pair, *small]),
        "paint": Run(["paint", str(sounds), "--caption", "rain", "--count", "2", "--optimise", "1", "--steps", "2",
                      "--size", "64x64", *pair]),
        "colorize": Run(["colorize", str(good.results["hear"]), "red", "--count", "3", "--steps", "3",
                         "--upscale-steps", "2", "--audio-model", str(good.audio), *stages, *where]),
        "distill": Run(["distill", "frog", "rain", "--count", "2", "--iterations", "6", "--checkpoint-every", "2",
                        "--dtype", "float32", *pair]),
        "hear": Run(["hear", str(good.pictures[1]), "--audio-model", str(good.audio)], (), goes_on=False),
        "see": Run(["see", str(good.sounds[0]), "--audio-model", str(good.audio)], (), goes_on=False),
        "remake": Run(["remake", str(good.results["hear"]), "--picture", str(good.files / "rgb.png"),
                       "--audio-model", str(good.audio)], (), goes_on=False),
        "data mix": Run(["data", "mix", str(good.data), "--count", "12"], ()),
        "batch": Run(["batch", str(jobs)], ()),
        "evaluate": Run(["evaluate", str(_runs(root / "runs", good)), "--judges", "signal,roundtrip"], ()),
    }  # fmt: skip


def _sounds(folder: Path, sound: Path) -> Path:
    folder.mkdir()
    for name in ("one", "two"):
        shutil.copy(sound, folder / f"{name}.wav")
    return folder


def _runs(folder: Path, good: Materials) -> Path:
    for number in range(3):
        for verb, sample in good.results.items():
            shutil.copytree(sample, folder / f"{verb}-{number}" / sample.name)
    return folder


def start(arguments: list[str], log: Path, prepare: Callable[[], object] = lambda: None) -> int:
    """Forks a process that runs a command; returns its id.

    Args:
        arguments: Of the command line.
        log: Where both streams go.
        prepare: Called in the new process first.
    """
    child = os.fork()
    if child:
        return child
    code = 99
    try:
        stream = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(stream, 1)
        os.dup2(stream, 2)
        prepare()
        code = eidophone(arguments)
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    finally:
        os._exit(code)  # never back into the program that was forked


def wait(child: int, seconds: float) -> int | None:
    """The exit code; None if the process was still at work after this time and has been killed."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def contents(out: Path) -> dict[str, object]:
    """What a run wrote, hidden files too, without times and without locks."""
    found: dict[str, object] = {}
    for path in sorted(out.rglob("*")):
        if path.is_dir() or path.name == LOCK_FILE:
            continue
        found[str(path.relative_to(out))] = _content(path)
    return found


def _content(path: Path) -> object:
    readers: dict[str, Callable[[Path], Any]] = {
        "record.json": lambda p: json.loads(p.read_text()),
        "summary.json": lambda p: json.loads(p.read_text()),
        "manifest.parquet": _table,
    }
    return _timeless(readers[path.name](path)) if path.name in readers else path.read_bytes()


def _table(path: Path) -> Any:
    from pyarrow import parquet

    return parquet.read_table(path).to_pylist()


def _timeless(given: Any) -> Any:
    if isinstance(given, dict):
        return {key: _timeless(value) for key, value in given.items() if key not in _TIMES}
    return [_timeless(each) for each in given] if isinstance(given, list) else given


def differences(one: dict[str, object], other: dict[str, object]) -> list[str]:
    """Names of the files that are not the same."""
    return [name for name in sorted(one.keys() | other.keys()) if one.get(name) != other.get(name)]
