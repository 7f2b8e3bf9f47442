"""Previews: a decoder in TAESD's layout, with random weights; without it, a linear map."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL, AutoencoderTiny
from safetensors.torch import load_file, save_file

from eidophone.core.errors import BadInput
from eidophone.core.events import Preview
from eidophone.models import small_decoder
from eidophone.models.cards import CARDS_VARIABLE
from eidophone.models.check import check_model
from eidophone.models.checkpoint import find_network
from eidophone.models.load import Loader
from eidophone.models.preview import preview
from eidophone.session import Session

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """TAESD's architecture as diffusers stores it."""
    torch.manual_seed(0)
    found = tmp_path_factory.mktemp("taesd")
    AutoencoderTiny().save_pretrained(found)
    return found


@pytest.fixture(scope="module")
def original(folder: Path) -> Path:
    """The same weights under the names of the published decoder: layers from 1, without a prefix."""
    state = load_file(folder / "diffusion_pytorch_model.safetensors")
    names = {key: key.removeprefix("decoder.layers.").split(".", 1) for key in state if "decoder." in key}
    path = folder / "taesd_decoder.safetensors"
    save_file({f"{int(number) + 1}.{rest}": state[key] for key, (number, rest) in names.items()}, path)
    return path


def latents() -> torch.Tensor:
    return torch.randn(2, 4, 6, 10, generator=torch.Generator().manual_seed(1))


def big(decoder: Any) -> Any:
    """A model whose own VAE is too large for previews; calling it fails."""
    weights = [torch.empty(2_000_000, device="meta")]
    vae = SimpleNamespace(parameters=lambda: iter(weights))
    return SimpleNamespace(vae=vae, small_decoder=decoder)


def test_a_folder_and_a_file_decode_as_diffusers_does(folder: Path, original: Path) -> None:
    wanted = AutoencoderTiny.from_pretrained(folder).decode(latents()).sample / 2 + 0.5
    for place in (folder, original):
        network = Loader(CPU, torch.float32).preview_decoder(str(place))
        found = preview(big(network), latents())
        assert found.shape == (2, 3, 48, 80)
        torch.testing.assert_close(found, wanted.clamp(0, 1).detach(), atol=1e-5, rtol=0)


def test_without_weights_it_is_a_linear_map(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert small_decoder.find_if_here("nobody/has-this-decoder") is None
    one, other = latents(), latents().flip(0)
    small = preview(big(None), one / 8)
    assert small.shape == (2, 3, 6, 10)  # a pixel a cell
    mixed = preview(big(None), (one + other) / 16)
    torch.testing.assert_close(mixed, (small + preview(big(None), other / 8)) / 2, atol=1e-5, rtol=0)


def test_a_card_of_the_user_names_it(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cards.toml").write_text(f'[mine]\n[mine.preview]\nfolder = "{folder}"\n')
    monkeypatch.setenv(CARDS_VARIABLE, str(tmp_path / "cards.toml"))
    assert find_network("mine", "preview").path == folder
    facts = check_model("mine", "preview", Loader(CPU, torch.float32)).facts
    assert facts == ("decodes 4 channels for previews",)


def test_only_the_vae_of_stable_diffusion_gets_it() -> None:
    def vae(factor: float, channels: int = 4) -> AutoencoderKL:
        return AutoencoderKL(
            latent_channels=channels, block_out_channels=(8,), norm_num_groups=4, scaling_factor=factor
        )

    assert small_decoder.suggested(vae(0.18215)) == "taesd"
    assert small_decoder.suggested(vae(0.13025)) == ""  # SDXL
    assert small_decoder.suggested(vae(0.18215, channels=16)) == ""


def test_other_files_are_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"_class_name": "AutoencoderKL"}')
    with pytest.raises(BadInput, match="AutoencoderTiny"):
        Loader(CPU, torch.float32).preview_decoder(str(tmp_path))
    save_file({"1.weight": torch.zeros(2)}, tmp_path / "half.safetensors")
    with pytest.raises(BadInput, match="keys are missing"):
        Loader(CPU, torch.float32).preview_decoder(str(tmp_path / "half.safetensors"))


def test_a_run_shows_its_previews_through_it(
    folder: Path,
    pair: tuple[Path, Path],
    settings: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(small_decoder, "_MOST_WEIGHTS", 0)  # the random VAE is small; take it for a big one
    sizes = {}
    for name, decoder in (("with", str(folder)), ("without", str(tmp_path / "nothing"))):
        model = tmp_path / name
        shutil.copytree(pair[0], model)
        (model / "eidophone.json").write_text(json.dumps({"preview_decoder": decoder}))
        seen: list[Preview] = []
        with Session() as session:
            given = settings | {"image_model": str(model), "steps": 3, "count": 1, "blend": "average"}
            made = session.compose(
                "a", "b", **given, events=lambda e, s=seen: s.append(e) if isinstance(e, Preview) else None
            )
            (result,) = made
        sizes[name] = {event.picture.pixels.shape[:2] for event in seen}
    height, width = result.picture.pixels.shape[:2]
    assert sizes == {"with": {(height, width)}, "without": {(height // 8, width // 8)}}
