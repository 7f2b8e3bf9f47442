"""A small decoder in TAESD's layout: from the latents of a big model to pictures, fast enough for previews.

TAESD (Bohan, 2023) is a distilled autoencoder of 1.2 million parameters a half, for the latents of Stable Diffusion
1.x and 2.x. It reads latents as the U-Net has them, without the VAE's scaling factor.
"""

from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from eidophone.core.errors import BadInput, EidophoneError
from eidophone.media.vocoder_files import read_json
from eidophone.models.checkpoint import NetworkFiles, find_network
from eidophone.models.components import settled
from eidophone.models.pretrained import check_keys, checked, pretrained

#: The kind of a card, a folder or a file in the role "preview".
KIND = "taesd"
#: A decoder with more parameters than this is too slow to run for a preview, TAESD's aside.
_MOST_WEIGHTS = 1_000_000
_SD_CHANNELS, _SD_SCALING = 4, 0.18215


def is_small(vae: Any) -> bool:
    """Whether a VAE is quick enough to decode previews itself."""
    weights: int = sum(weight.numel() for weight in vae.parameters())
    return weights <= _MOST_WEIGHTS


def suggested(vae: Any) -> str:
    """The card of the preview decoder that fits a VAE; "" if none is known.

    SDXL's VAE also has four channels, but another scaling factor: its latents look different.
    """
    config = vae.config
    fits = config.get("latent_channels") == _SD_CHANNELS and config.get("scaling_factor") == _SD_SCALING
    return "taesd" if fits else ""


def find_if_here(name: str) -> NetworkFiles | None:
    """The files of a preview decoder, if they are on this machine; a preview is not worth a download."""
    try:
        return find_network(name, "preview", offline=True)
    except EidophoneError:
        return None


def load_small_decoder(found: NetworkFiles, device: torch.device) -> Any:
    """The autoencoder of diffusers, in float32; of a file that holds only a decoder, only that half is trained.

    Args:
        found: A folder in diffusers' layout, or a .safetensors file with the original names of the decoder.
        device: Of the network.

    Raises:
        BadInput: it is neither.
    """
    from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny

    if found.path.is_file():
        return settled(_from_original(found.path, AutoencoderTiny), device)
    config = read_json(found.path / "config.json")
    said = config.get("_class_name") if isinstance(config, dict) else None
    if said != "AutoencoderTiny":
        raise BadInput(f"{found.path}: holds {said!r}; a preview decoder is an AutoencoderTiny of diffusers.")
    how = {"torch_dtype": torch.float32, "low_cpu_mem_usage": True}
    return settled(pretrained(AutoencoderTiny, found.path, **how), device)


def _from_original(path: Path, kind: Any) -> Any:
    """The published decoder numbers its layers from 1, because layer 0 clamps and has no weights."""

    def read() -> dict[str, Tensor]:
        with safe_open(str(path), "pt") as file:
            return {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118

    state = checked(path, read)
    network = kind()
    expected = {_original(key): key for key in network.decoder.state_dict()}
    shapes = {old: tuple(network.decoder.state_dict()[new].shape) for old, new in expected.items()}
    check_keys(path, shapes, state)
    network.decoder.load_state_dict({expected[key]: values for key, values in state.items()})
    return network


def _original(key: str) -> str:
    """`layers.0.weight` -> `1.weight`."""
    _, number, rest = key.split(".", 2)
    return f"{int(number) + 1}.{rest}"


def decoded(decoder: Any, latents: Tensor) -> Tensor:
    """Pictures of latents, (batch, 3, height, width) in [0, 1], float32, on the CPU."""
    pixels = decoder.decode(latents.to(decoder.device, decoder.dtype), return_dict=False)[0]
    found: Tensor = (pixels.float() / 2 + 0.5).clamp(0, 1).cpu()
    return found
