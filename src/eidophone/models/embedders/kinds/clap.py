"""CLAP of transformers."""

import torch

from eidophone.core.errors import BadInput
from eidophone.models.cards import quoted
from eidophone.models.checkpoint import NetworkFiles
from eidophone.models.embedders.contract import Embedder
from eidophone.models.embedders.parts import network_of
from eidophone.models.kinds import NetworkKind
from eidophone.models.pretrained import checked


def _read(found: NetworkFiles, device: torch.device) -> Embedder:
    from transformers import AutoTokenizer, ClapFeatureExtractor, ClapModel

    from eidophone.models.embedders.clap import ClapEmbedder

    network = network_of(ClapModel, found.path, device)
    if network.config.audio_config.enable_fusion:
        raise BadInput(
            f"{quoted(found.name)}: a fused CLAP crops at random; choose an unfused one like clap."
        )
    tokenizer = checked(found.path, lambda: AutoTokenizer.from_pretrained(found.path, local_files_only=True))
    extractor = checked(
        found.path, lambda: ClapFeatureExtractor.from_pretrained(found.path, local_files_only=True)
    )
    return ClapEmbedder(found.name, network, tokenizer, extractor)


EMBEDDER = NetworkKind(_read, "CLAP of transformers")
