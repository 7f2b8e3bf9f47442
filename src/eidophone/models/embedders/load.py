"""From a name to an embedder."""

import torch

from eidophone.models.checkpoint import NetworkFiles, find_network, reader_of
from eidophone.models.embedders.contract import Embedder
from eidophone.models.kinds import EMBEDDERS, network_kind

DEFAULT_EMBEDDER = "tiny"
KINDS = EMBEDDERS


def load_embedder(name: str, device: torch.device, *, offline: bool = False) -> Embedder:
    """An embedder by its name: registered, a card, a folder in transformers' layout, a checkpoint file or a hub id.

    In float32, ready to use, without gradients for its weights.

    Raises:
        UnknownModel, WeightsAbsent, BadInput: see `models.checkpoint.find_network`; also if the network is not an
            embedder.
    """
    return embedder_of(find_network(name, "embedder", offline=offline), device)


def embedder_of(found: NetworkFiles, device: torch.device) -> Embedder:
    """The embedder in files that were found.

    Raises:
        BadInput: they are damaged, or hold another kind of network.
    """
    embedder: Embedder = network_kind(EMBEDDERS, reader_of(found, EMBEDDERS)).read(found, device)
    return embedder
