"""What the numbers of a judge mean."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Measure:
    """One number of a judge, for people.

    Attributes:
        about: What it measures, one phrase.
        better: Which direction is better; empty if neither is.
        unit: Such as "dB"; empty for a bare number.
        range: Such as "-1 to 1"; empty if it has no bounds.
    """

    about: str
    better: Literal["higher", "lower", ""] = "higher"
    unit: str = ""
    range: str = ""

    @property
    def bounds(self) -> str:
        """Range and direction as one phrase.

        >>> Measure("similarity", range="-1 to 1").bounds, Measure("error", "lower", "dB").bounds
        ('-1 to 1, higher is better', 'lower is better')
        """
        direction = f"{self.better} is better" if self.better else ""
        return ", ".join(part for part in (self.range, direction) if part)
