"""Captions made of the tags of the built-in tagger."""

import torch

from eidophone.models.captioners.contract import Captioner
from eidophone.models.checkpoint import NetworkFiles
from eidophone.models.kinds import NetworkKind


def _read(found: NetworkFiles, _: torch.device) -> Captioner:
    from eidophone.models.captioners.tagged import load_tagged

    return load_tagged(found.path)  # small, so it stays on the CPU


CAPTIONER = NetworkKind(_read, "Captions made of the tags of the built-in tagger")
