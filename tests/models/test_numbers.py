"""R75: weights that are not numbers. Every verb names the model and the part, and makes nothing."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import eidophone
from eidophone.core.errors import BadInput
from eidophone.models.load import Loader
from eidophone.models.networks.lora import Lora
from eidophone.models.numbers import check_weights

FILES = {
    "denoising network": "unet/diffusion_pytorch_model.safetensors",
    "VAE": "vae/diffusion_pytorch_model.safetensors",
    "text encoder": "text_encoder/model.safetensors",
}
VERBS = {
    "compose": {"steps": 1},
    "imprint": {"image_steps": 1, "audio_steps": 1},
    "distill": {"iterations": 1},
    "distill latents": {"iterations": 1, "representation": "latent"},
}


def without_numbers(model: Path, file: str, folder: Path, how_many: int = 1) -> Path:
    """A copy of a model with a NaN in a file of weights."""
    shutil.copytree(model, folder)
    state = load_file(folder / file)
    next(iter(state.values())).view(-1)[:how_many] = float("nan")
    save_file(state, folder / file, {"format": "pt"})
    return folder


@pytest.mark.parametrize("side", ["image", "audio"])
@pytest.mark.parametrize(("part", "file"), FILES.items())
@pytest.mark.parametrize("verb", VERBS)
def test_r75_damaged_weights_are_named_with_their_model_and_part(
    verb: str, part: str, file: str, side: str, pair: tuple[Path, Path], settings: dict, tmp_path: Path
) -> None:
    """Also where other models of the run are sound; and never the advice to use another number format."""
    bad = without_numbers(pair[side == "audio"], file, tmp_path / "bad")
    make = getattr(eidophone, verb.split()[0])
    given = settings | {f"{side}_model": str(bad), "count": 1} | VERBS[verb]
    with pytest.raises(BadInput, match=rf"/bad'?: the weights of its {part} are damaged") as refused:
        make("a castle", "a bell", out=tmp_path / "out", **given)
    assert "--dtype" not in str(refused.value) and not (tmp_path / "out").exists()


def test_r75_the_weights_of_a_lora_count(pair: tuple[Path, Path], tmp_path: Path) -> None:
    name = "lora_unet_down_blocks_0_attentions_0_proj_in"
    down, up = torch.full((2, 16), float("nan")), torch.zeros(16, 2)
    save_file({f"{name}.lora_down.weight": down, f"{name}.lora_up.weight": up}, tmp_path / "x.safetensors")
    loader = Loader(torch.device("cpu"), torch.float32, offline=True)
    with pytest.raises(BadInput, match="denoising network are damaged"):
        loader.model(str(pair[0]), "image", Lora(tmp_path / "x.safetensors"))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_one_value_that_is_no_number_is_found_wherever_it_is(dtype: torch.dtype, value: float) -> None:
    for place in np.random.default_rng(0).integers(0, 70_000, 5):
        network = torch.nn.Linear(700, 100).to(dtype)
        assert check_weights("it", "unet", network) is network
        with torch.no_grad():
            network.weight.view(-1)[int(place)] = value
        with pytest.raises(BadInput, match="'it'"):
            check_weights("it", "unet", network)
