"""From a name to a separator."""

import torch

from eidophone.models.checkpoint import NetworkFiles, reader_of
from eidophone.models.kinds import SEPARATORS, network_kind
from eidophone.models.separators.contract import Separator


def separator_of(found: NetworkFiles, device: torch.device) -> Separator:
    """The separator in files that were found (`models.checkpoint.find_network`).

    Raises:
        BadInput: they are damaged, or hold another kind of network.
    """
    separator: Separator = network_kind(SEPARATORS, reader_of(found, SEPARATORS)).read(found, device)
    return separator
