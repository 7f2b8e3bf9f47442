"""The examples of the publication, by name: their prompts and seeds."""

import difflib
import functools
import tomllib
from dataclasses import dataclass
from importlib import resources

from eidophone.core.errors import BadInput


@dataclass(frozen=True)
class Example:
    """A published example.

    Attributes:
        verb: The command that it is for.
        name: Its name among the examples of that verb.
        image_prompt, audio_prompt: What it looks and sounds like.
        seed: Of its first sample.
        published_samples: How many samples the authors made of it.
    """

    verb: str
    name: str
    image_prompt: str
    audio_prompt: str
    seed: int
    published_samples: int

    def settings(self) -> dict[str, str | int]:
        """The options that it sets."""
        return {"image_prompt": self.image_prompt, "audio_prompt": self.audio_prompt, "seed": self.seed}


@functools.cache
def examples() -> tuple[Example, ...]:
    """All examples, by verb."""
    text = (resources.files("eidophone.options") / "examples.toml").read_text(encoding="utf-8")
    table = tomllib.loads(text)
    return tuple(Example(verb, name, **row) for verb, rows in table.items() for name, row in rows.items())


def example(verb: str, name: str) -> Example:
    """An example of a verb.

    Raises:
        BadInput: there is none of this name; the message lists those of the verb.
    """
    known = {one.name: one for one in examples() if one.verb == verb}
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}."
        raise BadInput(f"--example {name}: {verb} has no such example; {hint}")
    return known[name]
