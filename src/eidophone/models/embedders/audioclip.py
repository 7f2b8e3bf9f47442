"""AudioCLIP (Guzhov et al., 2022): pictures, sounds and text in one space, in the published layout.

The sound goes through a learned transform of frequency B-spline wavelets (ESResNe(X)t-fbsp, 2021) into a
residual network; pictures and text through CLIP's RN50.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eidophone.core.errors import BadInput
from eidophone.media.spectrogram import resampled
from eidophone.models.components import settled
from eidophone.models.embedders.bottlenecks import PictureTower, SpectrogramTower
from eidophone.models.embedders.clip import Preprocessing
from eidophone.models.embedders.contract import Embedder, Sense
from eidophone.models.pretrained import check_keys, checked

RATE_HZ, FRAMES = 44_100, 441_000
_DIMENSIONS = 1024
_FRAME, _WINDOW, _HOP = 2048, 1654, 561
_TINY = 1e-8
_SILENCE = 1e-18
_TOKENS, _VOCABULARY, _WIDTH, _HEADS, _BLOCKS = 77, 49_408, 512, 8, 12


class WaveletTransform(nn.Module):
    """A learned linear transform: frequency B-spline wavelets of order m, bandwidth fb and centre fc."""

    def __init__(self, bins: int) -> None:
        super().__init__()
        self.m = nn.Parameter(torch.zeros(bins))
        self.fb = nn.Parameter(torch.ones(bins))
        self.fc = nn.Parameter(torch.arange(bins, dtype=torch.float32))
        self.bias = nn.Parameter(torch.empty(0))  # the checkpoint has an empty one

    def forward(self, frames: Tensor) -> Tensor:
        """(batch, count, length) -> power, (batch, bins, count)."""
        length = frames.shape[-1]
        t = math.pi * torch.linspace(-1, 1, length, device=frames.device) + _TINY
        m, fb, fc = (x[:, None] for x in (self.m, self.fb, self.fc))
        at = fb * t / (m + _TINY)
        spline = torch.where(at == 0, 1.0, at.sin() / at)
        # a negative base to a real power turns by pi times the power
        spline = torch.polar(spline.square() ** (m / 2), torch.where(spline < 0, math.pi * m, 0.0))
        wavelets = fb.sqrt() * spline * torch.complex((fc * t).cos(), -(fc * t).sin()) / math.sqrt(length)
        real, imaginary = frames @ wavelets.real.T, frames @ wavelets.imag.T
        return (real.square() + imaginary.square()).transpose(1, 2)


class SoundTower(SpectrogramTower):
    """From samples to the joint space."""

    window: Tensor

    def __init__(self, dimensions: int) -> None:
        super().__init__(dimensions)
        self.fbsp = WaveletTransform(_FRAME // 2 + 1)
        self.register_buffer("window", blackman_harris(_WINDOW))

    def forward(self, samples: Tensor) -> Tensor:
        """(batch, frames) at 44.1 kHz, full scale -1 to 1 -> (batch, dimensions)."""
        # Published code takes samples for 16-bit numbers, in float32; what that rounds away is part of its
        # features, so it is done in the same order.
        scaled = (samples + 32_768.0) * 2.0 / 65_535.0 - 1.0
        power = self.fbsp(_frames(scaled, self.window))
        rows = power.shape[1] // 3
        bands = power[:, : 3 * rows].unflatten(1, (3, rows))
        # written so that not-a-number is silence too: a wavelet of negative bandwidth hears nothing
        heard = torch.where(bands > 0, bands, _SILENCE)
        return super().forward(10 * heard.log10())


def blackman_harris(length: int) -> Tensor:
    """The periodic four-term window (Harris, 1978), (length,).

    >>> round(float(blackman_harris(8)[4]), 6)
    1.0
    """
    angle = 2 * math.pi * torch.arange(length, dtype=torch.float64) / length
    terms = (0.35875, -0.48829, 0.14128, -0.01168)
    return torch.stack([a * (k * angle).cos() for k, a in enumerate(terms)]).sum(0).float()


def _frames(samples: Tensor, window: Tensor) -> Tensor:
    """Windowed frames with zeros around, (batch, frames) -> (batch, count, 2048)."""
    count = 1 + max(0, math.ceil((samples.shape[-1] - _WINDOW) / _HOP))
    missing = (count - 1) * _HOP + _WINDOW - samples.shape[-1]
    whole = F.pad(samples, (missing // 2, missing - missing // 2))
    margin = _FRAME - _WINDOW
    return F.pad(whole.unfold(-1, _WINDOW, _HOP) * window, (margin // 2, margin - margin // 2))


class _Block(nn.Module):
    """A pre-norm transformer block with CLIP's quick GELU."""

    def __init__(self) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(_WIDTH, _HEADS, batch_first=True)
        self.ln_1, self.ln_2 = nn.LayerNorm(_WIDTH), nn.LayerNorm(_WIDTH)
        self.mlp = nn.ModuleDict(
            {"c_fc": nn.Linear(_WIDTH, 4 * _WIDTH), "c_proj": nn.Linear(4 * _WIDTH, _WIDTH)}
        )

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(batch, tokens, width) -> the same."""
        seen = self.ln_1(x)
        x = x + self.attn(seen, seen, seen, need_weights=False, attn_mask=mask)[0]
        wide = self.mlp["c_fc"](self.ln_2(x))
        found: Tensor = x + self.mlp["c_proj"](wide * (1.702 * wide).sigmoid())
        return found


class AudioClip(nn.Module):
    """The three towers with the names of `AudioCLIP-Full-Training.pt`."""

    def __init__(self) -> None:
        super().__init__()
        self.visual = PictureTower(_DIMENSIONS)
        self.audio = SoundTower(_DIMENSIONS)
        self.transformer = nn.ModuleDict({"resblocks": nn.ModuleList(_Block() for _ in range(_BLOCKS))})
        self.token_embedding = nn.Embedding(_VOCABULARY, _WIDTH)
        self.positional_embedding = nn.Parameter(torch.zeros(_TOKENS, _WIDTH))
        self.ln_final = nn.LayerNorm(_WIDTH)
        self.text_projection = nn.Parameter(torch.zeros(_WIDTH, _DIMENSIONS))
        self.logit_scale = nn.Parameter(torch.tensor(1.0))
        self.logit_scale_ai = nn.Parameter(torch.tensor(math.log(100.0)))
        self.logit_scale_at = nn.Parameter(torch.tensor(math.log(100.0)))

    def text(self, tokens: Tensor) -> Tensor:
        """(batch, 77) numbers of tokens, the end mark being the largest -> (batch, dimensions)."""
        x = self.token_embedding(tokens) + self.positional_embedding
        mask = torch.full((_TOKENS, _TOKENS), -math.inf, device=x.device).triu(1)
        blocks: Any = self.transformer["resblocks"]
        for block in blocks:
            x = block(x, mask)
        ends = self.ln_final(x)[torch.arange(len(x)), tokens.argmax(1)]
        found: Tensor = ends @ self.text_projection
        return found


def scale_of(logit_scale: Tensor) -> float:
    """What a cosine is multiplied by: the stored logarithm's value, kept in [1, 100]."""
    return float(logit_scale.detach().exp().clamp(1, 100))


