"""What `paint` recorded of its work: words with times and weights, iterations, both similarities."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from eidophone.core.errors import BadInput
from eidophone.core.recipe import Record
from eidophone.media.stream import read_blocks

_Number = Annotated[float, Field(allow_inf_nan=False)]
_Text = Annotated[str, Field(max_length=2000)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Word(_Part):
    text: _Text
    confidence: _Number = 1.0
    start_s: _Number = 0.0
    end_s: _Number = 0.0
    noun: _Number = 0.0
    weight: _Number
    weight_after: _Number | None = None


class _Iteration(_Part):
    loss: _Number
    to_sound: _Number
    to_caption: _Number
    box: Annotated[list[int], Field(min_length=4, max_length=4)]


class Painting(_Part):
    """The facts of a painted result, checked, because a record may come from a stranger."""

    caption: _Text
    words: list[_Word]
    similarity_to_sound: Annotated[list[_Number], Field(min_length=2, max_length=2)]
    similarity_to_caption: Annotated[list[_Number], Field(min_length=2, max_length=2)]
    iterations: list[_Iteration] = []
    kept: int = 0


def painting_of(record: Record, sound: Path) -> dict[str, Any] | None:
    """The painting in a record and the seconds of its sound; None if it is of another verb, or damaged."""
    if record.verb != "paint":
        return None
    try:
        found = Painting.model_validate(record.facts.model_dump()).model_dump()
        return {**found, "seconds": sum(block.duration_s for block in read_blocks(sound))}
    except (ValidationError, BadInput):
        return None
