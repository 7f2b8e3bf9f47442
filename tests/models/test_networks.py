"""Networks that are written out have the weights and give the numbers of diffusers' and transformers' own."""

import json
from pathlib import Path

import pytest
import torch

from eidophone.models.cards import package_folder
from eidophone.models.networks.clip import ClipText
from eidophone.models.networks.reading import read_network, rebuilt
from eidophone.models.networks.tokenizer import Tokenizer
from eidophone.models.networks.unet import UNet
from eidophone.models.networks.vae import Vae

SMALL = {
    "sample_size": 8, "block_out_channels": (16, 32), "layers_per_block": 2, "cross_attention_dim": 24,
    "attention_head_dim": 4, "norm_num_groups": 8,
}  # fmt: skip
KINDS = [
    {"down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
     "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D")},
    # as Stable Diffusion 2.x
    {"down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"), "use_linear_projection": True,
     "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"), "attention_head_dim": (2, 4)},
    {"down_block_types": ("CrossAttnDownBlock2D",) * 2, "up_block_types": ("CrossAttnUpBlock2D",) * 2,
     "transformer_layers_per_block": 2, "flip_sin_to_cos": False, "freq_shift": 1, "out_channels": 8},
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(8, 12), (7, 9)])
def test_a_unet_is_diffusers(kind: dict, size: tuple[int, int]) -> None:
    from diffusers import UNet2DConditionModel

    torch.manual_seed(1)
    theirs = UNet2DConditionModel(**(SMALL | kind)).eval()
    ours = rebuilt(UNet, theirs)
    assert isinstance(ours, UNet)
    noisy, condition, timestep = torch.randn(2, 4, *size), torch.randn(2, 5, 24), torch.tensor(321)
    with torch.no_grad():
        assert torch.equal(ours(noisy, timestep, condition)[0], theirs(noisy, timestep, condition)[0])


@pytest.mark.parametrize(
    "setting",
    [
        {"resnet_time_scale_shift": "scale_shift"}, {"class_embed_type": "timestep"}, {"act_fn": "gelu"},
        {"encoder_hid_dim": 8}, {"addition_embed_type": "text"}, {"dual_cross_attention": True},
        {"down_block_types": ("SimpleCrossAttnDownBlock2D", "DownBlock2D")}, {"cross_attention_dim": (8, 8)},
    ],
)  # fmt: skip
def test_another_unet_is_left_to_diffusers(setting: dict) -> None:
    assert UNet.understands(SMALL | KINDS[0]) and not UNet.understands(SMALL | KINDS[0] | setting)


def test_a_vae_is_diffusers() -> None:
    from diffusers import AutoencoderKL

    torch.manual_seed(2)
    theirs = AutoencoderKL(
        block_out_channels=(8, 16), norm_num_groups=4, layers_per_block=2,
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
    ).eval()  # fmt: skip
    ours = rebuilt(Vae, theirs)
    assert isinstance(ours, Vae)
    pictures, latents = torch.rand(2, 3, 16, 24) * 2 - 1, torch.randn(2, 4, 8, 12)
    with torch.no_grad():
        code, expected = ours.encode(pictures).latent_dist, theirs.encode(pictures).latent_dist
        assert torch.equal(code.mean, expected.mean) and torch.equal(code.std, expected.std)
        assert torch.equal(ours.decode(latents)[0], theirs.decode(latents)[0])


@pytest.mark.parametrize("act", ["quick_gelu", "gelu"])
def test_a_text_encoder_is_transformers(act: str) -> None:
    from transformers import CLIPTextConfig, CLIPTextModel

    torch.manual_seed(3)
    config = CLIPTextConfig(
        vocab_size=64, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=16, hidden_act=act, eos_token_id=63, bos_token_id=62, pad_token_id=63,
    )  # fmt: skip
    theirs = CLIPTextModel(config).eval()
    ours = rebuilt(ClipText, theirs)
    assert isinstance(ours, ClipText)
    tokens = torch.randint(0, 64, (2, 16))
    with torch.no_grad():
        assert torch.allclose(ours(tokens)[0], theirs(tokens)[0], atol=1e-6)


@pytest.mark.parametrize("folder", ["tiny/image", "layouts/sd15"])
@pytest.mark.parametrize(
    "text",
    ["", "a castle", "A  Castle\nwith 12 towers, painted in gouache; \u00e9t\u00e9, \u6771\u4eac!",
     "it's <|endoftext|> of\u3000\U0001f600 e\u0301"],
)  # fmt: skip
def test_the_tokenizer_is_transformers(folder: str, text: str) -> None:
    from transformers import CLIPTokenizer

    place = package_folder(folder) / "tokenizer"
    theirs, ours = CLIPTokenizer.from_pretrained(place, local_files_only=True), Tokenizer(place)
    for how in ({}, {"add_special_tokens": False}, {"padding": "max_length", "max_length": 77}):
        assert ours(text, **how)["input_ids"] == theirs(text, **how)["input_ids"]
    ids = ours(text)["input_ids"]
    assert ours.decode(ids[1:-1]) == theirs.decode(ids[1:-1])
    assert ours.num_special_tokens_to_add() == theirs.num_special_tokens_to_add()
    for name in ("model_max_length", "pad_token_id", "eos_token_id"):
        assert getattr(ours, name) == getattr(theirs, name)


def test_a_saved_network_is_read_again_and_by_diffusers(tmp_path: Path) -> None:
    from diffusers import UNet2DConditionModel

    torch.manual_seed(4)
    unet = UNet.from_config(SMALL | KINDS[0])
    unet.save_pretrained(tmp_path)
    again = read_network(UNet, tmp_path, torch.float32)
    theirs = UNet2DConditionModel.from_pretrained(tmp_path, local_files_only=True)
    assert again is not None
    for name, value in unet.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])
        assert torch.equal(value, theirs.state_dict()[name])


def test_what_is_not_whole_is_not_read(tmp_path: Path) -> None:
    unet = UNet.from_config(SMALL | KINDS[0])
    unet.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"layers_per_block": 1}))
    assert read_network(UNet, tmp_path, torch.float32) is None
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / unet.WEIGHTS_FILE).write_bytes(b"not weights")
    assert read_network(UNet, tmp_path, torch.float32) is None
