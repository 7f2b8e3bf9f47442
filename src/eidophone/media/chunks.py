"""Long spectrograms in chunks: each is processed with its neighbourhood, so that the parts fit together."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

#: Columns that a vocoder plays at once. Memory does not grow beyond them.
CHUNK_COLUMNS = 512


@dataclass(frozen=True)
class Chunk:
    """A part of a spectrogram, with what lies around it.

    Attributes:
        first: Its first column.
        count: How many columns it has.
        before, after: Columns around it that are processed with it and dropped again.
    """

    first: int
    count: int
    before: int
    after: int

    @property
    def columns(self) -> Tensor:
        """Indices of all columns to process; below 0 or beyond the end where the spectrogram is cyclic."""
        return torch.arange(self.first - self.before, self.first + self.count + self.after)


def chunks(columns: int, context: int, cyclic: bool = False, size: int = CHUNK_COLUMNS) -> Iterator[Chunk]:
    """The chunks of a spectrogram, from left to right.

    Args:
        columns: Of the spectrogram.
        context: Columns on either side that decide how a column sounds.
        cyclic: The end meets the beginning: also the first and the last chunk have both neighbours.
        size: Columns of a chunk.

    >>> [(c.first, c.count, c.before, c.after) for c in chunks(10, 2, size=6)]
    [(0, 6, 0, 2), (6, 4, 2, 0)]
    """
    for first in range(0, columns, size):
        count = min(size, columns - first)
        if cyclic:
            yield Chunk(first, count, context, context)
        else:
            yield Chunk(first, count, min(context, first), min(context, columns - first - count))
