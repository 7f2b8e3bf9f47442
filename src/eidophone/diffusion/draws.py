"""Random numbers, each drawn under the name of what it is for.

Pipelines take all their random numbers from one `Draws`. A seed decides them; a test can replace the source
and hand in the recorded numbers of another program.
"""

from collections.abc import Sequence

import torch
from torch import Tensor


class Draws:
    """Random numbers from one generator on the CPU, so that a seed gives the same numbers on every device.

    Attributes:
        generator: Gives all of them; its state is what a checkpoint has to keep.
    """

    def __init__(self, generator: torch.Generator) -> None:
        self.generator = generator

    @classmethod
    def seeded(cls, seed: int) -> "Draws":
        """A fresh generator with this seed."""
        return cls(torch.Generator().manual_seed(seed))

    def normal(self, name: str, shape: Sequence[int]) -> Tensor:  # noqa: ARG002
        """Unit normal noise, float32, on the CPU.

        Args:
            name: What it is for, such as "image noise".
            shape: Of the result.
        """
        return torch.randn(tuple(shape), generator=self.generator)

    def integers(self, name: str, lowest: int, highest: int, shape: Sequence[int] = ()) -> Tensor:  # noqa: ARG002
        """Whole numbers, uniform from `lowest` to `highest`, both included; int64, on the CPU."""
        return torch.randint(lowest, highest + 1, tuple(shape), generator=self.generator)
