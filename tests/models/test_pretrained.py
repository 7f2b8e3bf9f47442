"""A network has all of its weights, or is refused with a sentence; and loading is quiet."""

import json
import logging
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from eidophone.core.errors import BadInput
from eidophone.models.captioners.tagged import load_tagged
from eidophone.models.cards import package_folder
from eidophone.models.embedders.tiny import load_tiny
from eidophone.models.load import Loader
from eidophone.models.tagger import load_tagger
from tests.models.test_families import make_transformer

CPU = torch.device("cpu")
_FOREIGN = "of.another.network"


def without(folder: Path, *, more: bool = False) -> str:
    """Takes a weight out of a folder's file, or adds one; returns its name."""
    (file,) = folder.glob("*.safetensors")
    state = load_file(file)
    name = min(state.keys() - {_FOREIGN})
    if more:
        state[_FOREIGN] = torch.zeros(3)
    else:
        del state[name]
    save_file(state, file, metadata={"format": "pt"})
    return name


def loader() -> Loader:
    return Loader(CPU, torch.float32, offline=True)


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
def test_a_weight_that_is_missing_is_named(part: str, pair: tuple[Path, Path], tmp_path: Path) -> None:
    folder = shutil.copytree(pair[0], tmp_path / "model")
    name = without(folder / part)
    with pytest.raises(BadInput, match=f"{part}: a weight is missing .{name}.; fetch the model again"):
        loader().model(str(folder), "image")


@pytest.mark.parametrize("part", ["transformer", "text_encoder"])
def test_a_transformer_with_missing_weights_is_refused(
    part: str, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    folder = make_transformer(tmp_path / "model", pair[0] / "vae")
    without(folder / part)
    with pytest.raises(BadInput, match=f"{part}: a weight is missing"):
        loader().model(str(folder), "image")


@pytest.mark.parametrize("part", ["unet", "text_encoder"])
def test_a_cascade_with_missing_weights_is_refused(
    part: str, cascade: tuple[Path, Path], tmp_path: Path
) -> None:
    first, second = (shutil.copytree(folder, tmp_path / folder.name) for folder in cascade)
    without(first / part)
    with pytest.raises(BadInput, match=f"{part}: a weight is missing"):
        loader().pixel(str(first), {"prompt": "a red fire truck"})
    without(second / "unet")
    with pytest.raises(BadInput, match="unet: a weight is missing"):
        loader().upscaler(str(second))


@pytest.mark.parametrize(
    ("role", "load"),
    [
        ("embedder", lambda folder: load_tiny(folder, CPU)),
        ("captioner", load_tagged),
        ("tagger", load_tagger),
    ],
)
def test_a_network_of_this_package_with_other_weights_is_refused(role: str, load, tmp_path: Path) -> None:
    folder = shutil.copytree(package_folder(f"tiny/{role}"), tmp_path / role)
    load(folder)
    without(folder, more=True)
    with pytest.raises(BadInput, match=r"1 keys are unknown .of.another.network"):
        load(folder)
    without(folder)  # what is missing is said first
    with pytest.raises(BadInput, match="1 keys are missing"):
        load(folder)
    (folder / "config.json").write_text("{}")
    with pytest.raises(BadInput, match=r"config\.json: \w+ is missing"):
        load(folder)


def test_a_vocabulary_larger_than_the_text_encoder_is_refused(
    pair: tuple[Path, Path], tmp_path: Path
) -> None:
    folder = shutil.copytree(pair[0], tmp_path / "model")
    (file,) = (folder / "text_encoder").glob("*.safetensors")
    state = load_file(file)
    name = next(key for key in state if key.endswith("token_embedding.weight"))
    save_file(state | {name: state[name][:100].clone()}, file, metadata={"format": "pt"})
    config = folder / "text_encoder" / "config.json"
    marks = {"vocab_size": 100, "bos_token_id": 98, "eos_token_id": 99, "pad_token_id": 99}
    config.write_text(json.dumps(json.loads(config.read_text()) | marks))
    with pytest.raises(BadInput, match="49,408 entries, but the text encoder beside it knows 100"):
        loader().model(str(folder), "image")


def test_settings_that_stop_a_network_while_it_runs_are_named(
    pair: tuple[Path, Path], tmp_path: Path
) -> None:
    folder = shutil.copytree(pair[0], tmp_path / "model")
    config = folder / "text_encoder" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"num_attention_heads": 3}))  # of width 32
    with pytest.raises(BadInput, match=r"cannot run, because its settings|cannot be loaded, because it is"):
        loader().model(str(folder), "image").text.encode("a dog")


def test_a_fault_of_this_package_is_not_called_damage() -> None:
    from eidophone.models import embedders
    from eidophone.models.pretrained import running

    def theirs() -> None:
        json.loads("{")

    with pytest.raises(BadInput, match="JSONDecodeError"), running("The text encoder"):
        theirs()
    code = compile("def ours():\n    raise ValueError", embedders.__file__, "exec")
    found: dict = {}
    exec(code, found)
    with pytest.raises(ValueError, match=r"^$"), running("The text encoder"):
        found["ours"]()


def test_what_the_libraries_log_while_they_load_is_not_shown(
    pair: tuple[Path, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = shutil.copytree(pair[0], tmp_path / "model")
    for part in ("unet", "vae", "text_encoder"):
        without(folder / part, more=True)
    config = folder / "text_encoder" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"model_type": "other"}))
    levels = [logging.getLogger(name).level for name in ("transformers", "diffusers")]
    loader().model(str(folder), "image")
    without(folder / "text_encoder")
    with pytest.raises(BadInput, match="a weight is missing"):
        loader().model(str(folder), "image")
    assert capfd.readouterr() == ("", "")
    assert [logging.getLogger(name).level for name in ("transformers", "diffusers")] == levels
