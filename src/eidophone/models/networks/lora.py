"""LoRA files (Hu et al., 2022, arXiv:2106.09685), fused into the weights of a U-Net and a text encoder.

A LoRA holds, for some layers, two narrow matrices whose product is added to the layer's weight. Files come in two
layouts: kohya's (`lora_unet_down_blocks_0_..._to_q.lora_down.weight`) and that of diffusers and peft
(`unet.down_blocks.0....to_q.lora_A.weight`). Both name the layers as diffusers does. A LoRA for few steps, such as
LCM-LoRA, is read like any other.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from eidophone.core.errors import BadInput
from eidophone.models.cards import quoted

#: What each layout calls the two matrices: first the one that is applied first.
_ENDS = {
    ".lora_down.weight": "down", ".lora_up.weight": "up", ".lora_A.weight": "down", ".lora_B.weight": "up",
    ".lora.down.weight": "down", ".lora.up.weight": "up", "_lora.down.weight": "down", "_lora.up.weight": "up",
    ".lora_linear_layer.down.weight": "down", ".lora_linear_layer.up.weight": "up", ".alpha": "alpha",
}  # fmt: skip
_STARTS = ("base_model.model.", "text_model.", "text_model_")


@dataclass(frozen=True)
class Lora:
    """A LoRA file and how strongly it counts.

    Attributes:
        path: Of the `.safetensors` file.
        scale: 0 changes nothing, 1 is as it was trained.
    """

    path: Path
    scale: float = 1.0


def fuse(lora: Lora, unet: nn.Module, text: nn.Module) -> int:
    """Adds a LoRA to the weights of the two networks, in place.

    Returns:
        How many layers it changed.

    Raises:
        BadInput: a damaged file, layers that these networks do not have, or matrices of another size.
    """
    layers = dict(_layers("unet", unet)) | dict(_layers("te", text))
    changes = _read(lora.path)
    unknown = sorted(name for name in changes if name not in layers)
    if unknown or not changes:
        what = f"changes {unknown[0]!r}, which" if unknown else "holds no LoRA that"
        raise BadInput(
            f"{quoted(str(lora.path))}: {what} the image model does not have; use a LoRA for Stable Diffusion 1.x."
        )
    for name, parts in changes.items():
        _add(layers[name], parts, lora, name)
    return len(changes)


def _layers(part: str, network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Layers with a weight, by their name in one word, as kohya writes it."""
    for name, layer in network.named_modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            yield f"{part}_{name.replace('.', '_')}", layer


def _read(path: Path) -> dict[str, dict[str, Tensor]]:
    """The matrices of each layer: "down", "up" and perhaps "alpha"."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        given = load_file(path)
    except (OSError, SafetensorError, ValueError) as error:
        raise BadInput(
            f"{quoted(str(path))}: is not a safetensors file, or is damaged ({error}); fetch it again."
        ) from error
    found: dict[str, dict[str, Tensor]] = {}
    for key, value in given.items():
        layer, what = _split(key)
        found.setdefault(layer, {})[what] = value
    if half := [name for name, parts in found.items() if not {"down", "up"} <= parts.keys()]:
        raise BadInput(f"{quoted(str(path))}: is damaged: it lacks a matrix of {half[0]!r}; fetch it again.")
    return found


def _split(key: str) -> tuple[str, str]:
    """The layer's name in one word, and what this tensor is to it.

    >>> _split("lora_unet_mid_block_attentions_0_proj_in.lora_up.weight")
    ('unet_mid_block_attentions_0_proj_in', 'up')
    >>> _split("text_encoder.text_model.encoder.layers.0.mlp.fc1.lora_A.weight")
    ('te_encoder_layers_0_mlp_fc1', 'down')
    """
    end = next((end for end in _ENDS if key.endswith(end)), "")
    name = key.removesuffix(end).removeprefix("lora_")
    part = "te" if re.match(r"te(xt_encoder)?[._]", name) else "unet"
    name = re.sub(r"^(unet|te|text_encoder)[._]", "", name)
    for start in _STARTS:
        name = name.removeprefix(start)
    # diffusers before 0.20 kept them in processors, and called the last one to_out
    name = name.replace(".processor.", ".")
    name = f"{name}.0" if name.endswith(("to_out", "to_out_lora")) else name
    return f"{part}_{name.replace('.', '_')}", _ENDS.get(end, "")


def _add(layer: nn.Module, parts: Mapping[str, Tensor], lora: Lora, name: str) -> None:
    weight, down, up = layer.weight, parts["down"].float(), parts["up"].float()
    assert isinstance(weight, Tensor)
    rank = down.shape[0]
    strength = lora.scale * (float(parts["alpha"]) / rank if "alpha" in parts else 1.0)
    change = torch.einsum("or,r...->o...", up.reshape(up.shape[0], -1), down) if up.shape[1] == rank else None
    if change is None or change.numel() != weight.numel() or change.shape[0] != weight.shape[0]:
        raise BadInput(
            f"{quoted(str(lora.path))}: its change of {name!r} has another size than the image model's layer; use a "
            "LoRA for Stable Diffusion 1.x."
        )
    fused = weight.float() + strength * change.reshape(weight.shape).to(weight.device)
    layer.weight = nn.Parameter(fused.to(weight.dtype), requires_grad=False)
