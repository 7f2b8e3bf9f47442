"""The embedded joint space: pictures through EfficientNet-Lite0, sounds through a small network, text.

Trained by `training/networks/embedder.py` as CLIP is (Radford et al., 2021, arXiv:2103.00020), with every
row of the same concept as a positive (Khosla et al., 2020, arXiv:2004.11362). Text is read by the family's
own encoder.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional as F

from eidophone.media.mel import MelSpec
from eidophone.media.spectrogram import log_mel, picture_from_log_mel, resampled
from eidophone.media.vocoder_files import read_json, settings_of
from eidophone.models.cards import package_folder
from eidophone.models.components import load_text_encoder, settled
from eidophone.models.embedders.contract import Embedder, Sense
from eidophone.models.embedders.efficientnet import FEATURES, EfficientNetLite, photographed
from eidophone.models.pretrained import load_weights
from eidophone.models.source import find
from eidophone.models.synonyms import read_synonyms
from eidophone.models.text import TextEncoder

#: Rows of a mel picture that the sound tower sees, half of the family's; of a picture that sight sees.
ROWS, SEEN_ROWS = 64, 96
FEWEST_COLUMNS = 16
PEAK = 0.95
_GROUPS = 4


class TowerConfig(BaseModel):
    """What the embedder's `config.json` says.

    `blocks` and `widths` are the shapes of sight and of the sound tower. `text_encoder` is the SHA-256 of the
    weights that the text map was made for. `nothing` is what was said of sounds in which nothing is.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    blocks: list[int]
    widths: list[int] = Field(min_length=1)
    dimensions: int = Field(ge=1)
    text_width: int = Field(ge=1)
    text_encoder: str
    mel_spec: dict[str, Any]
    nothing: list[str]


class _Residual(nn.Module):
    """Two convolutions, added to their input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.GroupNorm(_GROUPS, width) for _ in range(2))
        self.convs = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        found = x
        for norm, conv in zip(self.norms, self.convs, strict=True):
            found = conv(F.silu(norm(found)))
        return x + found


class AttentionPool(nn.Module):
    """Mean over all places, and over the places worth a look.

    Shape:
        - Input: (batch, width, rows, columns)
        - Output: (batch, 2 * width)
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.worth = nn.Conv2d(width, 1, 1)

    def forward(self, places: Tensor) -> Tensor:
        """See the class."""
        worth = self.worth(places).flatten(2).softmax(-1)
        places = places.flatten(2)
        return torch.cat([places.mean(-1), (places * worth).sum(-1)], 1)


class AudioEncoder(nn.Module):
    """Mel pictures of any width to unit vectors; each place also knows its height.

    Shape:
        - Input: (batch, ROWS, columns) in [0, 1], at least FEWEST_COLUMNS columns
        - Output: (batch, dimensions)
    """

    def __init__(self, widths: Sequence[int], dimensions: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(2, widths[0], 5, 2, 2), _Residual(widths[0])]
        for before, width in pairwise(widths):
            layers += [nn.Conv2d(before, width, 3, 2, 1), _Residual(width), _Residual(width)]
        self.layers = nn.Sequential(*layers, nn.GroupNorm(_GROUPS, widths[-1]), nn.SiLU())
        self.gaze = AttentionPool(widths[-1])
        self.out = nn.Linear(2 * widths[-1], dimensions)

    def forward(self, gray: Tensor) -> Tensor:
        """See the class."""
        height = torch.linspace(-1, 1, gray.shape[1], device=gray.device, dtype=gray.dtype)
        seen = torch.stack([2 * gray - 1, height[:, None].expand_as(gray)], 1)
        return F.normalize(self.out(self.gaze(self.layers(seen))), dim=-1)


class ImageEncoder(nn.Module):
    """Grey pictures of any size to some numbers, in their own proportions.

    Shape:
        - Input: (batch, height, width) in [0, 1], looked at `rows` high
        - Output: (batch, out)
    """

    def __init__(self, blocks: Sequence[int], rows: int, out: int) -> None:
        super().__init__()
        self.rows = rows
        self.network = EfficientNetLite(blocks)
        self.gaze = AttentionPool(FEATURES)
        self.out = nn.Linear(2 * FEATURES, out)

    def forward(self, gray: Tensor) -> Tensor:
        """See the class."""
        columns = max(FEWEST_COLUMNS, round(self.rows * gray.shape[-1] / gray.shape[-2]))
        size = (self.rows, columns)
        seen = F.interpolate(gray[:, None], size, mode="bilinear", antialias=True)[:, 0]
        found: Tensor = self.out(self.gaze(self.network(photographed(seen))))
        return found


