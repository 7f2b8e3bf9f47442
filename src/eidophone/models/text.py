"""Words to the condition of a U-Net."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from eidophone.core.errors import BadInput
from eidophone.models.synonyms import Synonyms

_LONGEST_SHOWN = 60


@dataclass(frozen=True)
class TextEncoder:
    """CLIP's: all tokens' last hidden states, padded to the encoder's length.

    Attributes:
        tokenizer, network: Of transformers.
        synonyms: What is read in place of words that the model never met.
    """

    tokenizer: Any
    network: Any
    synonyms: Synonyms = field(default_factory=Synonyms)

    def encode(self, prompt: str, what: str = "prompt") -> Tensor:
        """The condition of one prompt, shape (1, tokens, width).

        Raises:
            BadInput: the prompt is longer than the encoder reads; the message says what would be cut.
        """
        self.check_length(prompt, what)
        padded = torch.tensor([self.padded(prompt)], device=self.network.device)
        with torch.no_grad():
            return self._states(padded)

    def check_length(self, prompt: str, what: str = "prompt") -> None:
        """Refuses a prompt that is longer than the encoder reads.

        Raises:
            BadInput: the message says what would be cut.
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
        """The numbers of a prompt's tokens, filled up to `length`."""
        return self._ids(prompt, padding="max_length", max_length=self.length)

    @property
    def length(self) -> int:
        """How many tokens it reads, with those that mark beginning and end."""
        return min(int(self.tokenizer.model_max_length), int(self.network.config.max_position_embeddings))

    @property
    def width(self) -> int:
        """How many numbers it says a token."""
        return int(self.network.config.hidden_size)

    def _ids(self, prompt: str, **how: Any) -> list[int]:
        ids: list[int] = self.tokenizer(self.synonyms.understood(prompt), **how)["input_ids"]
        return ids

    def _states(self, padded: Tensor) -> Tensor:
        states: Tensor = self.network(padded)[0]
        return states


class T5TextEncoder(TextEncoder):
    """T5's, as DeepFloyd IF was trained with it: small letters, 77 tokens, padding is not looked at."""

    @property
    def length(self) -> int:
        """T5 itself reads any length; the U-Nets behind it saw no more than this."""
        return min(77, int(self.tokenizer.model_max_length))

    def _ids(self, prompt: str, **how: Any) -> list[int]:
        return super()._ids(prompt.lower().strip(), **how)

    def _states(self, padded: Tensor) -> Tensor:
        # as a tokenizer's own mask: the mark of the end is looked at, what follows is not
        mask = padded != self.tokenizer.pad_token_id
        states: Tensor = self.network(padded, attention_mask=mask.long())[0]
        return states
