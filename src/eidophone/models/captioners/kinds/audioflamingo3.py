"""Audio Flamingo 3 of transformers."""

import torch

from eidophone.models.captioners.contract import Captioner
from eidophone.models.checkpoint import NetworkFiles
from eidophone.models.kinds import NetworkKind

_NETWORK, _PROCESSOR = "AudioFlamingo3ForConditionalGeneration", "AudioFlamingo3Processor"


def _read(found: NetworkFiles, device: torch.device) -> Captioner:
    from eidophone.models.captioners.generated import load_conversing

    return load_conversing(found.name, found.path, device, _NETWORK, _PROCESSOR)


CAPTIONER = NetworkKind(_read, "Audio Flamingo 3 of transformers")
