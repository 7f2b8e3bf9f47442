"""Further prompts as they are typed: "flip @0.7: a ship" is a ship in the picture turned over, at weight 0.7."""

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from eidophone.diffusion.views import VIEWS
from eidophone.options.kinds import Band, texts_of

#: Where a prompt may count alone; see `diffusion.frequencies`.
BANDS: tuple[Band, ...] = ("low-pass", "high-pass")
MOST_WEIGHT = 100.0
_FORM = re.compile(r"(?P<head>[^:@]*)(?:@(?P<weight>[^:]*))?:(?P<prompt>.*)", re.DOTALL)


@dataclass(frozen=True)
class FurtherPrompt:
    """One prompt beside the first one.

    Attributes:
        views: Names of the views through which its model sees the canvas, one after another.
        band: Where it counts: "all", or the coarse ("low-pass") or fine ("high-pass") structure.
        weight: Beside the weight of the first prompt, which is 1.
        prompt: What is seen or heard there.
    """

    views: tuple[str, ...]
    band: Band
    weight: float
    prompt: str


def further_prompt(text: str) -> FurtherPrompt:
    """Reads "VIEW+VIEW @WEIGHT: PROMPT"; view and weight may be left out.

    Raises:
        ValueError: an unknown view, a weight that is none, or no prompt.

    >>> further_prompt("flip @0.7: a ship")
    FurtherPrompt(views=('flip',), band='all', weight=0.7, prompt='a ship')
    >>> further_prompt("a ship").views
    ()
    """
    found = _FORM.fullmatch(text)
    if found is None:
        return FurtherPrompt((), "all", 1.0, _prompt(text, text))
    names = [name.strip() for name in found["head"].split("+")]
    band: Band = "all"
    views = []
    for name in names:
        if name in BANDS:
            band = name
        elif name:
            views.append(_known(name, text))
    return FurtherPrompt(tuple(views), band, _weight(found["weight"], text), _prompt(found["prompt"], text))


def _known(name: str, text: str) -> str:
    try:
        return VIEWS.known(name)
    except ValueError as error:
        raise ValueError(
            f"{_quoted(text)}: {str(error).rstrip('.')}, {', '.join(BANDS)}. Before a prompt with a colon in it, "
            "write 'identity:'."
        ) from None


def _weight(given: str | None, text: str) -> float:
    try:
        weight = 1.0 if given is None else float(given)
    except ValueError:
        weight = 0.0
    if not 0 < weight <= MOST_WEIGHT:
        raise ValueError(
            f"{_quoted(text)}: its weight must be a number above 0, at most {MOST_WEIGHT:g}; write it as in "
            "'flip @0.7: a ship'."
        )
    return weight


def _prompt(given: str, text: str) -> str:
    prompt = given.strip()
    if not prompt:
        raise ValueError(f"{_quoted(text)}: holds no prompt; write it as in 'flip: a ship'.")
    first = prompt.split()[0]
    if given is text and first in (*VIEWS.names(), *BANDS) and len(prompt.split()) > 1:
        raise ValueError(
            f"{_quoted(text)}: put a colon behind the view, as in '{first}: a ship'; if {first!r} belongs to the "
            "prompt, write 'identity:' before it."
        )
    return prompt


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _checked(text: str) -> str:
    further_prompt(text)
    return text


#: Further prompts of one model, as they are typed.
FurtherPrompts = Annotated[
    tuple[Annotated[str, AfterValidator(_checked)], ...], BeforeValidator(texts_of), Field(max_length=16)
]