class JointSpace(nn.Module):
    """What is learned: sight, a tower for sounds, and a linear map of pooled text."""

    def __init__(
        self, blocks: Sequence[int], widths: Sequence[int], dimensions: int, text_width: int
    ) -> None:
        super().__init__()
        self.sight = ImageEncoder(blocks, SEEN_ROWS, dimensions)
        self.sound = AudioEncoder(widths, dimensions)
        self.text = nn.Linear(text_width, dimensions)

    def picture(self, gray: Tensor) -> Tensor:
        """Grey pictures (batch, height, width) in [0, 1] to unit vectors (batch, dimensions)."""
        return F.normalize(self.sight(gray), dim=-1)


def heard_rows(samples: Tensor, rate_hz: int, spec: MelSpec) -> Tensor:
    """What the sound tower sees: the family's mel picture, halved, of the sound at a fixed peak.

    Shape:
        - Input: (batch, frames)
        - Output: (batch, ROWS, columns)
    """
    sound = resampled(samples, rate_hz, spec.rate_hz)
    missing = 2 * FEWEST_COLUMNS * spec.hop_length - sound.shape[-1]
    sound = F.pad(sound, (0, max(0, missing)))
    sound = sound * (PEAK / sound.abs().amax(-1, keepdim=True).clamp(min=1e-5))
    drawn = picture_from_log_mel(log_mel(sound, spec), spec).clamp(0, 1)
    return F.avg_pool2d(drawn[:, None], 2)[:, 0]


class TinyEmbedder(Embedder):
    """The embedded family's `Embedder`."""

    name = "tiny"
    senses: frozenset[Sense] = frozenset({"picture", "sound", "text"})
    logit_scale = 100.0
    sees_whole = True

    def __init__(self, space: JointSpace, words: TextEncoder, spec: MelSpec, nothing: Sequence[str]) -> None:
        self._space, self._words, self._spec = space, words, spec
        self.nothing = tuple(nothing)
        self._device = space.text.weight.device

    def picture(self, pixels: Tensor) -> Tensor:
        """See `Embedder`."""
        return self._space.picture(pixels.to(self._device).mean(1))

    def sound(self, samples: Tensor, rate_hz: int) -> Tensor:
        """See `Embedder`."""
        found: Tensor = self._space.sound(heard_rows(samples.to(self._device), rate_hz, self._spec))
        return found

    def text(self, phrases: Sequence[str]) -> Tensor:
        """See `Embedder`.

        Raises:
            BadInput: a phrase is longer than the text encoder reads.
        """
        with torch.no_grad():
            pooled = torch.cat([pooled_text(self._words, phrase) for phrase in phrases])
            found: Tensor = F.normalize(self._space.text(pooled), dim=-1)
        return found


def pooled_text(words: TextEncoder, phrase: str) -> Tensor:
    """The encoder's last hidden state at the mark that ends the phrase, (1, width)."""
    condition = words.encode(phrase, "phrase")
    end = words.padded(phrase).index(words.tokenizer.eos_token_id)
    return condition[:, end]


def load_tiny(folder: Path, device: torch.device) -> TinyEmbedder:
    """The embedder in a folder with `config.json` and `model.safetensors`, in float32, ready to use.

    Raises:
        BadInput: a file is missing, damaged, or does not fit the other.
    """
    where = folder / "config.json"
    config = settings_of(TowerConfig, read_json(where), str(where))
    space = JointSpace(config.blocks, config.widths, config.dimensions, config.text_width)
    weights = folder / "model.safetensors"
    load_weights(space, weights)
    family = folder.parent if (folder.parent / "image").is_dir() else package_folder("tiny")
    lender, other = find(str(family / "image"), "image"), find(str(family / "audio"), "audio")
    book = read_synonyms(lender.path).common(read_synonyms(other.path))
    words = replace(load_text_encoder(lender, torch.float32, device), synonyms=book)
    spec = MelSpec.from_dict(config.mel_spec, str(where))
    return TinyEmbedder(settled(space, device), words, spec, config.nothing)
