"""What benchmarks play and show at best: real mel pictures, what the codec leaves of them, drawn canvases."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.pairs import picture_side, sound_side
from eidophone.verbs.compose.options import ComposeOptions
from eidophone.verbs.shared.context import Context
from eidophone.verbs.shared.models import load_models
from training.config import Run
from training.data import examples
from training.data.canvas import canvas
from training.networks.embedder import windows


def real(work: Path, clips: int) -> tuple[Tensor, list[str]]:
    """Development windows of the thirty sounds, (N, bands, columns) in [0, 1], and their concepts."""
    pictures, names = windows(Run.open("laptop", work, "cpu"), development=True)
    rows = [i for name in sound_side() for i in [n for n, other in enumerate(names) if other == name][:clips]]
    return torch.from_numpy(pictures[rows]).float() / 255, [names[i] for i in rows]


def coded(gray: Tensor) -> Tensor:
    """Mel pictures after the family's codec, as the audio model would make them at best."""
    loaded, _ = load_models(ComposeOptions.make(), Context())
    assert loaded.image is not None
    codec = loaded.image.vae
    with torch.inference_mode():
        parts = [codec.encode(2 * part[:, None].expand(-1, 3, -1, -1) - 1) for part in gray.split(8)]
        made = torch.cat([codec.decode(code.latent_dist.mean).sample.mean(1) for code in parts])
    return (made / 2 + 0.5).clamp(0, 1)


def drawn(work: Path, each: int) -> Iterator[tuple[str, np.ndarray]]:
    """Concepts and simple canvases, (height, width) in [0, 1], as the image model learned from."""
    pack = examples.pack(Run.open("further", work, "cpu"))
    for number, concept in enumerate(picture_side()):
        for more in range(each):
            yield concept, canvas(pack, (9, each * number + more), concept, None, simple=True).picture
