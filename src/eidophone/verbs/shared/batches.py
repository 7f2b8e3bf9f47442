"""Jobs in batches, smaller ones where memory runs out."""

import gc
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch

from eidophone.core.errors import OutOfMemory
from eidophone.models.device import within_memory

Job = TypeVar("Job")
Made = TypeVar("Made")


def in_batches(
    jobs: Sequence[Job],
    size: int,
    make: Callable[[Sequence[Job]], Made],
    warn: Callable[[str], None],
) -> Iterator[tuple[Sequence[Job], Made]]:
    """Makes jobs batch by batch. Where memory runs out, that batch and all after it are half as large.

    Args:
        jobs: In their order.
        size: Jobs in a batch, as long as memory suffices.
        make: Makes a batch.
        warn: Receives a sentence when batches become smaller.

    Raises:
        OutOfMemory: for a single job; the message says what to do.
    """
    done = 0
    while done < len(jobs):
        batch = jobs[done : done + size]
        try:
            with within_memory(len(batch)):
                made = make(batch)
        except OutOfMemory:
            if len(batch) == 1:
                raise
            size = len(batch) // 2
        else:
            yield batch, made
            done += len(batch)
            continue
        # outside the handler: its error holds the tensors of the batch that was too large
        warn(f"Out of memory with {len(batch)} samples at once; going on with {size}.")
        _free()


def _free() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
