"""From a name to a captioner."""

from collections.abc import Callable

import torch

from eidophone.models.captioners.contract import Captioner
from eidophone.models.checkpoint import NetworkFiles, find_network, reader_of

DEFAULT_CAPTIONER = "tiny"


def load_captioner(name: str, device: torch.device, *, offline: bool = False) -> Captioner:
    """The captioner of a name: a card, a folder in transformers' layout, a checkpoint file or a hub id.

    Raises:
        UnknownModel, WeightsAbsent, BadInput: see `models.checkpoint.find_network`; also a network of
            another kind.
    """
    return captioner_of(find_network(name, "captioner", offline=offline), device)


def captioner_of(found: NetworkFiles, device: torch.device) -> Captioner:
    """The captioner in files that were found.

    Raises:
        BadInput: they are damaged, or hold a network of another kind.
    """
    return reader_of(found, KINDS)(found, device)


def _tagged(found: NetworkFiles, _: torch.device) -> Captioner:
    from eidophone.models.captioners.tagged import load_tagged

    return load_tagged(found.path)  # small: on the processor, whatever the device


def _act(found: NetworkFiles, device: torch.device) -> Captioner:
    from eidophone.models.captioners.act import load_act

    return load_act(found.name, found.path, device)


def _whisper(found: NetworkFiles, device: torch.device) -> Captioner:
    from eidophone.models.captioners.generated import load_whisper

    return load_whisper(found.name, found.path, device)


def _qwen2_audio(found: NetworkFiles, device: torch.device) -> Captioner:
    from eidophone.models.captioners.generated import load_qwen2_audio

    return load_qwen2_audio(found.name, found.path, device)


#: Which code reads which kind of checkpoint; those of transformers have the names of its model types.
KINDS: dict[str, Callable[[NetworkFiles, torch.device], Captioner]] = {
    "tagged": _tagged,
    "act": _act,
    "whisper": _whisper,
    "qwen2_audio": _qwen2_audio,
}
