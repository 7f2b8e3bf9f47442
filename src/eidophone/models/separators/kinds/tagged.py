"""Masks from the classes of the built-in tagger."""

import torch

from eidophone.models.checkpoint import NetworkFiles
from eidophone.models.kinds import NetworkKind
from eidophone.models.separators.contract import Separator


def _read(found: NetworkFiles, _: torch.device) -> Separator:
    from eidophone.models.separators.masks import load_masks

    return load_masks(found.path)  # small, so it stays on the CPU


SEPARATOR = NetworkKind(_read, "Masks from the classes of the built-in tagger")
