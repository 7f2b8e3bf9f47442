"""A caption inside the sentence that a picture model draws best, and the tokens of its words."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from eidophone.core.values import Caption
from eidophone.models.text import TextEncoder

PLACE = "{}"


@dataclass(frozen=True)
class Prompt:
    """What the picture model reads.

    Attributes:
        text: The whole sentence.
        spans: Of each word of the caption, its first token and the one behind its last.
        tokens: How many tokens the encoder reads, padding counted.
    """

    text: str
    spans: tuple[tuple[int, int], ...]
    tokens: int

    def spread(self, values: Sequence[float], rest: float = 1.0) -> Tensor:
        """A word's value for each of its tokens, `rest` for all others: float32, (tokens,)."""
        found = torch.full((self.tokens,), rest)
        for (first, end), value in zip(self.spans, values, strict=True):
            found[first:end] = value
        return found


def make_prompt(caption: Caption, style: str, encoder: TextEncoder) -> Prompt:
    """Puts a caption into a style and finds its words' tokens, word by word as published.

    Args:
        caption: What can be heard.
        style: A sentence with `{}` for the caption, or words that follow it; "" adds nothing.
        encoder: Of the picture model.

    Raises:
        BadInput: it is longer than the encoder reads.
    """
    if PLACE not in style:
        style = f"{PLACE}, {style}" if style else PLACE
    before, _, after = style.partition(PLACE)
    spans, position = [], 1 + _count(encoder, before)
    for word in caption.words:
        end = position + _count(encoder, word.text)
        spans.append((position, end))
        position = end
    text = f"{before}{caption.text}{after}"
    encoder.check_length(text, "caption")
    return Prompt(text, tuple(spans), encoder.length)


def _count(encoder: TextEncoder, text: str) -> int:
    """How many tokens a piece of text has, without the two marks."""
    read = encoder.synonyms.understood(text)
    return len(encoder.tokenizer(read, add_special_tokens=False, verbose=False)["input_ids"])
