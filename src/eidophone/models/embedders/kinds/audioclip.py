"""AudioCLIP in its published checkpoint."""

import torch

from eidophone.models.cards import package_folder
from eidophone.models.checkpoint import NetworkFiles
from eidophone.models.embedders.contract import Embedder
from eidophone.models.embedders.parts import clip_words
from eidophone.models.kinds import NetworkKind


def _read(found: NetworkFiles, device: torch.device) -> Embedder:
    from eidophone.models.embedders.audioclip import AudioClipEmbedder, read_audioclip

    return AudioClipEmbedder(
        found.name,
        read_audioclip(found.path, device),
        clip_words(package_folder("layouts/sd15") / "tokenizer"),
    )


EMBEDDER = NetworkKind(_read, "AudioCLIP in its published checkpoint")
