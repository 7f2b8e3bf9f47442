"""Captions of canvases and sounds: many natural wordings of one fact, chosen by a seeded generator.

A caption names a style or a background only if the picture has it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

#: The wording of prompts that the family's card recommends.
ADVISED = "a painting of {}, grayscale, black background"
#: The same for a canvas that is also a sound: several things that fill its width.
WIDE = "a painting of three {}, grayscale, black background"
COUNTS = {2: "two", 3: "three", 4: "four", 5: "five"}
STYLES = {
    "plain": ("", "a painting of", "a picture of", "an image of", "a drawing of", "a photo of"),
    "textured": ("", "a painting of", "a picture of", "an image of", "a drawing of"),
    "line": ("a line drawing of", "a sketch of", "an outline of", "a drawing of", "a painting of"),
    "silhouette": ("a silhouette of", "a painting of", "a picture of"),
    "lithograph": ("a lithograph of", "an engraving of", "a painting of", "an etching of", ""),
    "contrast": ("a high contrast picture of", "a painting of", "a poster of"),
}
COLOURED = (
    "a colorful photo of", "a colorful painting of", "a colorful picture of", "a colorful drawing of",
    "a painting of", "a photo of", "a picture of", "",
)  # fmt: skip
GREY = ("grayscale", "grayscale", "grayscale", "black and white", "greyscale")
UNCOUNTABLE = {
    "sheep",
    "fish",
    "lightning",
    "cattle",
    "rain",
    "people",
    "men",
    "women",
    "children",
    "geese",
    "mice",
}


def pick(rng: np.random.Generator, words: Sequence[str]) -> str:
    """One of the words. The first is twice as likely as any other."""
    weights = np.ones(len(words))
    weights[0] = 2
    return str(words[rng.choice(len(words), p=weights / weights.sum())])


def article(noun: str) -> str:
    """The noun with its indefinite article.

    >>> article("owl"), article("dog")
    ('an owl', 'a dog')
    """
    return f"{'an' if noun[0] in 'aeiou' and not noun.startswith(('uni', 'eu')) else 'a'} {noun}"


def is_phrase(noun: str) -> bool:
    """Whether a plural names a whole scene, such as "a forest", and takes no number."""
    return (
        noun.startswith("a ")
        or " of " in noun
        or " on " in noun
        or noun.endswith(("garden", "birds", "game"))
    )


def thing(
    rng: np.random.Generator, table: dict[str, Any], count: int, head: bool = False, colour: str = ""
) -> str:
    """A noun phrase for `count` objects of a concept: "a dog", "two red dogs", "dogs", "horse heads"."""
    if count == 1:
        noun = pick(rng, table["one"])
        if head and rng.random() < 0.4:
            noun = f"{table['one'][0]} {pick(rng, ('head', 'face'))}"
        noun = f"{colour} {noun}".strip()
        return article(noun) if rng.random() < 0.7 else noun
    many = pick(rng, table["many"])
    if head and rng.random() < 0.5:
        many = f"{table['one'][0]} {pick(rng, ('heads', 'faces'))}"
    if is_phrase(many):
        return f"{many}, {colour}".removesuffix(", ")
    many = f"{colour} {many}".strip()
    if rng.random() < 0.65:
        return many
    return f"{COUNTS.get(count, 'many')} {many}"


def caption(
    rng: np.random.Generator, things: Sequence[str], doing: Sequence[str], style: str, black: bool
) -> str:
    """One caption of a canvas.

    Args:
        rng: Makes every choice.
        things: One or two noun phrases.
        doing: What the caption may say that the things do.
        style: How the canvas is drawn; a key of STYLES.
        black: Whether the background is black.
    """
    phrase = " and ".join(things)
    opening = pick(rng, STYLES[style]) if rng.random() < 0.8 else ""
    if style in ("plain", "textured") and rng.random() < 0.35:
        opening = "a painting of"
    if doing and len(things) == 1 and rng.random() < 0.15:
        phrase = f"{phrase} {pick(rng, doing)}"
    parts = [f"{opening} {phrase}".strip()]
    if rng.random() < (0.75 if opening == "a painting of" else 0.3):
        parts.append(pick(rng, GREY))
    if black and rng.random() < 0.3:
        parts.append("black background")
    if style == "lithograph" and (opening not in STYLES["lithograph"][:2] or rng.random() < 0.3):
        parts.append("lithograph style")
    return ", ".join(parts)


def coloured(
    rng: np.random.Generator, table: dict[str, Any], count: int, head: bool, colour: str | None, black: bool
) -> str:
    """One caption of a canvas in colour.

    Args:
        rng: Makes every choice.
        table: The concept's words.
        count: Number of objects.
        head: Whether only heads are shown.
        colour: Name of their colour; "" if none is clear, None if the canvas is grey.
        black: Whether the background is black.
    """
    before = bool(colour) and rng.random() < 0.65
    phrase = thing(rng, table, count, head, colour or "" if before else "")
    if table["doing"] and rng.random() < 0.1:
        phrase = f"{phrase} {pick(rng, table['doing'])}"
    opening = pick(rng, STYLES["plain"] if colour is None else COLOURED)
    parts = [f"{opening} {phrase}".strip()]
    if colour is None:
        parts.append(pick(rng, GREY))
    elif colour and not before:
        parts.append(colour)
    if black and rng.random() < 0.15:
        parts.append("black background")
    return ", ".join(parts)
