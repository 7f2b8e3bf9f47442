"""A second ear: aiSFX (Ma and Lerch, ISMIR 2022) with a linear probe for the concepts of the sound pack.

    pip install --no-deps aisfx==0.1.2
    python -m benchmarks.second_ear --work WORK      trains the probe, prints how often it is right

Its network was trained on sound effects libraries. It took no part in training or choosing anything here, so it can
contradict the tagger, which did. Its weights are CC BY 4.0 and do not ship. The probe learns the windows
of the sound pack's training split, played as the family plays them, and is measured on the development split.
"""

import argparse
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soxr
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers.audio_utils import mel_filter_bank

from eidophone.core.values import Floats
from eidophone.media.spectrogram import log_mel_from_picture
from training.cache import cached_arrays
from training.config import HERE
from training.data.clips import at_peak
from training.data.scenes import as_light
from training.mel import PLAYER, SPEC

RATE_HZ, BLOCK, HOP, BANDS = 44_100, 2048, 1024, 96
#: The network sees so many frames at a time (2.3 s), half of them shared with its neighbour.
FRAMES = 100
#: Largest value of log10(10,000 x + 1) in its training material; the smallest is 0.
LARGEST = 9.457798957824707
WIDTH = 512
AT_ONCE = 16
#: Right: the concept is among its first guesses of 45.
TOP = 3
STEPS, RATE, DECAY = 400, 0.02, 0.02


def network() -> nn.Module:
    """The network with its weights, from the package.

    Raises:
        SystemExit: the package is not installed.
    """
    found = importlib.util.find_spec("aisfx")
    if found is None or found.origin is None:
        raise SystemExit("The second ear needs a package: pip install --no-deps aisfx==0.1.2")
    folder = Path(found.origin).parent / "models"
    # the package's own __init__ imports libraries that nothing here needs
    spec = importlib.util.spec_from_file_location("aisfx_cnn2d", folder / "cnn2d.py")
    assert spec is not None and spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    # beside the weights, the file holds numbers of numpy, and code for nothing else is loaded
    allowed = [np._core.multiarray.scalar, np.dtype, type(np.dtype(np.int64)), type(np.dtype(np.float64))]
    with torch.serialization.safe_globals([(allowed[0], "numpy.core.multiarray.scalar"), *allowed[1:]]):
        weights, _ = torch.load(folder / "checkpoint.pth", map_location="cpu", weights_only=True)
    net: nn.Module = module.EmbeddingNet("max", 3, 1, 64)
    prefix = "embedding_net."
    net.load_state_dict({k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)})
    return net.eval().requires_grad_(False)


def filters() -> Tensor:
    """The mel bank, (BLOCK // 2 + 1, BANDS): HTK's scale, triangles of equal area."""
    bank = mel_filter_bank(
        BLOCK // 2 + 1, BANDS, 0.0, RATE_HZ / 2, RATE_HZ, norm=None, mel_scale="htk"
    ).astype(np.float32)
    return torch.from_numpy(bank / np.maximum(bank.sum(0), 1e-9))


@dataclass
class SecondEar:
    """Hears which of some concepts a sound is.

    Attributes:
        names: The concepts.
        net: Embeds.
        weight, bias: Of the probe, (names, WIDTH) and (names,).
        mean, scale: Of the embeddings that the probe learned from, (WIDTH,).
    """

    names: list[str]
    net: nn.Module
    weight: Tensor
    bias: Tensor
    mean: Tensor
    scale: Tensor

    @classmethod
    def load(cls, work: Path) -> "SecondEar":
        """The ear with a probe trained on a work folder's sound pack; the probe is kept there."""
        net, data = network(), np.load(work / "sounds.npz")
        names = [str(name) for name in data["concepts"]]

        def _probe() -> dict[str, np.ndarray]:
            chosen = data["split"] == 0
            found = embedded(net, data["pictures"][chosen])
            return probe(found, torch.from_numpy(data["concept"][chosen]).long(), len(names))

        kept = cached_arrays(work / "second-ear.npz", _probe)
        return cls(names, net, *(torch.from_numpy(kept[k]) for k in ("weight", "bias", "mean", "scale")))

    def logits(self, embeddings: Tensor) -> Tensor:
        """(N, names) of embeddings (N, WIDTH)."""
        return F.linear((embeddings - self.mean) / self.scale, self.weight, self.bias)

    def heard(self, samples: Floats, rate_hz: int, concept: str) -> bool:
        """Whether the concept is among its first guesses for a sound, (frames,)."""
        found = self.logits(embed(self.net, samples, rate_hz)[None])[0]
        return self.names.index(concept) in found.topk(TOP).indices.tolist()


@torch.inference_mode()
def embed(net: nn.Module, samples: Floats, rate_hz: int) -> Tensor:
    """The mean embedding of a sound, (frames,): (WIDTH,)."""
    sound = torch.from_numpy(at_peak(soxr.resample(samples, rate_hz, RATE_HZ), 1.0))
    spectrum = torch.stft(sound, BLOCK, HOP, window=torch.hann_window(BLOCK), return_complex=True)
    power = spectrum.abs().square().T @ filters()
    frames = (torch.log10(10_000 * power + 1) / LARGEST).float()
    if len(frames) < FRAMES:
        frames = F.pad(frames, (0, 0, 0, FRAMES - len(frames)))
    found: Tensor = net(frames.unfold(0, FRAMES, FRAMES // 2).transpose(1, 2)).mean(0)
    return found


def embedded(net: nn.Module, pictures: np.ndarray) -> Tensor:
    """Embeddings of mel pictures, uint8 (N, height, width), played as the family plays them: (N, WIDTH)."""
    out = []
    for first in range(0, len(pictures), AT_ONCE):
        sounds = PLAYER(log_mel_from_picture(as_light(pictures[first : first + AT_ONCE]), SPEC)).numpy()
        out += [embed(net, sound, SPEC.rate_hz) for sound in sounds]
    return torch.stack(out)


def probe(embeddings: Tensor, labels: Tensor, count: int) -> dict[str, np.ndarray]:
    """A linear classifier of embeddings (N, WIDTH), every concept weighing the same."""
    torch.manual_seed(0)
    mean, scale = embeddings.mean(0), embeddings.std(0) + 1e-4
    layer = nn.Linear(embeddings.shape[1], count)
    weight = 1 / labels.bincount(minlength=count).clamp(min=1).float()
    optimizer = torch.optim.AdamW(layer.parameters(), RATE, weight_decay=DECAY)
    for _ in range(STEPS):
        loss = F.cross_entropy(layer((embeddings - mean) / scale), labels, weight, label_smoothing=0.1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    weights = {"weight": layer.weight, "bias": layer.bias, "mean": mean, "scale": scale}
    return {name: value.detach().numpy() for name, value in weights.items()}


def main() -> None:
    """Measures the ear on the development split."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=HERE / "work" / "laptop", help="where sounds.npz lies")
    work = parser.parse_args().work
    ear, data = SecondEar.load(work), np.load(work / "sounds.npz")
    chosen = data["split"] == 1
    found = ear.logits(embedded(ear.net, data["pictures"][chosen]))
    right = torch.from_numpy(data["concept"][chosen]).long()[:, None]
    for count in (1, TOP):
        share = (found.topk(count).indices == right).any(1).float().mean()
        print(f"{share:7.1%}  right of {len(ear.names)} among its first {count}, {len(right)} unseen windows")


if __name__ == "__main__":
    main()
