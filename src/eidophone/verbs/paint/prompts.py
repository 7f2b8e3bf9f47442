"""The prompt of the image model: a caption in a style, with the tokens of the caption's words."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from eidophone.core.values import Caption
from eidophone.models.text import TextEncoder

PLACE = "{}"


@dataclass(frozen=True)
class Prompt:
    """The prompt of the image model.

    Attributes:
        text: The whole prompt.
        spans: First token and end (exclusive) of each word of the caption.
        tokens: Length of the encoded prompt in tokens, with padding.
        parts: The prompts of several drawings side by side, whose encodings follow one another; (): one drawing.
    """

    text: str
    spans: tuple[tuple[int, int], ...]
    tokens: int
    parts: tuple[str, ...] = ()

    def spread(self, values: Sequence[float], rest: float = 1.0) -> Tensor:
        """Each word's value at all of its tokens, `rest` at all other tokens: float32, (tokens,)."""
        found = torch.full((self.tokens,), rest)
        for (first, end), value in zip(self.spans, values, strict=True):
            found[first:end] = value
        return found


def make_prompt(caption: Caption, style: str, encoder: TextEncoder) -> Prompt:
    """Puts a caption into a style and finds the tokens of its words, word by word as published.

    Args:
        caption: What the sound contains.
        style: A sentence with `{}` in place of the caption, or words that follow it; "" adds nothing.
        encoder: Of the image model.

    Raises:
        BadInput: the prompt is too long for the encoder.
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


def side_by_side(captions: Sequence[Caption], style: str, encoder: TextEncoder) -> Prompt:
    """One prompt for each of several drawings, each in the style; the words count through all of them.

    Raises:
        BadInput: one is too long for the encoder.
    """
    parts = [make_prompt(caption, style, encoder) for caption in captions]
    spans = [
        (first + number * encoder.length, end + number * encoder.length)
        for number, part in enumerate(parts)
        for first, end in part.spans
    ]
    texts = tuple(part.text for part in parts)
    return Prompt(" / ".join(texts), tuple(spans), len(parts) * encoder.length, texts)


def _count(encoder: TextEncoder, text: str) -> int:
    """The number of tokens of a text, without the start and end tokens."""
    read = encoder.synonyms.understood(text)
    return len(encoder.tokenizer(read, add_special_tokens=False, verbose=False)["input_ids"])
