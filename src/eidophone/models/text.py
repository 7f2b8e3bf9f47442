"""Text encoders: from a prompt to the condition of a U-Net."""

from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from eidophone.core.errors import BadInput
from eidophone.models.synonyms import Synonyms

_LONGEST_SHOWN = 60


@dataclass(frozen=True)
class TextEncoder:
    """CLIP: the last hidden states of all tokens, padded to the encoder's length.

    Attributes:
        tokenizer, network: Objects of transformers.
        synonyms: Replacements for words that the model does not know.
    """

    tokenizer: Any
    network: Any
    synonyms: Synonyms = field(default_factory=Synonyms)

    def encode(self, prompt: str, what: str = "prompt") -> Tensor:
        """The condition of one prompt, shape (1, tokens, width).

        Raises:
            BadInput: the prompt is too long; the message says what would be cut.
        """
        self.check_length(prompt, what)
        padded = torch.tensor([self.padded(prompt)], device=self.network.device)
        with torch.no_grad():
            return self._states(padded)

    def without_mask(self) -> "TextEncoder":
        """The same encoder, with attention to the padding; CLIP never masks it."""
        return self

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
        """The number of tokens, with the start and end tokens."""
        return min(int(self.tokenizer.model_max_length), int(self.network.config.max_position_embeddings))

    @property
    def width(self) -> int:
        """The width of its output per token."""
        return int(self.network.config.hidden_size)

    def _ids(self, prompt: str, **how: Any) -> list[int]:
        ids: list[int] = self.tokenizer(self.synonyms.understood(prompt), **how)["input_ids"]
        return ids

    def _states(self, padded: Tensor) -> Tensor:
        states: Tensor = self.network(padded)[0]
        return states


@dataclass(frozen=True)
class T5TextEncoder(TextEncoder):
    """T5, as DeepFloyd IF was trained with it: lower case, padded to 77 tokens.

    Attributes:
        mask_padding: Padding is masked in the attention, as in IF's own pipelines. Images that Sound masks it
            in colorization, but not in score distillation.
    """

    mask_padding: bool = True

    @property
    def length(self) -> int:
        """77 tokens: T5 itself reads any length, but IF's U-Nets were trained with no more."""
        return min(77, int(self.tokenizer.model_max_length))

    def without_mask(self) -> "T5TextEncoder":
        """The same encoder, with attention to the padding."""
        return replace(self, mask_padding=False)

    def _ids(self, prompt: str, **how: Any) -> list[int]:
        return super()._ids(prompt.lower().strip(), **how)

    def _states(self, padded: Tensor) -> Tensor:
        # as the tokenizer's own mask: the end token is kept, the padding behind it is not
        mask = (padded != self.tokenizer.pad_token_id).long() if self.mask_padding else None
        states: Tensor = self.network(padded, attention_mask=mask)[0]
        return states
