"""Weights in int8: how far off they are, what they save, and that a run with them is made again."""

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

import eidophone
from eidophone.core.errors import BadInput
from eidophone.models.load import Loader
from eidophone.models.networks.packed import Packed, pack
from eidophone.models.parts import size_of

CPU = torch.device("cpu")


def layers() -> list[nn.Module]:
    torch.manual_seed(0)
    return [
        nn.Linear(24, 40), nn.Linear(32, 16, bias=False), nn.Conv2d(16, 24, 3, padding=1),
        nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.Conv2d(12, 12, 1, bias=False),
    ]  # fmt: skip


@pytest.mark.parametrize("layer", layers(), ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_each_weight_is_off_by_at_most_half_a_step_of_its_channel(
    layer: nn.Module, dtype: torch.dtype
) -> None:
    layer = layer.to(dtype)
    weight = layer.weight.detach().float()
    packed = Packed(layer)
    step = weight.flatten(1).abs().amax(1) / 127
    off = (packed.weight.float() - weight).abs().flatten(1).amax(1)
    # the scale itself is rounded to the number format
    slack = 0.501 * step + 2 * torch.finfo(dtype).eps * 127 * step
    assert (off <= slack).all() and off.max() > 0
    assert packed.packed.dtype == torch.int8 and packed.weight.dtype == dtype


@pytest.mark.parametrize("layer", layers(), ids=str)
def test_a_layer_computes_with_the_weights_that_it_keeps(layer: nn.Module) -> None:
    given = (
        torch.randn(2, layer.in_features)
        if isinstance(layer, nn.Linear)
        else torch.randn(2, layer.in_channels, 8, 8)
    )
    packed = Packed(layer)
    layer.weight = nn.Parameter(packed.weight)
    assert torch.equal(packed(given), layer(given))


def test_channels_of_zeros_stay_zero() -> None:
    layer = nn.Linear(10, 10, bias=False)
    nn.init.zeros_(layer.weight)
    assert torch.equal(Packed(layer)(torch.ones(1, 10)), torch.zeros(1, 10))


def test_a_network_takes_less_memory_and_says_nearly_the_same(pair: tuple[Path, Path]) -> None:
    whole = Loader(CPU, torch.float32, offline=True).model(str(pair[0]), "image").network
    packed = Loader(CPU, torch.float32, offline=True, quantize=True).model(str(pair[0]), "image").network
    assert size_of(packed) < 0.45 * size_of(whole)  # the rest are norms, biases, the first and the last layer
    assert packed.dtype == torch.float32 and isinstance(packed.conv_in, nn.Conv2d)
    torch.manual_seed(0)
    given = torch.randn(2, 4, 8, 8), torch.tensor(500), torch.randn(2, 77, 32)
    ours, theirs = packed(*given)[0], whole(*given)[0]
    assert 0 < (ours - theirs).norm() / theirs.norm() < 0.03


def test_packed_and_whole_networks_are_kept_apart(pair: tuple[Path, Path]) -> None:
    loader = Loader(CPU, torch.float32, offline=True)
    other = Loader(CPU, torch.float32, offline=True, parts=loader.parts, quantize=True)
    first, second, third = (each.model(str(pair[0]), "image") for each in (loader, other, loader))
    assert first.network is third.network and first.network is not second.network
    assert not any(isinstance(layer, Packed) for layer in first.network.modules())


def test_packing_twice_changes_nothing() -> None:
    network = nn.Sequential(nn.Linear(16, 16), nn.SiLU(), nn.Linear(16, 4))
    assert (pack(network), pack(network)) == (1, 0)


def test_a_run_in_int8_is_made_again(settings: dict, tmp_path: Path) -> None:
    told = {"count": 1, "steps": 2, **settings}
    (plain,) = eidophone.compose("a castle", "a bell", **told)
    (packed,) = eidophone.compose("a castle", "a bell", quantize="int8", out=tmp_path / "a", **told)
    (parked,) = eidophone.compose("a castle", "a bell", quantize="int8", low_memory=True, **told)
    assert (parked.spectrogram == packed.spectrogram).all()
    assert abs(packed.spectrogram - plain.spectrogram).max() > 0
    models = {name: settings[name] for name in ("image_model", "audio_model")}
    again = eidophone.remake(tmp_path / "a" / "0000", **models)
    assert (again.spectrogram == packed.spectrogram).all()


def test_openvino_does_not_take_packed_networks(settings: dict) -> None:
    with pytest.raises(BadInput, match="--quantize int8 does not go with --engine openvino"):
        list(
            eidophone.compose(
                "a castle", "a bell", quantize="int8", engine="openvino", count=1, steps=1, **settings
            )
        )


def test_damaged_weights_are_refused_before_they_are_packed(pair: tuple[Path, Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(pair[0], tmp_path / "image"))
    file = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights = load_file(file)
    weights["down_blocks.0.resnets.0.conv1.weight"][0, 0, 0, 0] = float("nan")
    save_file(weights, file)
    with pytest.raises(BadInput, match=r"denoising network are damaged"):
        Loader(CPU, torch.float32, offline=True, quantize=True).model(str(folder), "image")
