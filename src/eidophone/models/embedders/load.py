"""From a name to an embedder."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from eidophone.core.errors import BadInput
from eidophone.media.vocoder_files import read_json
from eidophone.models.cards import package_folder, quoted
from eidophone.models.checkpoint import NetworkFiles, find_network, reader_of
from eidophone.models.components import checked, settled
from eidophone.models.embedders.contract import Embedder

DEFAULT_EMBEDDER = "tiny"


def load_embedder(name: str, device: torch.device, *, offline: bool = False) -> Embedder:
    """The embedder of a name: a card, a folder in transformers' layout, a checkpoint file or a hub id.

    In float32, ready to use, without gradients for its weights.

    Raises:
        UnknownModel, WeightsAbsent, BadInput: see `models.checkpoint.find_network`; also a network of
            another kind.
    """
    return embedder_of(find_network(name, "embedder", offline=offline), device)


def embedder_of(found: NetworkFiles, device: torch.device) -> Embedder:
    """The embedder in files that were found.

    Raises:
        BadInput: they are damaged, or hold a network of another kind.
    """
    return reader_of(found, KINDS)(found, device)


def _clip(found: NetworkFiles, device: torch.device) -> Embedder:
    from transformers import CLIPModel

    from eidophone.models.embedders.clip import ClipEmbedder, Preprocessing

    network = _network(CLIPModel, found.path, device)
    tokenizer = _clip_words(found.path)
    seen = Preprocessing(side=network.config.vision_config.image_size)
    settings = found.path / "preprocessor_config.json"
    if settings.is_file() and isinstance(facts := read_json(settings), dict):
        mean, std = (tuple(facts.get(f"image_{key}", getattr(seen, key))) for key in ("mean", "std"))
        seen = Preprocessing(seen.side, mean, std)
    return ClipEmbedder(found.name, network, tokenizer, seen)


def _clap(found: NetworkFiles, device: torch.device) -> Embedder:
    from transformers import AutoTokenizer, ClapFeatureExtractor, ClapModel

    from eidophone.models.embedders.clap import ClapEmbedder

    network = _network(ClapModel, found.path, device)
    if network.config.audio_config.enable_fusion:
        raise BadInput(
            f"{quoted(found.name)}: a fused CLAP crops at random; choose an unfused one like clap."
        )
    tokenizer = checked(found.path, lambda: AutoTokenizer.from_pretrained(found.path, local_files_only=True))
    extractor = checked(
        found.path, lambda: ClapFeatureExtractor.from_pretrained(found.path, local_files_only=True)
    )
    return ClapEmbedder(found.name, network, tokenizer, extractor)


def _audioclip(found: NetworkFiles, device: torch.device) -> Embedder:
    from eidophone.models.embedders.audioclip import AudioClipEmbedder, read_audioclip

    return AudioClipEmbedder(
        found.name,
        read_audioclip(found.path, device),
        _clip_words(package_folder("layouts/sd15") / "tokenizer"),
    )


def _joint(found: NetworkFiles, device: torch.device) -> Embedder:
    from eidophone.models.embedders.tiny import load_tiny

    return load_tiny(found.path, device)


def _clip_words(folder: Path) -> Any:
    from transformers import CLIPTokenizer

    return checked(folder, lambda: CLIPTokenizer.from_pretrained(folder, local_files_only=True))


def _network(kind: Any, folder: Path, device: torch.device) -> Any:
    how = {"dtype": torch.float32, "local_files_only": True}
    return settled(checked(folder, lambda: kind.from_pretrained(folder, **how)), device)


#: Which code reads which kind of checkpoint.
KINDS: dict[str, Callable[[NetworkFiles, torch.device], Embedder]] = {
    "clip": _clip,
    "clap": _clap,
    "audioclip": _audioclip,
    "joint": _joint,
}
