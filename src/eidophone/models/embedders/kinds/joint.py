"""The built-in embedder of pictures, sounds and words."""

import torch

from eidophone.models.checkpoint import NetworkFiles
from eidophone.models.embedders.contract import Embedder
from eidophone.models.kinds import NetworkKind


def _read(found: NetworkFiles, device: torch.device) -> Embedder:
    from eidophone.models.embedders.tiny import load_tiny

    return load_tiny(found.path, device)


EMBEDDER = NetworkKind(_read, "The built-in embedder of pictures, sounds and words")
