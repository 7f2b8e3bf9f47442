"""Whisper-type audio captioners of transformers."""

import torch

from eidophone.models.captioners.contract import Captioner
from eidophone.models.checkpoint import NetworkFiles
from eidophone.models.kinds import NetworkKind


def _read(found: NetworkFiles, device: torch.device) -> Captioner:
    from eidophone.models.captioners.generated import load_whisper

    return load_whisper(found.name, found.path, device)


CAPTIONER = NetworkKind(_read, "Whisper-type audio captioners of transformers")
