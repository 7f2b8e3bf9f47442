"""What samples cost."""

import time
from collections.abc import Callable


class Meter:
    """Counts from the moment that it is made.

    Args:
        evaluations: Tells the U-Net evaluations so far, counted a sample.
    """

    def __init__(self, evaluations: Callable[[], int]) -> None:
        self._evaluations, self._spent, self._began = evaluations, evaluations(), time.monotonic()

    def each(self, samples: int) -> tuple[int, float]:
        """U-Net evaluations and seconds of each of so many samples."""
        evaluations = self._evaluations() - self._spent
        return evaluations // samples, (time.monotonic() - self._began) / samples

    def facts(self, samples: int) -> dict[str, float]:
        """The same, for the record."""
        evaluations, seconds = self.each(samples)
        return {"unet_evaluations": evaluations, "seconds": round(seconds, 3)}
