"""Reads networks straight from their folders: settings from JSON, weights from safetensors."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from eidophone.media.vocoder_files import read_json
from eidophone.models.device import out_of_memory
from eidophone.models.networks.base import CONFIG_FILE, Network
from eidophone.models.networks.config import check_layers
from eidophone.models.weights import chosen_weights

AnyNetwork = TypeVar("AnyNetwork", bound=Network)


def read_network(kind: type[AnyNetwork], folder: Path, dtype: torch.dtype) -> AnyNetwork | None:
    """The network in a folder; None if it is not of this kind, or not stored as safetensors.

    A damaged file also gives None, so that the general loader says what is wrong with it.

    Raises:
        BadInput: the settings ask for more layers than any network has.
    """
    if not (folder / CONFIG_FILE).is_file():
        return None
    config = read_json(folder / CONFIG_FILE)
    check_layers(config, str(folder / CONFIG_FILE))
    if not isinstance(config, dict) or not _understood(kind, config):
        return None
    files = [folder / name for name in chosen_weights(path.name for path in folder.iterdir())]
    if not files or any(file.suffix != ".safetensors" for file in files):
        return None
    try:
        return filled(kind, config, _weights(files, dtype))
    except Exception as error:  # damaged weights, or settings that describe no network, in many ways
        if isinstance(error, MemoryError) or out_of_memory(error):
            raise
        return None


def rebuilt(kind: type[AnyNetwork], network: Any) -> AnyNetwork | Any:
    """A network of diffusers or transformers as one of ours, with the same weights; itself if it cannot be."""
    config = dict(network.config) if isinstance(network.config, Mapping) else network.config.to_dict()
    if not _understood(kind, config):
        return network
    try:
        return filled(kind, config, {_plain(name): value for name, value in network.state_dict().items()})
    except RuntimeError:
        return network


def filled(kind: type[AnyNetwork], config: Mapping[str, Any], state: dict[str, Tensor]) -> AnyNetwork:
    """A network with these settings and weights.

    Raises:
        RuntimeError: other names or shapes.
    """
    network = empty(kind, config)
    network.load_state_dict(state, strict=True, assign=True)
    return network.eval().requires_grad_(False)


class _Unfilled(TorchFunctionMode):
    """Skips random weights; drawing them without memory (on "meta") would import torch's compiler."""

    def __torch_function__(
        self, function: Any, _: Any, given: tuple[Any, ...] = (), named: dict[str, Any] | None = None
    ) -> Any:
        named = named or {}
        if getattr(function, "__module__", "") == torch.nn.init.__name__:
            return given[0] if given else named["tensor"]
        return function(*given, **named)


def empty(kind: type[AnyNetwork], config: Mapping[str, Any]) -> AnyNetwork:
    """A network with the names and shapes of its weights, but no memory for them."""
    with torch.device("meta"), _Unfilled():
        return kind.from_config(config)


def _understood(kind: type[Network], config: Mapping[str, Any]) -> bool:
    try:
        return kind.understands(config)
    except (AttributeError, IndexError, TypeError):  # settings of an impossible kind
        return False


def _weights(files: list[Path], dtype: torch.dtype) -> dict[str, Tensor]:
    from safetensors import safe_open

    found: dict[str, Tensor] = {}
    for path in files:
        with safe_open(str(path), "pt") as file:
            for name in file.keys():  # noqa: SIM118
                value = file.get_tensor(name)
                found[_plain(name)] = value.to(dtype) if value.is_floating_point() else value
    found.pop("embeddings.position_ids", None)  # counts from 0; older files store it
    return found


def _plain(name: str) -> str:
    # transformers before 5 wrapped all parts of CLIP's text encoder in `text_model`
    return name.removeprefix("text_model.")
