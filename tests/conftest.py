"""Small random models in the real layout, made once a session; and where the golden numbers are."""

import importlib.util
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from eidophone.models.cards import package_folder
from tests.cascade import make_cascade

SHARED = Path(os.environ.get("EIDOPHONE_SHARED", Path(__file__).resolve().parents[2] / "shared"))
GOLDEN = SHARED / "golden"

MEL = {
    "rate_hz": 8000, "n_fft": 256, "win_length": 256, "hop_length": 64, "n_mels": 32,
    "f_min": 0.0, "f_max": 4000.0, "floor": 1e-3, "ceiling": 20.0,
}  # fmt: skip
CANVAS = (32, 64)
SCHEDULE = {
    "_class_name": "DDIMScheduler",
    "beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012,
    "num_train_timesteps": 1000, "steps_offset": 1, "set_alpha_to_one": False, "clip_sample": False,
    "prediction_type": "epsilon",
}  # fmt: skip


@pytest.fixture(scope="session")
def golden() -> Path:
    if not GOLDEN.is_dir():
        pytest.skip("the golden numbers are not beside this checkout")
    return GOLDEN


@pytest.fixture(scope="session")
def fill(golden: Path) -> Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]:
    """Fills a full-size network's weights by the golden rule, of each key and shape."""
    spec = importlib.util.spec_from_file_location("fill", golden / "fill.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.fill


def make_model(folder: Path, unet_seed: int, *, vae_seed: int = 0, **schedule: object) -> Path:
    """A whole random model in diffusers' layout, a few hundred thousand parameters."""
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    torch.manual_seed(unet_seed)
    UNet2DConditionModel(
        sample_size=8, block_out_channels=(16, 32), layers_per_block=1, cross_attention_dim=32,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"), attention_head_dim=4, norm_num_groups=8,
    ).save_pretrained(folder / "unet")  # fmt: skip
    torch.manual_seed(vae_seed)
    AutoencoderKL(
        block_out_channels=(8, 8, 16, 16), norm_num_groups=4,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
    ).save_pretrained(folder / "vae")  # fmt: skip
    torch.manual_seed(0)
    text = CLIPTextConfig(
        vocab_size=49408, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        bos_token_id=49406, eos_token_id=49407, pad_token_id=49407,
    )  # fmt: skip
    CLIPTextModel(text).save_pretrained(folder / "text_encoder")
    shutil.copytree(package_folder("layouts/sd15") / "tokenizer", folder / "tokenizer")
    (folder / "scheduler").mkdir()
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(SCHEDULE | schedule))
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "StableDiffusionPipeline"}))
    return folder


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """An image model and an audio model that share VAE and text encoder; Griffin-Lim plays."""
    root = tmp_path_factory.mktemp("pair")
    image, audio = make_model(root / "image", 1), make_model(root / "audio", 2)
    (audio / "eidophone.json").write_text(json.dumps({"mel_spec": MEL, "canvas": CANVAS}))
    return image, audio


@pytest.fixture(scope="session")
def settings(pair: tuple[Path, Path]) -> dict[str, object]:
    """Options that run in a second."""
    return {
        "image_model": str(pair[0]), "audio_model": str(pair[1]), "device": "cpu", "dtype": "float32",
        "offline": True,
    }  # fmt: skip


@pytest.fixture(scope="session")
def cascade(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Folders of stage I and stage II, as diffusers and transformers save them."""
    return make_cascade(tmp_path_factory.mktemp("cascade"))
