"""CLAP (Wu et al., 2023): sounds and text, through transformers, with gradients to the samples.

The public feature extractor crops longer sounds at random, so its scores do not repeat; here windows lie
evenly from the first frame to the last.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from eidophone.core.errors import BadInput
from eidophone.media.spectrogram import resampled
from eidophone.models.embedders.clip import text_features
from eidophone.models.embedders.contract import Embedder, Sense
from eidophone.models.pretrained import running

_FLOOR = 1e-10


class ClapEmbedder(Embedder):
    """CLAP as an `Embedder`."""

    senses: frozenset[Sense] = frozenset({"sound", "text"})
    logit_scale = 100.0

    def __init__(self, name: str, network: Any, tokenizer: Any, extractor: Any) -> None:
        self.name = name
        self._network, self._tokenizer, self._extractor = network, tokenizer, extractor

    def picture(self, pixels: Tensor) -> Tensor:  # noqa: ARG002
        """Refused: CLAP sees nothing.

        Raises:
            BadInput: always.
        """
        raise BadInput(f"The embedder {self.name!r} sees no pictures; choose clip-b16, audioclip or tiny.")

    def sound(self, samples: Tensor, rate_hz: int) -> Tensor:
        """See `Embedder`: the mean over windows, made a unit vector again."""
        extractor = self._extractor
        sound = resampled(samples.to(self._network.device), rate_hz, extractor.sampling_rate)
        parts = windows(sound, extractor.nb_max_samples)
        drawn = log_mel(parts.flatten(0, 1), extractor)
        with running(f"The embedder {self.name!r}"):
            found: Tensor = self._network.get_audio_features(drawn[:, None]).pooler_output
        return F.normalize(found.view(*parts.shape[:2], -1).mean(1), dim=-1)

    def text(self, phrases: Sequence[str]) -> Tensor:
        """See `Embedder`."""
        return text_features(self._network, self._tokenizer, phrases)


def windows(sound: Tensor, length: int) -> Tensor:
    """Windows of one length, evenly from the first frame to the last; a shorter sound is repeated and padded.

    Shape:
        - sound: (batch, frames)
        - Output: (batch, windows, length)

    >>> windows(torch.arange(5.0)[None], 4)
    tensor([[[0., 1., 2., 3.],
             [1., 2., 3., 4.]]])
    >>> windows(torch.tensor([[1.0, 2.0]]), 5)
    tensor([[[1., 2., 1., 2., 0.]]])
    """
    frames = sound.shape[-1]
    if frames <= length:
        repeated = sound.repeat(1, length // frames)
        return F.pad(repeated, (0, length - repeated.shape[-1]))[:, None]
    count = math.ceil(frames / length)
    starts = [round(i * (frames - length) / (count - 1)) for i in range(count)]
    return torch.stack([sound[:, start : start + length] for start in starts], 1)


def log_mel(sound: Tensor, extractor: Any) -> Tensor:
    """The mel picture that an unfused CLAP hears, in decibels.

    Shape:
        - sound: (batch, frames)
        - Output: (batch, columns, bands)
    """
    size = extractor.fft_window_size
    window = torch.hann_window(size, device=sound.device)
    spectrum = torch.stft(sound, size, extractor.hop_length, window=window, return_complex=True)
    power = spectrum.real**2 + spectrum.imag**2
    bands = torch.as_tensor(extractor.mel_filters_slaney, dtype=torch.float32, device=sound.device)
    return 10 * (power.transpose(1, 2) @ bands).clamp(min=_FLOOR).log10()
