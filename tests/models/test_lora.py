"""LoRA files in the layouts that are shared, fused into random networks."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import eidophone
from eidophone.core.errors import BadInput
from eidophone.models.load import Loader
from eidophone.models.networks.lora import Lora

Q = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
OUT = "up_blocks.1.attentions.1.transformer_blocks.0.attn2.to_out.0"
CONV = "down_blocks.0.attentions.0.proj_in"
WIDE = "down_blocks.0.resnets.0.conv1"
TEXT = "encoder.layers.1.mlp.fc1"
RANK, ALPHA = 2, 6.0


def matrices(shape: tuple[int, ...], seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    draws = torch.Generator().manual_seed(seed)
    up_shape = (shape[0], RANK) + (1, 1) * (len(shape) == 4)
    return (
        torch.randn(RANK, *shape[1:], generator=draws),
        torch.randn(*up_shape, generator=draws),
    )


def kohya(part: str, layer: str) -> tuple[str, str]:
    stem = f"lora_{part}_{'text_model_' * (part == 'te')}{layer.replace('.', '_')}"
    return f"{stem}.lora_down.weight", f"{stem}.lora_up.weight"


def peft(part: str, layer: str) -> tuple[str, str]:
    stem = f"{'unet' if part == 'unet' else 'text_encoder.text_model'}.{layer}"
    return f"{stem}.lora_A.weight", f"{stem}.lora_B.weight"


def old(part: str, layer: str) -> tuple[str, str]:
    """As diffusers wrote them before 0.20: in processors, for attention only."""
    head, _, last = layer.removesuffix(".0").rpartition(".")
    stem = f"unet.{head}.processor.{last}_lora"
    return f"{stem}.down.weight", f"{stem}.up.weight"


@pytest.fixture
def weights(pair: tuple[Path, Path]) -> dict[tuple[str, str], torch.Tensor]:
    unet = load_file(pair[0] / "unet" / "diffusion_pytorch_model.safetensors")
    text = load_file(pair[0] / "text_encoder" / "model.safetensors")
    text = {name.removeprefix("text_model."): value for name, value in text.items()}
    named = [("unet", layer) for layer in (Q, OUT, CONV, WIDE)] + [("te", TEXT)]
    return {key: (unet if key[0] == "unet" else text)[f"{key[1]}.weight"] for key in named}


@pytest.mark.parametrize(("layout", "alpha"), [(kohya, True), (kohya, False), (peft, False), (old, False)])
def test_each_weight_gains_the_product_of_its_matrices(
    layout, alpha: bool, pair: tuple[Path, Path], weights: dict, tmp_path: Path
) -> None:
    if layout is old:
        weights = {key: weights[key] for key in (("unet", Q), ("unet", OUT))}
    given, expected = {}, {}
    for seed, ((part, layer), weight) in enumerate(weights.items()):
        down, up = matrices(tuple(weight.shape), seed)
        names = layout(part, layer)
        given |= dict(zip(names, (down, up), strict=True))
        if alpha:
            given[names[0].replace("lora_down.weight", "alpha")] = torch.tensor(ALPHA)
        strength = 0.5 * (ALPHA / RANK if alpha else 1)
        change = torch.zeros_like(weight).flatten(1)
        for n in range(RANK):  # written out, apart from the program's own way
            change += torch.outer(up[:, n].flatten(), down[n].flatten())
        expected[part, layer] = weight + strength * change.reshape(weight.shape)
    save_file({name: value.contiguous() for name, value in given.items()}, tmp_path / "a.safetensors")
    loader = Loader(torch.device("cpu"), torch.float32, offline=True)
    plain = loader.model(str(pair[0]), "image")
    model = loader.model(str(pair[0]), "image", Lora(tmp_path / "a.safetensors", 0.5))
    changed = {("unet", k): v for k, v in model.network.state_dict().items()}
    changed |= {("te", k): v for k, v in model.text.network.state_dict().items()}
    before = {("unet", k): v for k, v in plain.network.state_dict().items()}
    before |= {("te", k): v for k, v in plain.text.network.state_dict().items()}
    for (part, name), value in changed.items():
        layer = name.removesuffix(".weight")
        if (part, layer) in expected and name != layer:
            assert torch.allclose(value, expected[part, layer], atol=1e-5)
        else:
            assert torch.equal(value, before[part, name])


@pytest.mark.parametrize(
    ("name", "shapes", "said"),
    [
        ("lora_unet_down_blocks_4_attentions_0_proj_in", ((2, 16), (16, 2)), "does not have"),
        ("lora_unet_down_blocks_0_attentions_0_proj_in", ((2, 20), (16, 2)), "another size"),
        ("lora_unet_down_blocks_0_attentions_0_proj_in", ((2, 16), (16, 3)), "another size"),
    ],
)
def test_a_lora_of_another_model_is_refused(
    name: str, shapes: tuple, said: str, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    down, up = (torch.randn(*shape) for shape in shapes)
    file = tmp_path / "other.safetensors"
    save_file({f"{name}.lora_down.weight": down, f"{name}.lora_up.weight": up}, file)
    with pytest.raises(BadInput, match=rf"other\.safetensors.*{said}"):
        Loader(torch.device("cpu"), torch.float32, offline=True).model(str(pair[0]), "image", Lora(file))


def test_a_file_that_is_none_is_refused(pair: tuple[Path, Path], tmp_path: Path) -> None:
    file = tmp_path / "x.safetensors"
    file.write_bytes(b"nothing")
    with pytest.raises(BadInput, match="damaged"):
        Loader(torch.device("cpu"), torch.float32, offline=True).model(str(pair[0]), "image", Lora(file))
    save_file({"conv_in.weight": torch.zeros(1)}, file)
    with pytest.raises(BadInput, match=r"x\.safetensors"):
        Loader(torch.device("cpu"), torch.float32, offline=True).model(str(pair[0]), "image", Lora(file))


def test_a_run_with_a_lora_is_made_again(settings: dict, pair: tuple[Path, Path], tmp_path: Path) -> None:
    file = tmp_path / "style.safetensors"
    down, up = matrices((16, 16), 0)
    names = kohya("unet", Q)
    save_file(dict(zip(names, (down, up), strict=True)), file)
    told = {"count": 1, "steps": 2, **settings}
    (plain,) = eidophone.compose("a castle", "a bell", **told)
    (none,) = eidophone.compose("a castle", "a bell", lora=file, lora_scale=0, **told)
    (styled,) = eidophone.compose("a castle", "a bell", lora=file, out=tmp_path / "out", **told)
    assert abs(none.spectrogram - plain.spectrogram).max() == 0
    assert abs(styled.spectrogram - plain.spectrogram).max() > 1e-3
    assert styled.recipe.options.lora == "style.safetensors" and styled.recipe.inputs["lora"]
    models = {name: settings[name] for name in ("image_model", "audio_model")}
    again = eidophone.remake(tmp_path / "out" / "0000", lora=file, **models)
    assert (again.spectrogram == styled.spectrogram).all()


def test_the_audio_model_takes_a_lora_too(settings: dict, tmp_path: Path) -> None:
    file = tmp_path / "few-steps.safetensors"
    save_file(dict(zip(kohya("unet", Q), matrices((16, 16), 0), strict=True)), file)
    told = {"count": 1, "steps": 2, "sampler": "lcm", **settings}
    (plain,) = eidophone.compose("a castle", "a bell", **told)
    (image,) = eidophone.compose("a castle", "a bell", lora=file, **told)
    (audio,) = eidophone.compose("a castle", "a bell", audio_lora=file, out=tmp_path / "out", **told)
    (both,) = eidophone.compose("a castle", "a bell", lora=file, audio_lora=file, **told)
    found = [each.spectrogram for each in (plain, image, audio, both)]
    assert all(abs(a - b).max() > 1e-4 for n, a in enumerate(found) for b in found[:n])
    assert audio.recipe.options.audio_lora == "few-steps.safetensors" and audio.recipe.inputs["audio_lora"]
    models = {name: settings[name] for name in ("image_model", "audio_model")}
    again = eidophone.remake(tmp_path / "out" / "0000", audio_lora=file, **models)
    assert (again.spectrogram == audio.spectrogram).all()


def test_noise_between_steps_is_of_each_sample_alone(settings: dict) -> None:
    told = {"steps": 3, "sampler": "lcm", **settings}
    together = eidophone.compose("a castle", "a bell", count=2, batch_size=2, **told)
    (alone,) = eidophone.compose("a castle", "a bell", count=1, index=1, **told)
    assert abs(list(together)[1].spectrogram - alone.spectrogram).max() < 1e-4
