"""CLIP and CLAP: small random networks in the real layout, against transformers' own processors."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from eidophone.cli import main
from eidophone.core.errors import BadInput
from eidophone.core.values import Clip
from eidophone.media.audio import resample
from eidophone.media.spectrogram import resampled
from eidophone.models.cards import package_folder
from eidophone.models.embedders.load import load_embedder

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel

    folder = tmp_path_factory.mktemp("clip")
    torch.manual_seed(0)
    small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    words = {"bos_token_id": 49406, "eos_token_id": 49407, "pad_token_id": 49407}
    config = CLIPConfig(
        text_config=small | words,
        vision_config=small | {"image_size": 32, "patch_size": 8},
        projection_dim=24,
    )
    CLIPModel(config).save_pretrained(folder)
    CLIPImageProcessorPil(
        size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}, image_mean=[0.5, 0.4, 0.3]
    ).save_pretrained(folder)
    shutil.copytree(package_folder("layouts/sd15") / "tokenizer", folder, dirs_exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def clap_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import ClapConfig, ClapFeatureExtractor, ClapModel, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("clap")
    torch.manual_seed(0)
    text = {
        "vocab_size": 9, "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4,
        "intermediate_size": 64, "projection_hidden_act": "relu",
    }  # fmt: skip
    audio = {
        "patch_embeds_hidden_size": 8, "depths": [1, 1], "num_attention_heads": [2, 2], "hidden_size": 16,
        "window_size": 8, "spec_size": 256, "num_mel_bins": 64, "aff_block_r": 1, "num_classes": 4,
    }  # fmt: skip
    ClapModel(ClapConfig(text_config=text, audio_config=audio, projection_dim=24)).save_pretrained(folder)
    ClapFeatureExtractor(truncation="rand_trunc").save_pretrained(folder)
    words = ["<pad>", "<s>", "</s>", "<unk>", "dog", "barking", "bell"]
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<unk>", model_max_length=64
    ).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("size", [(64, 64), (40, 90), (128, 57)])
def test_clip_sees_what_its_own_processor_prepares(clip_folder: Path, size: tuple[int, int]) -> None:
    from transformers import CLIPImageProcessorPil, CLIPModel

    drawn = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    smooth = np.asarray(Image.fromarray(drawn).resize((8, 8)).resize(size[::-1], Image.Resampling.BICUBIC))
    theirs = CLIPImageProcessorPil.from_pretrained(clip_folder)(
        Image.fromarray(smooth), return_tensors="pt", input_data_format=None
    )["pixel_values"]
    embedder = load_embedder(str(clip_folder), CPU)
    pixels = torch.from_numpy(smooth.copy()).permute(2, 0, 1)[None] / 255
    # PIL rounds to whole grey levels after each of its two passes
    assert (embedder._prepare(pixels) - theirs).abs().max() < 2.5 / 255 / 0.26
    expected = CLIPModel.from_pretrained(clip_folder).get_image_features(theirs).pooler_output
    ours = embedder.picture(pixels)
    assert torch.cosine_similarity(ours, expected).item() > 0.9999


def test_clip_reads_phrases_each_alone(clip_folder: Path) -> None:
    embedder = load_embedder(str(clip_folder), CPU)
    together = embedder.text(["a dog", "a painting of a church bell in the evening"])
    assert torch.allclose(together.norm(dim=1), torch.ones(2), atol=1e-5)
    assert torch.allclose(together[:1], embedder.text(["a dog"]), atol=1e-5)
    with pytest.raises(BadInput, match="has 80 tokens and the embedder reads 77"):
        embedder.text(["bell " * 78])
    with pytest.raises(BadInput, match="hears no sound"):
        embedder.sound(torch.zeros(1, 100), 8000)


def test_gradients_reach_the_pixels(clip_folder: Path) -> None:
    embedder = load_embedder(str(clip_folder), CPU)
    pixels = torch.rand(1, 3, 40, 40, requires_grad=True)
    embedder.picture(pixels)[0, 0].backward()
    assert pixels.grad is not None and pixels.grad.abs().sum() > 0


@pytest.mark.parametrize("seconds", [10.0, 3.7])
def test_clap_hears_what_its_own_extractor_prepares(clap_folder: Path, seconds: float) -> None:
    from transformers import ClapFeatureExtractor, ClapModel

    frames = round(48_000 * seconds)
    sound = 0.3 * torch.randn(2, frames, generator=torch.Generator().manual_seed(0))
    sound[1] = torch.sin(torch.arange(frames) / 17)
    prepared = ClapFeatureExtractor.from_pretrained(clap_folder)(
        list(sound.numpy()), sampling_rate=48_000, return_tensors="pt"
    )
    expected = ClapModel.from_pretrained(clap_folder).eval().get_audio_features(**prepared).pooler_output
    ours = load_embedder(str(clap_folder), CPU).sound(sound, 48_000)
    assert (ours - expected).abs().max() < 1e-4


def test_a_longer_sound_is_heard_in_windows_that_never_change(clap_folder: Path) -> None:
    embedder = load_embedder(str(clap_folder), CPU)
    sound = torch.randn(1, 16 * 48_000, generator=torch.Generator().manual_seed(0))
    first = embedder.sound(sound, 48_000)
    assert torch.equal(first, embedder.sound(sound, 48_000))
    parts = torch.cat(
        [embedder.sound(sound[:, :480_000], 48_000), embedder.sound(sound[:, -480_000:], 48_000)]
    )
    assert torch.allclose(first, torch.nn.functional.normalize(parts.mean(0, keepdim=True)), atol=1e-4)
    assert embedder.text(["dog barking", "bell"]).shape == (2, 24)
    with pytest.raises(BadInput, match="sees no pictures"):
        embedder.picture(torch.zeros(1, 3, 8, 8))


def test_resampling_keeps_a_tone_and_passes_gradients() -> None:
    tone, wanted = (
        torch.sin(2 * torch.pi * 440 * torch.arange(rate).double() / rate).float()[None]
        for rate in (8000, 22050)
    )
    assert (resampled(tone, 8000, 22050) - wanted).abs().max() < 1e-4
    assert (resampled(wanted, 22050, 8000) - tone).abs().max() < 1e-4
    theirs = resample(Clip(tone.numpy(), 8000), 22050).samples[0]
    assert np.abs(resampled(tone, 8000, 22050).numpy()[0] - theirs)[500:-500].max() < 1e-3
    tone.requires_grad_()
    resampled(tone, 8000, 16000).square().sum().backward()
    assert torch.allclose(tone.grad, 4 * tone.detach(), atol=1e-3)


def test_another_network_is_refused_and_check_says_what_it_compares(
    clip_folder: Path, clap_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "check", str(clip_folder), str(clap_folder)]) == 0
    said = capsys.readouterr().out
    assert "(embedder): works, compares picture, text" in said and "compares sound, text" in said
    other = tmp_path / "other"
    other.mkdir()
    (other / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(BadInput, match=r"holds 'bert', which is not a known kind of embedder.*clip-b16"):
        load_embedder(str(other), CPU)
    damaged = shutil.copytree(clip_folder, tmp_path / "damaged")
    (damaged / "model.safetensors").write_bytes(b"not weights")
    assert main(["models", "check", str(damaged)]) == 2
    assert "cannot be loaded" in capsys.readouterr().out
