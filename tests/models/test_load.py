"""Loading: shared parts once, pairs that do not fit refused, every layout that people have."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from eidophone.core.errors import BadInput, ModelsDoNotFit, UnknownModel, WeightsAbsent
from eidophone.models.load import Loader, load_vocoder, mel_spec_of, same_weights
from eidophone.models.source import find
from eidophone.models.weights import wanted_files
from tests.conftest import MEL, make_model

CPU = torch.device("cpu")


def loader(dtype: torch.dtype = torch.float32) -> Loader:
    return Loader(CPU, dtype, offline=True)


def test_what_two_models_share_is_loaded_once(pair: tuple[Path, Path]) -> None:
    image, audio = loader().pair(*map(str, pair))
    assert image.vae is audio.vae
    assert image.text is audio.text
    assert image.network is not audio.network


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"beta_end": 0.02}, "noise schedules differ: beta_end"),
        ({"vae_seed": 5}, "VAEs have different weights"),
    ],
)
def test_models_that_do_not_fit_are_refused(
    change: dict, reason: str, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    other = make_model(tmp_path / "other", 3, **change)
    with pytest.raises(ModelsDoNotFit, match=reason) as refused:
        loader().pair(str(pair[0]), str(other))
    assert str(pair[0]) in str(refused.value) and str(other) in str(refused.value)


def test_a_vae_in_half_precision_is_still_the_same(pair: tuple[Path, Path], tmp_path: Path) -> None:
    half = shutil.copytree(pair[1], tmp_path / "half")
    weights = half / "vae" / "diffusion_pytorch_model.safetensors"
    save_file({k: v.half() for k, v in load_file(weights).items()}, weights, {"format": "pt"})
    image, audio = loader().pair(str(pair[0]), str(half))
    assert image.vae is audio.vae


def test_weights_only_in_half_precision_are_found(pair: tuple[Path, Path], tmp_path: Path) -> None:
    half = shutil.copytree(pair[0], tmp_path / "half")
    for part, name in (("unet", "diffusion_pytorch_model"), ("vae", "diffusion_pytorch_model")):
        plain = half / part / f"{name}.safetensors"
        save_file(
            {k: v.half() for k, v in load_file(plain).items()}, half / part / f"{name}.fp16.safetensors"
        )
        plain.unlink()
    model = loader().model(str(half), "image")
    assert same_weights(model.network, loader().model(str(pair[0]), "image").network)


def test_v_prediction_is_read_as_noise(tmp_path: Path) -> None:
    plain = loader().model(str(make_model(tmp_path / "e", 1)), "image")
    velocity = loader().model(str(make_model(tmp_path / "v", 1, prediction_type="v_prediction")), "image")
    x, t, c = torch.randn(1, 4, 4, 8), torch.tensor(700), torch.zeros(1, 77, 32)
    with torch.no_grad():
        e, v = plain.noise_of(x, t, c), velocity.noise_of(x, t, c)
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
    a = (1 - betas).cumprod(0)[700]
    assert torch.allclose(v, a.sqrt() * e + (1 - a).sqrt() * x, atol=1e-5)


def test_a_prompt_too_long_says_what_would_be_cut(pair: tuple[Path, Path]) -> None:
    text = loader().model(str(pair[0]), "image").text
    assert text.encode(" ".join(["bell"] * 75)).shape == (1, 77, 32)
    with pytest.raises(BadInput, match=r"has 77 tokens and the text encoder reads 75.*'loud ring'"):
        text.encode(" ".join(["bell"] * 75 + ["loud", "ring"]))


def test_an_unknown_model_lists_the_known(tmp_path: Path) -> None:
    with pytest.raises(UnknownModel, match="tiny, sd15, sd14"):
        find("sd99", "image")
    with pytest.raises(UnknownModel, match="cannot take the image role"):
        find("auffusion", "image")
    with pytest.raises(BadInput, match="no such model folder"):
        find(str(tmp_path / "gone"), "image")
    with pytest.raises(BadInput, match="no unet/"):
        find(str(tmp_path), "image")


def test_absent_weights_say_how_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(WeightsAbsent, match=r"eidophone models pull sd15.*or give a local folder"):
        find("sd15", "image", offline=True)


def test_a_hub_download_is_found_offline(
    pair: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second of the card's ids is in the cache, in the hub's own layout."""
    repo = tmp_path / "models--sd-legacy--stable-diffusion-v1-5"
    shutil.copytree(pair[0], repo / "snapshots" / "abc123")
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text("abc123")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    source = find("sd15", "image", offline=True)
    assert source.revision == "abc123"
    assert source.defaults.canvas == (256, 1024)
    assert loader().model("sd15", "image").network.config.in_channels == 4


