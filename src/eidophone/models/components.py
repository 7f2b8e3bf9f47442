"""Loads the parts of a model from a folder in diffusers' layout or from a single file.

The only module that names classes of diffusers and transformers. Weights that could run code while
they are read are refused by the loaders it uses.
"""

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import torch

from eidophone.errors import BadInput
from eidophone.models.latent import TextEncoder
from eidophone.models.single_file import text_encoder_in
from eidophone.models.source import Source

Part = TypeVar("Part")


def load_unet(source: Source, dtype: torch.dtype, device: torch.device) -> Any:
    """The U-Net, ready to use, without gradients for its weights."""
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    return _settled(_network(UNet2DConditionModel, "unet", source, dtype), device)


def load_vae(source: Source, dtype: torch.dtype, device: torch.device) -> Any:
    """The VAE, ready to use."""
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    return _settled(_network(AutoencoderKL, "vae", source, dtype), device)


def load_text_encoder(source: Source, dtype: torch.dtype, device: torch.device) -> TextEncoder:
    """The text encoder with its tokenizer, ready to use."""
    from transformers import CLIPTextModel, CLIPTokenizer

    folder, words = source.part("text_encoder"), source.part("tokenizer")
    _need(folder, source)
    _need(words, source)
    if source.single:
        network = _checked(source.single, lambda: text_encoder_in(source.single, folder, dtype))
    else:
        how = {"dtype": dtype, "local_files_only": True, "variant": _variant(folder)}
        network = _checked(folder, lambda: CLIPTextModel.from_pretrained(folder, **how))
    tokenizer = _checked(words, lambda: CLIPTokenizer.from_pretrained(words, local_files_only=True))
    return TextEncoder(tokenizer, _settled(network, device))


def load_schedule(source: Source) -> dict[str, Any]:
    """The facts in `scheduler/scheduler_config.json`."""
    path = source.part("scheduler") / "scheduler_config.json"
    try:
        config: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise BadInput(f"{path}: not readable as a scheduler's settings ({error}).") from error
    return config


def _need(folder: Path, source: Source) -> None:
    if not folder.is_dir():
        raise BadInput(f"{source.name}: {folder.name}/ is missing in {folder.parent}.")


def _network(kind: Any, part: str, source: Source, dtype: torch.dtype) -> Any:
    """A network of diffusers, from its folder or from the single file."""
    folder = source.part(part)
    _need(folder, source)
    how = {
        "torch_dtype": dtype,
        "local_files_only": True,
        # quicker and leaner, where accelerate is installed; diffusers would warn where it is not
        "low_cpu_mem_usage": find_spec("accelerate") is not None,
    }
    if source.single:
        where = {"config": str(folder.parent), "subfolder": part, **how}
        return _checked(source.single, lambda: kind.from_single_file(str(source.single), **where))
    return _checked(folder, lambda: kind.from_pretrained(folder, variant=_variant(folder), **how))


def _variant(folder: Path) -> str | None:
    """The variant that a folder with nothing but half-precision weights must be asked for."""
    weights = [p.name for p in folder.iterdir() if p.suffix in (".safetensors", ".bin")]
    plain = [name for name in weights if name.count(".") == 1 or "-of-" in name]
    return None if plain or not weights else sorted(weights)[0].split(".")[1]


def _checked(place: Path, load: Callable[[], Part]) -> Part:
    """Calls a loader of a foreign library, without its chatter; says what it did not like."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        return load()
    except Exception as error:  # foreign loaders raise many kinds; each means: not loadable
        first = str(error).strip().splitlines()
        raise BadInput(
            f"{place}: not loadable; damaged, of another layout, or wanting to run code "
            f"({type(error).__name__}: {first[0] if first else ''})."
        ) from error
    finally:
        if shown:
            logging.enable_progress_bar()


def _settled(network: Any, device: torch.device) -> Any:
    return network.to(device).eval().requires_grad_(False)