class AudioClipEmbedder(Embedder):
    """AudioCLIP as an `Embedder`: of a sound it hears the first 10 s, as published."""

    senses: frozenset[Sense] = frozenset({"picture", "sound", "text"})

    def __init__(self, name: str, network: AudioClip, tokenizer: Any) -> None:
        self.name = name
        self.logit_scale = scale_of(network.logit_scale_ai)
        self._network, self._tokenizer, self._prepare = network, tokenizer, Preprocessing()

    @property
    def _device(self) -> torch.device:
        return self._network.text_projection.device

    def picture(self, pixels: Tensor) -> Tensor:
        """See `Embedder`."""
        return F.normalize(self._network.visual(self._prepare(pixels.to(self._device))), dim=-1)

    def sound(self, samples: Tensor, rate_hz: int) -> Tensor:
        """See `Embedder`."""
        heard = resampled(samples.to(self._device), rate_hz, RATE_HZ)[:, :FRAMES]
        return F.normalize(self._network.audio(F.pad(heard, (0, FRAMES - heard.shape[-1]))), dim=-1)

    def text(self, phrases: Sequence[str]) -> Tensor:
        """See `Embedder`.

        Raises:
            BadInput: a phrase is longer than 75 tokens.
        """
        given = self._tokenizer(list(phrases), padding="max_length", max_length=_TOKENS, return_tensors="pt")
        if (longest := given["input_ids"].shape[1]) > _TOKENS:
            raise BadInput(f"A phrase has {longest} tokens and the embedder reads {_TOKENS}; shorten it.")
        with torch.no_grad():
            return F.normalize(self._network.text(given["input_ids"].to(self._device)), dim=-1)


def read_audioclip(path: Path, device: torch.device) -> AudioClip:
    """The network in a checkpoint file, in float32, ready to use.

    Raises:
        BadInput: it wants to run code, or its keys or shapes are not those of `AudioCLIP-Full-Training.pt`.
    """
    given = checked(path, lambda: torch.load(path, map_location="cpu", weights_only=True, mmap=True))
    with torch.device("meta"):
        network = AudioClip()
    expected = network.state_dict()
    check_keys(path, {k: tuple(v.shape) for k, v in expected.items()}, given)
    state = {k: v.float() if v.is_floating_point() else v for k, v in given.items()}
    network.load_state_dict(state, assign=True)
    found: AudioClip = settled(network, device)
    return found
