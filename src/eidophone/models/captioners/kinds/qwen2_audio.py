"""Qwen2-Audio of transformers."""

import torch

from eidophone.models.captioners.contract import Captioner
from eidophone.models.checkpoint import NetworkFiles
from eidophone.models.kinds import NetworkKind


def _read(found: NetworkFiles, device: torch.device) -> Captioner:
    from eidophone.models.captioners.generated import load_qwen2_audio

    return load_qwen2_audio(found.name, found.path, device)


CAPTIONER = NetworkKind(_read, "Qwen2-Audio of transformers")
