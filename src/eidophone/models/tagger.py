"""YAMNet in plain torch: which of AudioSet's 521 classes can be heard, and when.

The weights ship with the package; `training/networks/tagger.py` made them from the TensorFlow authors'
checkpoint (Apache-2.0). Batch normalisation is folded into the convolutions. It judges and describes;
it also chose the sounds that the audio model learned from.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional as F

from eidophone.media.vocoder_files import read_json, settings_of
from eidophone.models.cards import package_folder, shipped
from eidophone.models.pretrained import load_weights

RATE_HZ = 16_000
WINDOW, HOP, FFT = 400, 160, 512  # samples: 25 ms, 10 ms, the next power of two
BANDS, LOW_HZ, HIGH_HZ, FLOOR = 64, 125.0, 7500.0, 0.001
PATCH, PATCH_HOP = 96, 48  # columns
#: Samples that one window of scores hears, and from one window to the next.
SPAN, STEP = WINDOW + (PATCH - 1) * HOP, PATCH_HOP * HOP
BLOCKS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1))
CLASSES = 521
FOLDER = "tiny/tagger"
WEIGHTS, CONFIG = "model.safetensors", "config.json"


class SameConv(nn.Conv2d):
    """A convolution with TensorFlow's SAME padding: the odd pixel goes to the bottom and the right."""

    def forward(self, x: Tensor) -> Tensor:
        """The padded convolution of (batch, channels, height, width)."""
        pads: list[int] = []
        for length, kernel, stride in zip(
            x.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1], strict=True
        ):
            total = max((math.ceil(length / stride) - 1) * stride + kernel - length, 0)
            pads += [total // 2, total - total // 2]
        return super().forward(F.pad(x, pads))


def block(wide_in: int, wide_out: int, kernel: int, stride: int, groups: int = 1) -> nn.Sequential:
    """Convolution and rectifier."""
    return nn.Sequential(SameConv(wide_in, wide_out, kernel, stride, groups=groups), nn.ReLU())


class YamNet(nn.Module):
    """MobileNet v1 over log-mel patches.

    Shape:
        - Input: (batch, 1, 96, 64), time before pitch
        - Output: (batch, 521), logits
    """

    def __init__(self) -> None:
        super().__init__()
        layers, wide = [block(1, 32, 3, 2)], 32
        for wide_out, stride in BLOCKS:
            layers += [block(wide, wide, 3, stride, groups=wide), block(wide, wide_out, 1, 1)]
            wide = wide_out
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(wide, CLASSES)

    def embed(self, patches: Tensor) -> Tensor:
        """What the head sees of each patch: (batch, 1024)."""
        means: Tensor = self.layers(patches).mean((2, 3))
        return means

    def forward(self, patches: Tensor) -> Tensor:
        """Logits of each patch."""
        logits: Tensor = self.head(self.embed(patches))
        return logits


@dataclass(frozen=True)
class Tagger:
    """Hears AudioSet classes in mono sound at 16 kHz.

    Attributes:
        net: The network, in evaluation mode.
        classes: Display name of each class, 521 of them.
    """

    net: YamNet
    classes: tuple[str, ...]

    @property
    def head(self) -> nn.Linear:
        """Logits of the classes from an embedding."""
        return self.net.head

    @torch.inference_mode()
    def scores(self, samples: Tensor, at_once: int = 32) -> Tensor:
        """Probability of each class in windows of 0.975 s every 0.48 s. Classes are independent.

        Window i begins at sample i * STEP. A last window that is not full is padded with silence. Memory
        grows with the sound: give long ones in parts that begin at multiples of STEP.

        Args:
            samples: Sound at 16 kHz, full scale -1 to 1.
            at_once: Windows that go through the network together.

        Shape:
            - samples: (*, frames), float32
            - Output: (*, windows, 521) in [0, 1]
        """
        found: Tensor = self.head(self.embeddings(samples, at_once)).sigmoid()
        return found

    @torch.inference_mode()
    def embeddings(self, samples: Tensor, at_once: int = 32) -> Tensor:
        """What the network makes of the same windows before it names them: (*, windows, 1024)."""
        *batch, frames = samples.shape
        patches = log_mel_patches(samples.reshape(-1, frames))
        flat = patches.reshape(-1, 1, PATCH, BANDS)
        means = torch.cat([self.net.embed(part) for part in torch.split(flat, at_once)])
        return means.reshape(*batch, patches.shape[1], -1)

    def top(self, scores: Tensor, count: int) -> list[list[str]]:
        """Names of the highest scores of each row, best first; scores: (rows, 521)."""
        return [[self.classes[i] for i in row] for row in scores.topk(count).indices.tolist()]


class _Config(BaseModel):
    """The tagger's `config.json`."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")
    classes: list[str] = Field(min_length=CLASSES, max_length=CLASSES)


def load_tagger(folder: Path | None = None) -> Tagger:
    """The tagger, on the processor.

    Args:
        folder: Where `model.safetensors` and `config.json` lie; by default in this package.

    Raises:
        WeightsAbsent: they are not there.
        BadInput: they are damaged.
    """
    folder = shipped("The tagger", folder or package_folder(FOLDER), WEIGHTS, "training.train tagger")
    where = folder / CONFIG
    config = settings_of(_Config, read_json(where), str(where))
    net = YamNet().to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a third quicker
    load_weights(net, folder / WEIGHTS)
    return Tagger(net.eval().requires_grad_(False), tuple(config.classes))


def log_mel_patches(samples: Tensor) -> Tensor:
    """The network's view of a sound; short or odd ends are padded with silence to a whole window.

    Shape:
        - Input: (batch, frames)
        - Output: (batch, windows, 96, 64)

    >>> log_mel_patches(torch.zeros(2, 16_000)).shape
    torch.Size([2, 2, 96, 64])
    """
    windows = 1 + math.ceil(max(samples.shape[1] - SPAN, 0) / STEP)
    samples = F.pad(samples, (0, max(SPAN + (windows - 1) * STEP - samples.shape[1], 0)))
    frames = samples.unfold(1, WINDOW, HOP) * torch.hann_window(WINDOW)
    mel = torch.fft.rfft(frames, FFT).abs() @ mel_bank()
    patches: Tensor = (mel + FLOOR).log().unfold(1, PATCH, PATCH_HOP).transpose(2, 3)
    return patches


def mel_bank() -> Tensor:
    """Triangles of peak one, evenly spaced on the mel scale 1127 ln(1 + f / 700); shape (257, 64)."""

    def mel(hz: Tensor) -> Tensor:
        return 1127 * torch.log1p(hz / 700)

    bins = mel(torch.linspace(0, RATE_HZ / 2, FFT // 2 + 1))[:, None]
    low, high = mel(torch.tensor([LOW_HZ, HIGH_HZ]))
    edges = torch.linspace(float(low), float(high), BANDS + 2)
    width = edges[1] - edges[0]
    bank = (1 - (bins - edges[1:-1]).abs() / width).clamp(min=0)
    bank[0] = 0  # the constant part of a sound is not heard
    return bank
