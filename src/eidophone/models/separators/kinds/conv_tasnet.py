"""Conv-TasNet in Asteroid's layout."""

import torch

from eidophone.models.checkpoint import NetworkFiles
from eidophone.models.kinds import NetworkKind
from eidophone.models.separators.contract import Separator


def _read(found: NetworkFiles, device: torch.device) -> Separator:
    from eidophone.models.separators.conv_tasnet import load_conv_tasnet

    return load_conv_tasnet(found.name, found.path, device)


SEPARATOR = NetworkKind(_read, "Conv-TasNet in Asteroid's layout")
