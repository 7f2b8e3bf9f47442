"""CLIP (Radford et al., 2021): pictures and text, through transformers, with gradients to the pixels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from eidophone.core.errors import BadInput
from eidophone.models.embedders.contract import Embedder, Sense
from eidophone.models.pretrained import running


@dataclass(frozen=True)
class Preprocessing:
    """What a picture goes through before the network, as `preprocessor_config.json` says.

    Attributes:
        side: Of the square that the network sees, in pixels.
        mean, std: Of each channel, taken from the pixels and divided out.
    """

    side: int = 224
    mean: tuple[float, ...] = (0.48145466, 0.4578275, 0.40821073)
    std: tuple[float, ...] = (0.26862954, 0.26130258, 0.27577711)

    def __call__(self, pixels: Tensor) -> Tensor:
        """The middle square, scaled bicubically, normalised: what CLIP's own processor makes of a picture.

        Shape:
            - Input: (batch, 3, height, width) in [0, 1]
            - Output: (batch, 3, side, side)
        """
        height, width = pixels.shape[-2:]
        shorter = min(height, width)
        size = [int(self.side * length / shorter) for length in (height, width)]
        scaled = F.interpolate(pixels, size, mode="bicubic", antialias=True).clamp(0, 1)
        top, left = ((length - self.side) // 2 for length in size)
        square = scaled[..., top : top + self.side, left : left + self.side]
        mean, std = (torch.tensor(v, device=pixels.device)[:, None, None] for v in (self.mean, self.std))
        return (square - mean) / std


class ClipEmbedder(Embedder):
    """CLIP as an `Embedder`."""

    senses: frozenset[Sense] = frozenset({"picture", "text"})
    logit_scale = 100.0

    def __init__(self, name: str, network: Any, tokenizer: Any, preprocessing: Preprocessing) -> None:
        self.name = name
        self._network, self._tokenizer, self._prepare = network, tokenizer, preprocessing

    def picture(self, pixels: Tensor) -> Tensor:
        """See `Embedder`."""
        seen = self._prepare(pixels.to(self._network.device))
        with running(f"The embedder {self.name!r}"):
            found: Tensor = self._network.get_image_features(seen).pooler_output
        return F.normalize(found, dim=-1)

    def sound(self, samples: Tensor, rate_hz: int) -> Tensor:  # noqa: ARG002
        """Refused: CLIP hears nothing.

        Raises:
            BadInput: always.
        """
        raise BadInput(f"The embedder {self.name!r} hears no sound; choose audioclip, clap or tiny.")

    def text(self, phrases: Sequence[str]) -> Tensor:
        """See `Embedder`."""
        return text_features(self._network, self._tokenizer, phrases)


def text_features(network: Any, tokenizer: Any, phrases: Sequence[str]) -> Tensor:
    """Unit vectors of phrases, by a network of transformers with a text tower: (phrases, dimensions).

    Raises:
        BadInput: a phrase is longer than the network reads.
    """
    read = int(network.config.text_config.max_position_embeddings)
    with running("The embedder's tokenizer"):
        tokens = tokenizer(list(phrases), padding=True, return_tensors="pt", verbose=False)
    if (longest := tokens["input_ids"].shape[1]) > min(read, tokenizer.model_max_length):
        raise BadInput(f"A phrase has {longest} tokens and the embedder reads {read}; shorten it.")
    with torch.no_grad(), running("The embedder's text encoder"):
        found: Tensor = network.get_text_features(**tokens.to(network.device)).pooler_output
    return F.normalize(found, dim=-1)
