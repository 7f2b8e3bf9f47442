"""Where and how networks run: device, number format, threads, and how many samples fit in memory."""

import math
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import torch

from eidophone.core.errors import BadInput, OutOfMemory

# The measured peaks of SD-1.5-shaped decoders stay below this many copies of their widest activation.
_DECODER_COPIES = 6
_LARGEST_ON_CPU = 8
_LARGEST = 64
#: Where Linux keeps the limits of a container (control groups, version 2).
_CGROUP = Path("/sys/fs/cgroup")


def choose_device(wanted: str) -> torch.device:
    """The device of that name; `auto` takes CUDA, then Apple's MPS, then the CPU.

    Raises:
        BadInput: this machine has no such device.
    """
    if wanted == "auto":
        wanted = (
            "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
        )
    device = torch.device(wanted)
    here = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if (device.index or 0) >= here[device.type]:
        raise BadInput(f"--device {wanted}: this machine has no such device; use --device auto or cpu.")
    return device


def take_gpu(number: int) -> None:
    """Makes one of several GPUs the one that "auto" and "cuda" mean in this process.

    Args:
        number: Of this process among those of the machine, from 0; more processes than GPUs share them in turn.
    """
    if (count := torch.cuda.device_count()) > 1:
        torch.cuda.set_device(number % count)


def choose_dtype(wanted: str, device: torch.device) -> torch.dtype:
    """The number format of that name; `auto` is float32 on a CPU and float16 elsewhere."""
    if wanted == "auto":
        wanted = "float32" if device.type == "cpu" else "float16"
    found: torch.dtype = getattr(torch, wanted)
    return found


def computes_bfloat16() -> bool:
    """Whether this machine's processor computes in bfloat16, about twice as fast as in float32."""
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, bool)() for name in checks)


# --- threads -------------------------------------------------------------------------------------


def usable_cores() -> int:
    """Physical cores that this process may use: what the machine has, its affinity and its container allow."""
    limits = [psutil.cpu_count(logical=False) or os.cpu_count() or 1]
    if hasattr(os, "sched_getaffinity"):  # Linux
        limits.append(len(os.sched_getaffinity(0)))
    quota, _, period = _cgroup("cpu.max").partition(" ")
    if quota.isdigit() and period.isdigit():
        limits.append(math.ceil(int(quota) / int(period)))
    return max(1, min(limits))


def use_threads(wanted: int | None, warn: Callable[[str], None] = warnings.warn) -> int:
    """Sets torch's thread count; more threads than cores only wait for each other.

    The count matters beyond speed: sums are split among threads, so it decides how they round.

    Args:
        wanted: Threads; None keeps torch's count, which `OMP_NUM_THREADS` sets.
        warn: Receives a sentence if there are fewer cores than threads wanted.

    Returns:
        The count in use, 1 to the number of usable cores.
    """
    cores, now = usable_cores(), torch.get_num_threads()
    if wanted is not None and wanted > cores:
        limit = "1 core" if cores == 1 else f"{cores} cores"
        warn(f"--threads {wanted}: only {limit} can be used here; using {cores}. Last digits may differ.")
    threads = min(wanted or now, cores)
    if threads != now:
        torch.set_num_threads(threads)
    return torch.get_num_threads()


# --- memory --------------------------------------------------------------------------------------


def out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory ran out.

    >>> out_of_memory(MemoryError()), out_of_memory(RuntimeError("shapes differ"))
    (True, False)
    """
    # only CUDA has an error class for this; the allocators of the CPU and of MPS say it in words
    words = str(error).lower()
    by_words = (
        isinstance(error, RuntimeError) and "memory" in words and ("alloc" in words or "out of" in words)
    )
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or by_words


@contextmanager
def within_memory(samples: int) -> Iterator[None]:
    """Turns an out-of-memory error into a sentence that says what to do.

    Args:
        samples: How many samples run at once inside the block.

    Raises:
        OutOfMemory: the block ran out of memory.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        if samples > 1:
            advice = f"Out of memory with {samples} samples at once; use --batch-size {samples // 2}."
        else:
            advice = "Out of memory; use --dtype bfloat16 or a smaller --width."
        raise OutOfMemory(advice) from error


def free_bytes(device: torch.device) -> int:
    """Memory that a run on this device can still take, in bytes."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    main = _free_main_memory()
    if device.type == "mps":  # a share of main memory, which Metal limits
        left = torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
        return max(0, min(main, left))
    return main


def _free_main_memory() -> int:
    free = int(psutil.virtual_memory().available)
    most, used = _cgroup("memory.max"), _cgroup("memory.current")
    if most.isdigit() and used.isdigit():
        facts = dict(line.split() for line in _cgroup("memory.stat").splitlines())
        cached = int(facts.get("inactive_file", 0))  # given up when memory runs short
        free = min(free, max(0, int(most) - int(used) + cached))
    return free


def _cgroup(name: str) -> str:
    """A limit of this container; empty where there is none, as on macOS and Windows."""
    try:
        return (_CGROUP / name).read_text().strip()
    except OSError:
        return ""


def batch_size(
    count: int, height: int, width: int, widest: int, bytes_each: int, device: torch.device
) -> int:
    """How many of `count` samples to run at once, so that decoding them takes at most half the free memory.

    Args:
        count: Samples wanted.
        height, width: Size of the canvas in pixels.
        widest: Channels of the decoder at full resolution.
        bytes_each: Bytes per number.
        device: Where they run; a CPU gains little from more than a few at once.

    Returns:
        1 to count.
    """
    one = height * width * widest * bytes_each * _DECODER_COPIES
    fits = free_bytes(device) // 2 // one
    most = _LARGEST_ON_CPU if device.type == "cpu" else _LARGEST
    return max(1, min(count, fits, most))
