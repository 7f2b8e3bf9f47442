"""What the tagged captioner can name: `sounds.toml` as values."""

import functools
import tomllib
from dataclasses import dataclass
from importlib import resources


@dataclass(frozen=True)
class Source:
    """Something that sounds.

    Attributes:
        name: As the table and the captioner's head call it.
        phrase: How a caption names it.
        heard: AudioSet classes that tell it; the highest counts.
        kind: What it is one of; empty if of nothing.
        general: It is the general name of its kind, said only where no other source of that kind is.
    """

    name: str
    phrase: str
    heard: tuple[str, ...]
    kind: str
    general: bool


@functools.cache
def sources() -> tuple[Source, ...]:
    """Every source, in the order of the table."""
    text = (resources.files("eidophone.models.captioners") / "sounds.toml").read_text(encoding="utf-8")
    return tuple(
        Source(name, row["phrase"], tuple(row["heard"]), row.get("of", row.get("kind", "")), "of" in row)
        for name, row in tomllib.loads(text).items()
    )
