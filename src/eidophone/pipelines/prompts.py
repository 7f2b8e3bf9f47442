"""A caption inside the sentence that a picture model draws best, and the tokens of its words."""

from dataclasses import dataclass

from eidophone.models.latent import TextEncoder
from eidophone.values import Caption

PLACE = "{}"


@dataclass(frozen=True)
class Prompt:
    """What the picture model reads.

    Attributes:
        text: The whole sentence.
        before: What stands in it before the caption.
        spans: Of each word of the caption, its first token and the one behind its last.
    """

    text: str
    before: str
    spans: tuple[tuple[int, int], ...]


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
    return Prompt(text, before, tuple(spans))


def _count(encoder: TextEncoder, text: str) -> int:
    """How many tokens a piece of text has, without the two marks."""
    return len(encoder.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])
