"""Where and how networks run: device, number format, and how many samples fit at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from eidophone.core.errors import BadInput, EidophoneError

# Measured peaks of SD-v1.5-shaped decoders lie below this many copies of their widest activation.
_DECODER_COPIES = 6
_LARGEST_ON_CPU = 8
_LARGEST = 64


def choose_device(wanted: str) -> torch.device:
    """`auto` takes CUDA, then Apple's MPS, then the CPU.

    Raises:
        BadInput: a device that this machine does not have.
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


def choose_dtype(wanted: str, device: torch.device) -> torch.dtype:
    """`auto` is float32 on a CPU and float16 elsewhere."""
    if wanted == "auto":
        wanted = "float32" if device.type == "cpu" else "float16"
    found: torch.dtype = getattr(torch, wanted)
    return found


@contextmanager
def within_memory(samples: int) -> Iterator[None]:
    """Turns running out of memory into a sentence that says what to do.

    Raises:
        EidophoneError: the memory did not suffice for so many samples at once.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        # only CUDA has an error of its own; the CPU's and Apple's allocators say it in words
        words = str(error).lower()
        told = isinstance(error, MemoryError | torch.OutOfMemoryError)
        if not (told or ("memory" in words and ("alloc" in words or "out of" in words))):
            raise
        smaller = f"--batch-size {samples // 2}" if samples > 1 else "--dtype bfloat16 or a smaller --width"
        raise EidophoneError(
            f"The memory does not suffice for {samples} samples at once; use {smaller}."
        ) from error


def free_bytes(device: torch.device) -> int:
    """Memory that is free now, in bytes."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):  # not Linux
        return 4 << 30


def batch_size(
    count: int, height: int, width: int, widest: int, bytes_each: int, device: torch.device
) -> int:
    """How many of `count` samples to run at once, so that the widest decoding fits in half of what is free.

    Args:
        count: Samples wanted.
        height, width: Of the canvas, in pixels.
        widest: Channels of the decoder at full size.
        bytes_each: Bytes a number.
        device: Where they run; a CPU gains little from more than a few.

    Returns:
        1 to count.
    """
    one = height * width * widest * bytes_each * _DECODER_COPIES
    fits = free_bytes(device) // 2 // one
    most = _LARGEST_ON_CPU if device.type == "cpu" else _LARGEST
    return max(1, min(count, fits, most))
