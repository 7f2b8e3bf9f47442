"""CLIP of transformers."""

import torch

from eidophone.media.vocoder_files import read_json
from eidophone.models.checkpoint import NetworkFiles
from eidophone.models.embedders.contract import Embedder
from eidophone.models.embedders.parts import clip_words, network_of
from eidophone.models.kinds import NetworkKind


def _read(found: NetworkFiles, device: torch.device) -> Embedder:
    from transformers import CLIPModel

    from eidophone.models.embedders.clip import ClipEmbedder, Preprocessing

    network = network_of(CLIPModel, found.path, device)
    tokenizer = clip_words(found.path)
    seen = Preprocessing(side=network.config.vision_config.image_size)
    settings = found.path / "preprocessor_config.json"
    if settings.is_file() and isinstance(facts := read_json(settings), dict):
        mean, std = (tuple(facts.get(f"image_{key}", getattr(seen, key))) for key in ("mean", "std"))
        seen = Preprocessing(seen.side, mean, std)
    return ClipEmbedder(found.name, network, tokenizer, seen)


EMBEDDER = NetworkKind(_read, "CLIP of transformers")
