"""Inner features of a U-Net that later steps take over (DeepCache; Ma, Fang and Wang, 2024, arXiv:2312.00858).

From one sampling step to the next, what a U-Net finds at its smaller sizes changes little. So it is computed at
every n-th step only; in between, the outermost layers work with what the last such step found.
"""

from dataclasses import dataclass, field
from typing import Self

from torch import Tensor


@dataclass
class Reuse:
    """What one denoiser keeps from step to step: one canvas, one prompt.

    A denoiser that is asked several times at one timestep, for several windows of a canvas or by a sampler that
    asks twice, keeps nothing: what it is asked about is not the same from step to step.

    Attributes:
        every: Inner features are computed at one step of this many.
        features: What was computed last.
    """

    every: int
    _asked: int = field(default=0, init=False)
    _last: float | None = field(default=None, init=False)
    _several: bool = field(default=False, init=False)
    features: Tensor | None = field(default=None, init=False)

    @classmethod
    def of(cls, features: Tensor) -> Self:
        """A memory whose next answer are these features."""
        memory = cls(2)
        memory.keep(features)
        memory._asked = 1
        return memory

    def take(self, timestep: Tensor) -> Tensor | None:
        """The features to use at this timestep; None: compute them."""
        due = self._asked % self.every == 0
        self._asked += 1
        if self.every > 1:
            at = float(timestep)
            self._several, self._last = self._several or at == self._last, at
        return None if due or self._several else self.features

    def keep(self, features: Tensor) -> None:
        """Keeps what was computed, for the next steps."""
        self.features = features
