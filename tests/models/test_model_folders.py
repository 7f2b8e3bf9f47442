"""What strangers' model files may do: nothing; and what is said of those that cannot be used."""

import errno
import json
import math
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file

from eidophone.core.errors import BadInput
from eidophone.core.settings import Settings
from eidophone.models.identity import file_id
from eidophone.models.load import Loader
from eidophone.models.networks.config import sample_size_of
from eidophone.models.pretrained import checked
from eidophone.models.source import find
from eidophone.models.text import TextEncoder
from tests.models.test_single_file import original


def loader() -> Loader:
    return Loader(torch.device("cpu"), torch.float32, offline=True)


@pytest.mark.parametrize(
    "file",
    [
        "unet/x.json",
        "unet/config.json",
        "scheduler/scheduler_config.json",
        "eidophone.json",
        "tokenizer/tokenizer.json",
    ],
)
@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "dangling link"])
def test_r18_r47_a_pipe_in_a_model_folder_blocks_nothing(
    file: str, kind: str, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    import os

    folder = shutil.copytree(pair[0], tmp_path / "odd")
    (folder / file).unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(folder / file)
    elif kind == "folder":
        (folder / file).mkdir()
    else:
        (folder / file).symlink_to("/dev/zero" if kind == "device" else tmp_path / "gone")
    with pytest.raises(BadInput, match=r"not a plain file|link to a file that is missing"):
        loader().model(str(folder), "image")


@pytest.mark.parametrize(
    ("file", "name", "value", "said"),
    [
        ("vae/config.json", "layers_per_block", 1_000_000, "layers_per_block is above 1,000"),
        ("unet/config.json", "transformer_layers_per_block", [1, 10**9], "above 1,000"),
        ("text_encoder/config.json", "num_hidden_layers", 10**7, "num_hidden_layers is above 1,000"),
    ],
)
def test_settings_that_would_build_for_hours_are_refused_at_once(
    file: str, name: str, value: object, said: str, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    folder = shutil.copytree(pair[0], tmp_path / "odd")
    config = json.loads((folder / file).read_text())
    (folder / file).write_text(json.dumps(config | {name: value}))
    with pytest.raises(BadInput, match=said):
        loader().model(str(folder), "image")


@pytest.mark.parametrize("most", [math.nan, math.inf, 0, "77", None])
def test_a_tokenizer_that_says_no_length_is_refused(most: object) -> None:
    tokenizer = SimpleNamespace(model_max_length=most)
    with pytest.raises(BadInput, match="model_max_length must be a number"):
        _ = TextEncoder(tokenizer, SimpleNamespace(config=Settings())).length


@pytest.mark.parametrize(("size", "expected"), [(None, (64, 64)), (16, (16, 16)), ([8, 24], (8, 24))])
def test_a_network_says_the_size_that_it_was_trained_on(size: object, expected: tuple[int, int]) -> None:
    assert sample_size_of(Settings(sample_size=size), "it", 64) == expected


@pytest.mark.parametrize("size", [[64], [1, 2, 3], "64", -1, [0, 8], 2.5, 10**9])
def test_impossible_sizes_are_refused(size: object) -> None:
    with pytest.raises(BadInput, match="sample_size"):
        sample_size_of(Settings(sample_size=size), "it", 64)


def test_r6_a_recipe_never_holds_a_path(pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    facts = find(str(pair[0]), "image").describe()
    assert facts["name"] == pair[0].name
    assert not any("/" in str(value) for value in facts.values())
    monkeypatch.chdir(pair[0])
    assert find("../image", "image").describe()["name"] == pair[0].name
    assert find(".", "image").describe()["name"] == pair[0].name
    assert find("tiny", "image").describe()["name"] == "tiny"


def test_running_out_of_memory_is_not_damage(tmp_path: Path) -> None:
    def too_large() -> None:
        raise MemoryError

    with pytest.raises(MemoryError):
        checked(tmp_path, too_large)

    def allocator() -> None:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory")

    with pytest.raises(RuntimeError, match="allocate memory"):
        checked(tmp_path, allocator)

    def broken() -> None:
        raise OSError(errno.EIO, "bad block")

    with pytest.raises(BadInput, match=r"cannot be loaded.*bad block.*fetch the model again"):
        checked(tmp_path, broken)


def test_r19_refused_pickles_do_not_advise_to_trust_them(pair: tuple[Path, Path], tmp_path: Path) -> None:
    class Code:
        def __reduce__(self) -> tuple:
            return (Path.touch, (tmp_path / "ran",))

    folder = shutil.copytree(pair[0], tmp_path / "bad")
    (folder / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    torch.save({"w": Code()}, folder / "unet" / "diffusion_pytorch_model.bin")
    with pytest.raises(BadInput, match="would run code when it is opened") as refused:
        loader().model(str(folder), "image")
    assert "weights_only" not in str(refused.value) and not (tmp_path / "ran").exists()


W = torch.zeros(1, 1)
UNET = "model.diffusion_model."
CROSS = f"{UNET}input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"lora_unet_down_blocks_0.lora_down.weight": W}, "is a LoRA"),
        ({"unet.down_blocks.0.attn.to_k.lora_A.weight": W}, "is a LoRA"),
        ({"first_stage_model.decoder.conv_in.weight": W}, "holds a VAE only"),
        ({"decoder.conv_in.weight": W}, "holds a VAE only"),
        ({"conditioner.embedders.0.w": W, f"{UNET}x": W}, "Stable Diffusion XL"),
        ({f"{UNET}joint_blocks.0.w": W}, "latents of 16 channels"),
        ({"double_blocks.0.img_attn.w": W}, "latents of 16 channels"),
        ({CROSS: torch.zeros(320, 1024), f"{UNET}x": W}, r"Stable Diffusion 2\.x.*from_single_file\('m"),
        ({"cond_stage_model.model.x": W, CROSS: torch.zeros(320, 768)}, r"Stable Diffusion 2\.x"),
        ({f"{UNET}input_blocks.0.0.weight": torch.zeros(4, 9, 3, 3)}, "U-Net of 9 input channels"),
        ({CROSS: torch.zeros(320, 768)}, "holds no text encoder"),
        ({"anything": W}, "holds no Stable Diffusion model"),
    ],
)
def test_r78_a_single_file_is_known_by_its_keys(state: dict, said: str, tmp_path: Path) -> None:
    save_file({key: value.clone() for key, value in state.items()}, tmp_path / "m.safetensors")
    with pytest.raises(BadInput, match=said):
        find(str(tmp_path / "m.safetensors"), "image")


def test_a_whole_single_file_passes(pair: tuple[Path, Path], tmp_path: Path) -> None:
    save_file(original(pair[0]), tmp_path / "m.safetensors")
    shutil.copytree(pair[0], tmp_path / "m")
    assert find(str(tmp_path / "m.safetensors"), "image").single == (tmp_path / "m.safetensors").resolve()


def test_a_ckpt_is_refused_with_a_command_that_converts_it(
    pair: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command of the message, run as it stands, makes a file that is read."""
    import re
    import subprocess
    import sys

    torch.save({"state_dict": original(pair[0]), "epoch": 3}, tmp_path / "m.ckpt")
    shutil.copytree(pair[0], tmp_path / "m")
    with pytest.raises(BadInput, match="can run code when it is opened") as refused:
        find(str(tmp_path / "m.ckpt"), "image")
    command = re.search(r'python -c "(.*)"', str(refused.value))[1]
    subprocess.run([sys.executable, "-c", command], cwd=tmp_path, check=True)
    model = loader().model(str(tmp_path / "m.safetensors"), "image")
    assert torch.equal(
        model.network.conv_in.weight, loader().model(str(pair[0]), "image").network.conv_in.weight
    )


def test_r79_a_copied_cache_without_refs_is_used(
    pair: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = tmp_path / "models--stable-diffusion-v1-5--stable-diffusion-v1-5"
    shutil.copytree(pair[0], repo / "snapshots" / "abc123")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert find("sd15", "image", offline=True).revision == "abc123"


def test_r80_a_dangling_link_in_a_cache_is_named(
    pair: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As left by a cache that was copied without its blobs; its permissions are right."""
    repo = tmp_path / "models--stable-diffusion-v1-5--stable-diffusion-v1-5"
    shutil.copytree(pair[0], repo / "snapshots" / "abc123")
    weights = repo / "snapshots/abc123/unet/diffusion_pytorch_model.safetensors"
    weights.unlink()
    weights.symlink_to("../../../blobs/gone")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(
        BadInput, match=r"safetensors: is a link to a file that is missing; fetch the model again"
    ):
        find("sd15", "image", offline=True)


def test_a_name_that_no_file_can_have_is_refused() -> None:
    with pytest.raises(BadInput, match="no file name can hold"):
        file_id(Path("a\0b.safetensors"))
