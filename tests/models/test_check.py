"""`check_model` runs a model for one step and compares shipped files with their checksums."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from eidophone.core.errors import BadInput, OutOfMemory
from eidophone.models.cards import package_folder
from eidophone.models.check import check_model
from eidophone.models.digests import check_shipped, digests_of, pinned
from eidophone.models.load import Loader

WEIGHTS = "diffusion_pytorch_model.safetensors"


def loader() -> Loader:
    return Loader(torch.device("cpu"), torch.float32, offline=True)


def test_the_pinned_checksums_are_those_of_the_weights_that_ship() -> None:
    """After a change of weights: `python -m eidophone.models.digests`."""
    assert pinned() == digests_of(package_folder("tiny"))


@pytest.mark.parametrize(
    ("name", "role", "fact"),
    [
        ("tiny", "image", "U-Net of"), ("tiny", "audio", "mel bands at 22050 Hz"),
        ("tiny-pixel", "pixel", "over pixels"), ("tiny-pixel", "upscaler", "pixels"),
        ("tiny", "embedder", "compares picture, sound, text"), ("tiny", "captioner", "describes sound at"),
        ("tiny", "tagger", "521 classes"),
    ],
)  # fmt: skip
def test_everything_that_ships_works(name: str, role: str, fact: str) -> None:
    assert any(fact in found for found in check_model(name, role, loader()).facts)


def test_r20_a_flipped_bit_in_shipped_weights_is_found(tmp_path: Path) -> None:
    root = shutil.copytree(package_folder("tiny"), tmp_path / "tiny")
    check_shipped(root / "image", root)
    file = root / "image" / "unet" / WEIGHTS
    data = bytearray(file.read_bytes())
    data[-1000] ^= 1
    file.write_bytes(data)
    with pytest.raises(BadInput, match=f"{WEIGHTS}: differs from the file that this version ships"):
        check_shipped(root / "image", root)
    check_shipped(root / "embedder", root)
    file.unlink()
    with pytest.raises(BadInput, match="is missing; reinstall"):
        check_shipped(root / "image", root)


def test_r20_a_flipped_bit_in_downloaded_weights_is_found(
    pair: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a hub's cache a large file is a link to one that has its SHA-256 as name."""
    repo = tmp_path / "models--stable-diffusion-v1-5--stable-diffusion-v1-5"
    snapshot = repo / "snapshots" / "abc123"
    shutil.copytree(pair[0], snapshot)
    weights = snapshot / "unet" / WEIGHTS
    blob = repo / "blobs" / hashlib.sha256(weights.read_bytes()).hexdigest()
    blob.parent.mkdir()
    weights.rename(blob)
    weights.symlink_to(blob)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    check_model("sd15", "image", loader())
    data = bytearray(blob.read_bytes())
    data[-1000] ^= 1
    blob.write_bytes(data)
    with pytest.raises(
        BadInput, match=rf"{WEIGHTS}: differs from the file that the hub has; delete .*{blob.name}"
    ):
        check_model("sd15", "image", loader())


@pytest.mark.parametrize(("part", "said"), [("unet", "denoising network"), ("vae", "VAE")])
def test_r20_weights_that_are_not_numbers_do_not_pass(
    part: str, said: str, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    folder = shutil.copytree(pair[0], tmp_path / "nan")
    state = load_file(folder / part / WEIGHTS)
    save_file({k: v * float("nan") for k, v in state.items()}, folder / part / WEIGHTS, {"format": "pt"})
    with pytest.raises(Exception, match=f"{said}.*(not numbers|damaged)") as refused:
        check_model(str(folder), "image", loader())
    assert "--dtype" not in str(refused.value)


def test_a_model_that_memory_cannot_hold_is_named(pair: tuple[Path, Path], tmp_path: Path) -> None:
    folder = shutil.copytree(pair[0], tmp_path / "wide")
    config = folder / "vae" / "config.json"
    channels = json.loads(config.read_text())["block_out_channels"]
    wide = json.loads(config.read_text()) | {"block_out_channels": [*channels[:-1], 2**24]}
    config.write_text(json.dumps(wide))
    with pytest.raises(OutOfMemory, match="close other programs"):
        check_model(str(folder), "image", loader())


def test_any_failure_of_a_model_is_a_sentence(
    pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def _fail(*_: object) -> None:
        raise ZeroDivisionError("heads")

    monkeypatch.setattr("eidophone.models.check._check_latent", _fail)
    with pytest.raises(BadInput, match=r"does not work \(ZeroDivisionError: heads\); fetch the model again"):
        check_model(str(pair[0]), "image", loader())
