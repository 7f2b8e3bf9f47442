"""Text encoders: from a prompt to the condition of a denoising network."""

import math
import re
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from eidophone.core.errors import BadInput
from eidophone.models.pretrained import running
from eidophone.models.synonyms import Synonyms

_LONGEST_SHOWN = 60


@dataclass(frozen=True)
class TextRules:
    """How a model was trained to read its prompts; the defaults are those of CLIP.

    Attributes:
        tokens: The longest prompt, with its start and end tokens; None: as long as the encoder reads.
        lower_case: Prompts are put into lower case, and stripped.
        mask_padding: The encoder does not attend to the padding.
        zero_padding: The condition of padding tokens is zero, which tells the denoising network to mask them.
    """

    tokens: int | None = None
    lower_case: bool = False
    mask_padding: bool = False
    zero_padding: bool = False


#: T5 as DeepFloyd IF was trained with it. Images that Sound masks the padding in colorization, but not in score
#: distillation.
IF_RULES = TextRules(tokens=77, lower_case=True, mask_padding=True)


@dataclass(frozen=True)
class TextEncoder:
    """The last hidden states of all tokens, padded to the encoder's length.

    Attributes:
        tokenizer, network: Objects of transformers, of CLIP or T5.
        rules: How the model was trained to read its prompts.
        synonyms: Replacements for words that the model does not know.
    """

    tokenizer: Any
    network: Any
    synonyms: Synonyms = field(default_factory=Synonyms)
    rules: TextRules = TextRules()

    def encode(self, prompt: str, what: str = "prompt") -> Tensor:
        """The condition of one prompt, shape (1, tokens, width).

        Raises:
            BadInput: the prompt is too long; the message says what would be cut.
        """
        self.check_length(prompt, what)
        padded = torch.tensor([self.padded(prompt)], device=self.network.device)
        with torch.no_grad():
            return self._states(padded)

    def released(self) -> "TextEncoder":
        """The same encoder without its network: it still reads words and counts tokens, but encodes nothing."""
        return replace(self, network=SimpleNamespace(config=self.network.config))

    def without_mask(self) -> "TextEncoder":
        """The same encoder, with attention to the padding."""
        return replace(self, rules=replace(self.rules, mask_padding=False))

    def knows_a_word(self, prompt: str) -> bool:
        """Whether any word of three letters or more, or its replacement, is one token of the vocabulary.

        A tokenizer spells words that it does not know, such as those of another language, in pieces.
        """
        words = [word for word in re.findall(r"[^\W\d_]+", self.synonyms.understood(prompt)) if len(word) > 2]
        return any(self._pieces(word) == 1 for word in words)

    def _pieces(self, word: str) -> int:
        found: list[int] = self.tokenizer(word.lower(), add_special_tokens=False)["input_ids"]
        return len(found)

    def check_length(self, prompt: str, what: str = "prompt") -> None:
        """Checks that a prompt fits into the encoder's length.

        Raises:
            BadInput: it does not; the message says what would be cut.
        """
        ids = self._ids(prompt, truncation=False, verbose=False)
        marks = int(self.tokenizer.num_special_tokens_to_add())
        if len(ids) > self.length:
            room = self.length - marks
            lost = self.tokenizer.decode(ids[room + marks - 1 : -1]).strip()
            lost = lost if len(lost) <= _LONGEST_SHOWN else f"{lost[:_LONGEST_SHOWN].rstrip()}..."
            raise BadInput(
                f"The {what} has {len(ids) - marks} tokens and the text encoder reads {room}; "
                f"this would be cut: {lost!r}. Shorten it by at least that much."
            )

    def padded(self, prompt: str) -> list[int]:
        """The token ids of a prompt, padded to `length`."""
        return self._ids(prompt, padding="max_length", max_length=self.length)

    @property
    def length(self) -> int:
        """The number of tokens, with the start and end tokens.

        Raises:
            BadInput: the tokenizer's settings say no number.
        """
        most = self.tokenizer.model_max_length
        if not isinstance(most, int | float) or not 1 <= most < math.inf:  # NaN, too
            raise BadInput(
                f"The tokenizer's model_max_length must be a number of tokens; got {most!r}; fetch the model again."
            )
        limits = [int(most)]
        if (positions := getattr(self.network.config, "max_position_embeddings", None)) is not None:
            limits.append(int(positions))
        if self.rules.tokens is not None:  # T5 itself reads any length
            limits.append(self.rules.tokens)
        return min(limits)

    @property
    def width(self) -> int:
        """The width of its output per token."""
        return int(self.network.config.hidden_size)

    def _ids(self, prompt: str, **how: Any) -> list[int]:
        prompt = prompt.lower().strip() if self.rules.lower_case else prompt
        with running("The tokenizer"):
            ids: list[int] = self.tokenizer(self.synonyms.understood(prompt), **how)["input_ids"]
        return ids

    def _states(self, padded: Tensor) -> Tensor:
        # as the tokenizer's own mask: the end token is kept, the padding behind it is not
        kept = padded != self.tokenizer.pad_token_id
        how = {"attention_mask": kept.long()} if self.rules.mask_padding else {}
        with running("The text encoder"):
            states: Tensor = self.network(padded, **how)[0]
        return states * kept[..., None] if self.rules.zero_padding else states
