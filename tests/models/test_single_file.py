"""A single .safetensors in the original Stable Diffusion layout is the same model as its folder."""

import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from eidophone.core.errors import BadInput
from eidophone.models.load import Loader, same_weights

# diffusers' names -> the original ones, for the small U-Net and VAE of the fixtures
_UNET = [
    (r"^time_embedding\.linear_1", "time_embed.0"), (r"^time_embedding\.linear_2", "time_embed.2"),
    (r"^conv_in", "input_blocks.0.0"), (r"^conv_norm_out", "out.0"), (r"^conv_out", "out.2"),
    (r"^down_blocks\.0\.resnets\.0", "input_blocks.1.0"),
    (r"^down_blocks\.0\.attentions\.0", "input_blocks.1.1"),
    (r"^down_blocks\.0\.downsamplers\.0\.conv", "input_blocks.2.0.op"),
    (r"^down_blocks\.1\.resnets\.0", "input_blocks.3.0"),
    (r"^mid_block\.resnets\.0", "middle_block.0"), (r"^mid_block\.attentions\.0", "middle_block.1"),
    (r"^mid_block\.resnets\.1", "middle_block.2"),
    (r"^up_blocks\.0\.resnets\.0", "output_blocks.0.0"), (r"^up_blocks\.0\.resnets\.1", "output_blocks.1.0"),
    (r"^up_blocks\.0\.upsamplers\.0\.conv", "output_blocks.1.1.conv"),
    (r"^up_blocks\.1\.resnets\.0", "output_blocks.2.0"),
    (r"^up_blocks\.1\.attentions\.0", "output_blocks.2.1"),
    (r"^up_blocks\.1\.resnets\.1", "output_blocks.3.0"),
    (r"^up_blocks\.1\.attentions\.1", "output_blocks.3.1"),
]  # fmt: skip
_RESNET = [
    ("norm1", "in_layers.0"), ("conv1", "in_layers.2"), ("time_emb_proj", "emb_layers.1"),
    ("norm2", "out_layers.0"), ("conv2", "out_layers.3"), ("conv_shortcut", "skip_connection"),
]  # fmt: skip
_VAE = [
    (r"down_blocks\.(\d)\.resnets\.(\d)", r"down.\1.block.\2"),
    (r"down_blocks\.(\d)\.downsamplers\.0", r"down.\1.downsample"),
    (r"mid_block\.resnets\.0", "mid.block_1"), (r"mid_block\.resnets\.1", "mid.block_2"),
    (r"mid_block\.attentions\.0\.group_norm", "mid.attn_1.norm"),
    (r"mid_block\.attentions\.0\.to_out\.0", "mid.attn_1.proj_out"),
    (r"mid_block\.attentions\.0\.to_(.)", r"mid.attn_1.\1"),
    (r"conv_norm_out", "norm_out"), (r"conv_shortcut", "nin_shortcut"),
]  # fmt: skip


def original(pair_folder: Path) -> dict[str, torch.Tensor]:
    """The folder's weights under the original names."""
    state = {}
    for key, value in load_file(pair_folder / "unet" / "diffusion_pytorch_model.safetensors").items():
        name = key
        for ours, theirs in _UNET:
            name = re.sub(ours, theirs, name)
        if "resnets" in key:
            for ours, theirs in _RESNET:
                name = name.replace(f".{ours}.", f".{theirs}.")
        state[f"model.diffusion_model.{name}"] = value
    for key, value in load_file(pair_folder / "vae" / "diffusion_pytorch_model.safetensors").items():
        name = key
        for ours, theirs in _VAE:
            name = re.sub(ours, theirs, name)
        name = re.sub(r"up_blocks\.(\d)\.resnets\.(\d)", lambda m: f"up.{3 - int(m[1])}.block.{m[2]}", name)
        name = re.sub(r"up_blocks\.(\d)\.upsamplers\.0", lambda m: f"up.{3 - int(m[1])}.upsample", name)
        square = "attn_1" in name and value.ndim == 2
        state[f"first_stage_model.{name}"] = value[:, :, None, None] if square else value
    for key, value in load_file(pair_folder / "text_encoder" / "model.safetensors").items():
        plain = key.removeprefix("text_model.")
        state[f"cond_stage_model.transformer.text_model.{plain}"] = value
    return {k: v.contiguous() for k, v in state.items()}


def test_a_single_file_is_the_same_model(pair: tuple[Path, Path], tmp_path: Path) -> None:
    import shutil

    shutil.copytree(pair[0], tmp_path / "one")  # its settings and tokenizer lie beside it
    for weights in (tmp_path / "one").rglob("*.safetensors"):
        weights.unlink()
    save_file(original(pair[0]), tmp_path / "one.safetensors")
    loader = Loader(torch.device("cpu"), torch.float32, offline=True)
    folder = loader.model(str(pair[0]), "image")
    single = loader.model(str(tmp_path / "one.safetensors"), "image")
    assert same_weights(single.network, folder.network, 0)
    assert same_weights(single.vae, folder.vae, 0)
    assert torch.equal(single.text.encode("a bell"), folder.text.encode("a bell"))
    image, audio = loader.pair(str(tmp_path / "one.safetensors"), str(pair[1]))
    assert image.vae is audio.vae


def test_a_single_file_of_another_layout_is_refused(tmp_path: Path) -> None:
    save_file({"x": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(BadInput, match=r"other\.safetensors': holds no Stable Diffusion model"):
        Loader(torch.device("cpu"), torch.float32).model(str(tmp_path / "other.safetensors"), "image")
