"""From a name to a captioner."""

import torch

from eidophone.models.captioners.contract import Captioner
from eidophone.models.checkpoint import NetworkFiles, find_network, reader_of
from eidophone.models.kinds import CAPTIONERS, network_kind

DEFAULT_CAPTIONER = "tiny"
KINDS = CAPTIONERS


def load_captioner(name: str, device: torch.device, *, offline: bool = False) -> Captioner:
    """A captioner by its name: registered, a card, a folder in transformers' layout, a checkpoint file or a hub id.

    Raises:
        UnknownModel, WeightsAbsent, BadInput: see `models.checkpoint.find_network`; also if the network is not a
            captioner.
    """
    return captioner_of(find_network(name, "captioner", offline=offline), device)


def captioner_of(found: NetworkFiles, device: torch.device) -> Captioner:
    """The captioner in files that were found.

    Raises:
        BadInput: they are damaged, or hold another kind of network.
    """
    captioner: Captioner = network_kind(CAPTIONERS, reader_of(found, CAPTIONERS)).read(found, device)
    return captioner