def test_only_one_copy_of_the_weights_is_fetched() -> None:
    listed = [
        "README.md", "model_index.json", "v1-5-pruned.ckpt", "v1-5-pruned.safetensors",
        "unet/config.json", "unet/diffusion_pytorch_model.bin", "unet/diffusion_pytorch_model.safetensors",
        "unet/diffusion_pytorch_model.fp16.safetensors", "unet/diffusion_pytorch_model.non_ema.safetensors",
        "vae/diffusion_pytorch_model.bin", "safety_checker/model.safetensors", "vocoder/vocoder.pt",
        "vocoder/config.json",
    ]  # fmt: skip
    assert wanted_files(listed) == [
        "model_index.json", "unet/config.json", "unet/diffusion_pytorch_model.safetensors",
        "vae/diffusion_pytorch_model.bin", "vocoder/config.json", "vocoder/vocoder.pt",
    ]  # fmt: skip


def test_damaged_and_missing_parts_are_named(pair: tuple[Path, Path], tmp_path: Path) -> None:
    broken = shutil.copytree(pair[0], tmp_path / "broken")
    weights = broken / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(BadInput, match="unet: cannot be loaded"):
        loader().model(str(broken), "image")
    shutil.rmtree(broken / "text_encoder")
    shutil.copytree(pair[0] / "unet", broken / "unet", dirs_exist_ok=True)
    with pytest.raises(BadInput, match="text_encoder/ is missing"):
        loader().model(str(broken), "image")


class Code:
    """What a pickle can do to those who load it."""

    def __reduce__(self) -> tuple:
        return (Path.touch, (Path("ran-code"),))


@pytest.mark.parametrize("part", ["vocoder/vocoder.pt", "unet/diffusion_pytorch_model.bin"])
def test_weights_that_want_to_run_code_are_refused(
    part: str, pair: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    bad = shutil.copytree(pair[1], tmp_path / "bad")
    (bad / part).parent.mkdir(exist_ok=True)
    torch.save({"generator": Code()}, bad / part)
    (bad / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    config = {
        "num_mels": 32, "upsample_rates": [8, 8], "upsample_kernel_sizes": [16, 16], "hop_size": 64,
        "upsample_initial_channel": 8, "resblock_kernel_sizes": [3], "resblock_dilation_sizes": [[1]],
        "sampling_rate": 8000, "n_fft": 256, "win_size": 256, "fmin": 0, "fmax": 4000,
    }  # fmt: skip
    if "vocoder" in part:
        (bad / "vocoder" / "config.json").write_text(json.dumps(config))
        with pytest.raises(BadInput, match=r"refused.*run code"):
            load_vocoder(find(str(bad), "audio"))
    else:
        with pytest.raises(BadInput, match="would run code"):
            loader().model(str(bad), "audio")
    assert not Path("ran-code").exists()


def test_the_mel_picture_comes_from_the_folder(pair: tuple[Path, Path]) -> None:
    assert mel_spec_of(find(str(pair[1]), "audio")).to_dict() == MEL | {"log_floor": 1e-5}
    assert load_vocoder(find(str(pair[1]), "audio")).name.startswith("griffin-lim")
    with pytest.raises(BadInput, match="has no vocoder"):
        load_vocoder(find(str(pair[1]), "audio"), "hifi-gan")
