"""Families of models: a transformer with flow matching beside the U-Nets, and plain words for what cannot work."""

import json
import shutil
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import torch

import eidophone
from eidophone.core import catalog
from eidophone.core.errors import BadInput
from eidophone.diffusion.sampler import make_scheduler, sampling_steps
from eidophone.models.families import FAMILIES, Family
from eidophone.models.families.pixart import FAMILY as PIXART
from eidophone.models.hub import fetched
from eidophone.models.load import Loader
from eidophone.models.source import find
from tests.cascade import write_words

CPU = torch.device("cpu")


def loader() -> Loader:
    return Loader(CPU, torch.float32, offline=True)


def make_transformer(folder: Path, vae: Path, scheduler: dict | None = None) -> Path:
    """A whole random PixArt in diffusers' layout, trained with flow matching as far as its files say."""
    from diffusers import FlowMatchEulerDiscreteScheduler, PixArtTransformer2DModel
    from transformers import T5Config, T5EncoderModel

    torch.manual_seed(7)
    PixArtTransformer2DModel(
        num_attention_heads=2, attention_head_dim=8, in_channels=4, out_channels=8, num_layers=2,
        cross_attention_dim=16, sample_size=8, patch_size=2, caption_channels=24, norm_num_groups=2,
        use_additional_conditions=False,
    ).save_pretrained(folder / "transformer")  # fmt: skip
    T5EncoderModel(
        T5Config(vocab_size=64, d_model=24, d_kv=8, d_ff=32, num_layers=2, num_heads=2)
    ).save_pretrained(folder / "text_encoder")
    write_words(folder / "tokenizer")
    shutil.copytree(vae, folder / "vae")
    if scheduler is None:
        FlowMatchEulerDiscreteScheduler(shift=3.0).save_pretrained(folder / "scheduler")
    else:
        (folder / "scheduler").mkdir()
        (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(scheduler))
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "PixArtAlphaPipeline"}))
    return folder


@pytest.fixture(scope="module")
def transformer(tmp_path_factory: pytest.TempPathFactory, pair: tuple[Path, Path]) -> Path:
    return make_transformer(tmp_path_factory.mktemp("pixart") / "model", pair[0] / "vae")


def test_files_say_which_family_they_belong_to(
    transformer: Path, pair: tuple[Path, Path], cascade: tuple[Path, Path], tmp_path: Path
) -> None:
    assert find(str(transformer), "image").family == "pixart"
    assert find(str(pair[0]), "image").family == "sd"
    assert find(str(cascade[0]), "pixel").family == "deepfloyd"
    bare = shutil.copytree(transformer, tmp_path / "bare")
    (bare / "model_index.json").unlink()
    assert find(str(bare), "image").family == "pixart"


def test_a_transformer_with_flow_matching_is_sampled_by_the_same_sampler(transformer: Path) -> None:
    """Against the network itself, called with the mapping written out here."""
    model = loader().model(str(transformer), "image")
    condition = model.text.encode("A dog")
    noise = torch.randn((1, 4, 4, 8), generator=torch.Generator().manual_seed(0))
    scheduler = make_scheduler("ddim", model.schedule, 4)
    denoiser = model.guided(condition, model.text.encode(""), 1.0)
    with torch.no_grad():
        for state in sampling_steps(denoiser, noise, scheduler):
            a, x = state.alpha, state.before
            sigma = ((1 - a) / a).sqrt()
            t = sigma / (1 + sigma)
            x_t = x / a.sqrt() * (1 - t)
            kept = (condition.abs().sum(-1) > 0).float()
            v = model.network(
                x_t, encoder_hidden_states=condition, encoder_attention_mask=kept, timestep=(1000 * t)[None],
                added_cond_kwargs={"resolution": None, "aspect_ratio": None},
            ).sample[:, :4]  # fmt: skip
            torch.testing.assert_close(state.clean, x_t - t * v, atol=1e-3, rtol=1e-3)
    assert model.evaluations == 4 and torch.isfinite(state.latents).all()


