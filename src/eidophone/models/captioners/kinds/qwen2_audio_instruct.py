"""Qwen2-Audio of transformers, tuned to answer."""

import torch

from eidophone.models.captioners.contract import Captioner
from eidophone.models.checkpoint import NetworkFiles
from eidophone.models.kinds import NetworkKind

_NETWORK, _PROCESSOR = "Qwen2AudioForConditionalGeneration", "Qwen2AudioProcessor"


def _read(found: NetworkFiles, device: torch.device) -> Captioner:
    from eidophone.models.captioners.generated import load_conversing

    return load_conversing(found.name, found.path, device, _NETWORK, _PROCESSOR)


CAPTIONER = NetworkKind(_read, "Qwen2-Audio of transformers, tuned to answer")
