"""The Audio Captioning Transformer, beam search of size 2."""

import torch

from eidophone.models.captioners.contract import Captioner
from eidophone.models.checkpoint import NetworkFiles
from eidophone.models.kinds import NetworkKind


def _read(found: NetworkFiles, device: torch.device) -> Captioner:
    from eidophone.models.captioners.act import load_act

    return load_act(found.name, found.path, device, beams=2)


CAPTIONER = NetworkKind(_read, "The Audio Captioning Transformer, beam search of size 2")
