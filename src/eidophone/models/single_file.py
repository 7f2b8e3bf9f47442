"""The text encoder inside a single-file checkpoint of the original Stable Diffusion 1.x layout.

diffusers reads U-Net and VAE from such a file; its reader of the text encoder does not know the
names that transformers 5 gives to CLIP's parts, so the few names are mapped here.
"""

from pathlib import Path
from typing import Any

import torch

_PREFIX = "cond_stage_model.transformer."


def text_encoder_in(single: Path | None, layout: Path, dtype: torch.dtype) -> Any:
    """Builds CLIP's text model from the settings in `layout` and the weights in a single file.

    Raises:
        ValueError: the file holds no such text encoder.
    """
    from safetensors import safe_open
    from transformers import CLIPTextConfig, CLIPTextModel

    network = CLIPTextModel(CLIPTextConfig.from_pretrained(layout)).to(dtype)
    expected = network.state_dict()
    with safe_open(str(single), "pt") as file:
        inside = {k.removeprefix(_PREFIX): k for k in file.keys() if k.startswith(_PREFIX)}  # noqa: SIM118
        names = {_plain(k): k for k in inside}
        missing = sorted(k for k in expected if _plain(k) not in names)
        if missing:
            raise ValueError(f"it has no Stable Diffusion 1.x text encoder: {missing[0]} is missing")
        state = {k: file.get_tensor(inside[names[_plain(k)]]).to(dtype) for k in expected}
    network.load_state_dict(state)
    return network


def _plain(key: str) -> str:
    # transformers before 5 wrapped all parts in `text_model`
    return key.removeprefix("text_model.")