def test_both_prompts_in_one_call_are_as_two(transformer: Path) -> None:
    from dataclasses import replace

    model = loader().model(str(transformer), "image")
    guided = model.guided(model.text.encode("a dog"), model.text.encode(""), 4.0)
    x = torch.randn((2, 4, 4, 4), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(
            guided(x, torch.tensor(500)),
            replace(guided, both=None)(x, torch.tensor(500)),
            atol=1e-4,
            rtol=1e-3,
        )


def test_padding_of_its_prompts_says_nothing(transformer: Path) -> None:
    """The transformer masks the tokens whose condition is zero: a shorter padding changes nothing."""
    model = loader().model(str(transformer), "image")
    condition = model.text.encode("a dog")
    said = int((condition.abs().sum(-1) > 0).sum())
    assert 0 < said < condition.shape[1]
    x = torch.randn((1, 4, 4, 4), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        whole, cut = (model.noise_of(x, torch.tensor(300), c) for c in (condition, condition[:, :said]))
    torch.testing.assert_close(whole, cut, atol=1e-4, rtol=1e-3)


def test_a_transformer_draws_what_a_unet_plays(transformer: Path, pair: tuple[Path, Path]) -> None:
    """One latent, two families: the VAE is the same, the schedule is the shared one."""
    (result,) = eidophone.compose(
        "a dog", "barking", image_model=str(transformer), audio_model=str(pair[1]), steps=4, count=1,
        image_start_step=0, audio_start_step=0, height=32, width=64, device="cpu", dtype="float32",
        offline=True,
    )  # fmt: skip
    assert result.picture.pixels.std() > 0


def test_a_size_that_the_patches_do_not_divide_is_refused(transformer: Path) -> None:
    model = loader().model(str(transformer), "image")
    with pytest.raises(BadInput, match="multiples of 16 pixels"):
        model.noise_of(torch.zeros(1, 4, 3, 4), torch.tensor(5), model.text.encode("a"))


def test_a_transformer_that_predicts_noise_keeps_its_own_schedule(
    tmp_path: Path, pair: tuple[Path, Path]
) -> None:
    own = {"_class_name": "DDIMScheduler", "beta_schedule": "linear", "beta_start": 0.0001, "beta_end": 0.02}
    folder = make_transformer(tmp_path / "eps", pair[0] / "vae", own)
    model = loader().model(str(folder), "image")
    assert model.schedule["beta_schedule"] == "linear"
    with pytest.raises(eidophone.EidophoneError, match="noise schedules differ"):
        loader().pair(str(folder), str(pair[1]))


@pytest.mark.parametrize(
    ("pipeline", "said"),
    [
        ("StableDiffusionXLPipeline", "Stable Diffusion XL has two text encoders"),
        ("StableDiffusionXLPipeline", "Stable Diffusion XL has two text encoders"),
        ("StableDiffusion3Pipeline", "latents of 16 channels"),
        ("FluxPipeline", "Flux has latents of 16 channels"),
        ("StableAudioPipeline", "without a pitch axis"),
        ("AudioLDM2Pipeline", "AudioLDM 2 makes mel pictures in a latent space"),
        ("StableDiffusionInpaintPipeline", "edits a given picture"),
        ("HunyuanDiTPipeline", "is a HunyuanDiTPipeline, which is not supported; supported families are"),
    ],
)
def test_r76_r77_what_cannot_work_is_named_before_weights_are_read(
    pipeline: str, said: str, tmp_path: Path
) -> None:
    for part in ("transformer", "vae", "scheduler"):
        (tmp_path / "model" / part).mkdir(parents=True)
    (tmp_path / "model" / "model_index.json").write_text(json.dumps({"_class_name": pipeline}))
    with pytest.raises(BadInput, match=said) as refused:
        find(str(tmp_path / "model"), "image")
    assert str(refused.value).count(". ") == 0  # one sentence


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"in_channels": 9}, "takes 9 channels, so it edits a given picture"),
        ({"addition_embed_type": "text_time"}, "Stable Diffusion XL"),
        ({"addition_embed_type": "image"}, "a condition besides text"),
        ({"class_embed_type": "timestep"}, "class labels"),
        ({"num_class_embeds": 10}, "class labels"),
    ],
)
def test_r60_r76_a_unet_that_needs_more_than_text_is_refused(
    change: dict, said: str, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    """Where files are found, so by every verb and by `models check`, before weights are read."""
    folder = shutil.copytree(pair[0], tmp_path / "odd")
    config = folder / "unet" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | change))
    with pytest.raises(BadInput, match=said):
        find(str(folder), "image")


def test_a_folder_may_name_its_family(pair: tuple[Path, Path], tmp_path: Path) -> None:
    folder = shutil.copytree(pair[0], tmp_path / "named")
    (folder / "eidophone.json").write_text(json.dumps({"family": "nonsense"}))
    with pytest.raises(BadInput, match=r"family 'nonsense' is not known; known are .*sd"):
        find(str(folder), "image")
    (folder / "eidophone.json").write_text(json.dumps({"family": "sd"}))
    assert find(str(folder), "image").family == "sd"


def test_another_package_brings_a_family(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("other", "eidophone.models.families.pixart:FAMILY", "eidophone.families")
    asked = []
    monkeypatch.setattr(catalog, "entry_points", lambda group: asked.append(group) or [point])
    fresh: catalog.Catalog[Family] = catalog.Catalog("family", FAMILIES._package, "FAMILY", plural="families")
    assert fresh["other"] is PIXART and {"sd", "deepfloyd", "pixart"} < set(fresh.names())
    assert asked == ["eidophone.families"]


def test_a_hub_is_asked_for_the_index_before_gigabytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    index = tmp_path / "model_index.json"
    index.write_text(json.dumps({"_class_name": "StableDiffusionXLPipeline"}))
    names = ["model_index.json", "unet/config.json", "unet/diffusion_pytorch_model.safetensors"]

    class Api:
        def model_info(self, *_: object, **__: object) -> object:
            from types import SimpleNamespace

            return SimpleNamespace(sha=None, siblings=[SimpleNamespace(rfilename=name) for name in names])

    def nothing_more(*_: object, **__: object) -> None:
        raise AssertionError("weights were fetched")

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda *_, **__: str(index))
    monkeypatch.setattr(huggingface_hub, "snapshot_download", nothing_more)
    assert fetched is not None
    with pytest.raises(BadInput, match="Stable Diffusion XL has two text encoders"):
        find("owner/xl", "image")
