"""Parts that two models share are kept once, however their folders differ; damaged folders are named."""

import json
import logging
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from eidophone.cli import main
from eidophone.core.errors import BadInput, ModelsDoNotFit
from eidophone.models import components, load, weights
from eidophone.models.components import load_schedule
from eidophone.models.load import Loader, load_vocoder, same_weights
from eidophone.models.source import find

CPU = torch.device("cpu")
VAE = "vae/diffusion_pytorch_model.safetensors"


def loader(dtype: torch.dtype = torch.float32) -> Loader:
    return Loader(CPU, dtype, offline=True)


def change(path: Path, **facts: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | facts))


@pytest.fixture
def audio(pair, tmp_path: Path) -> Path:
    return shutil.copytree(pair[1], tmp_path / "audio")


def pickled(folder: Path, plain: str, name: str) -> None:
    torch.save(load_file(folder / plain), folder / plain.rpartition("/")[0] / name)
    (folder / plain).unlink()


def test_other_names_versions_and_file_formats_do_not_matter(pair, audio: Path) -> None:
    pickled(audio, VAE, "diffusion_pytorch_model.bin")
    pickled(audio, "text_encoder/model.safetensors", "pytorch_model.bin")
    change(
        audio / "vae/config.json", _name_or_path="/elsewhere", _diffusers_version="0.18.0", sample_size=512
    )
    change(audio / "text_encoder/config.json", _name_or_path="x", transformers_version="4.30", eos_token_id=2)
    image, sound = loader().pair(str(pair[0]), str(audio))
    assert image.vae is sound.vae and image.text is sound.text


def test_equal_parts_are_not_held_twice(pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second VAE and text encoder are gone before the second U-Net is loaded."""
    import weakref

    alive: list[weakref.ref] = []

    def watched(kind: str):
        plain = getattr(where_it_is[kind], kind)

        def loading(*where: object):
            if kind == "load_unet":
                assert sum(ref() is not None for ref in alive) == 2
            made = plain(*where)
            if kind != "load_unet":
                alive.append(weakref.ref(made))
            return made

        return loading

    where_it_is = {"load_vae": load, "load_text_encoder": components, "load_unet": components}
    for kind, module in where_it_is.items():
        monkeypatch.setattr(module, kind, watched(kind))
    loader().pair(*map(str, pair))
    assert len(alive) == 4


def test_a_single_folder_is_read_once_for_both_roles(pair, monkeypatch: pytest.MonkeyPatch) -> None:
    times = []
    plain = load.load_vae
    monkeypatch.setattr(load, "load_vae", lambda *where: times.append(1) or plain(*where))
    loader().pair(str(pair[0]), str(pair[0]))
    assert len(times) == 1


@pytest.mark.parametrize(
    ("file", "facts"),
    [
        ("text_encoder/config.json", {"hidden_act": "gelu"}),
        ("tokenizer/tokenizer_config.json", {"model_max_length": 40}),
    ],
)
def test_text_encoders_that_read_otherwise_are_both_kept(file: str, facts: dict, pair, audio: Path) -> None:
    change(audio / file, **facts)
    image, sound = loader().pair(str(pair[0]), str(audio))
    assert image.text is not sound.text and image.vae is sound.vae


def test_a_vae_of_another_scaling_is_never_taken_for_the_same(pair, audio: Path) -> None:
    change(audio / "vae/config.json", scaling_factor=0.5)
    with pytest.raises(ModelsDoNotFit, match="VAE scaling factors differ"):
        loader().pair(str(pair[0]), str(audio))


@pytest.mark.parametrize("stored", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("run", [torch.float32, torch.float16, torch.bfloat16])
def test_rounding_is_the_same_vae(stored: torch.dtype, run: torch.dtype, pair, audio: Path) -> None:
    save_file({k: v.to(stored) for k, v in load_file(audio / VAE).items()}, audio / VAE, {"format": "pt"})
    image, sound = loader(run).pair(str(pair[0]), str(audio))
    assert image.vae is sound.vae


@pytest.mark.parametrize("size", [1e-4, 1e-2])
def test_the_lightest_fine_tuning_is_another_vae(size: float, pair, audio: Path) -> None:
    torch.manual_seed(0)
    tuned = {k: v + size * v.abs().max() * torch.randn_like(v) for k, v in load_file(audio / VAE).items()}
    save_file(tuned, audio / VAE, {"format": "pt"})
    with pytest.raises(ModelsDoNotFit, match="different weights"):
        loader().pair(str(pair[0]), str(audio))


def test_weights_are_compared_number_by_number() -> None:
    a, b = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    for network in (a, b):
        network.load_state_dict({"weight": torch.tensor([[100.0, 1e-3], [0, 1]]), "bias": torch.zeros(2)})
    assert same_weights(a, b) and same_weights(a, b, 0)
    b.weight.data[0, 1] = 2e-3
    assert not same_weights(a, b)
    b.weight.data[0, 1] = torch.nan
    assert not same_weights(a, b)


# --- damaged folders -----------------------------------------------------------------------------


def one_sentence(error: BaseException, *words: str) -> None:
    said = str(error)
    assert len(said.splitlines()) == 1 and all(word in said for word in words), said


@pytest.mark.parametrize(
    "text",
    [
        "[]", "5", "{", '{"canvas": 5}', '{"canvas": [32]}', '{"canvas": [32.5, 64]}', '{"canvas": [0, 64]}',
        '{"canvas": [32, 1e9]}', '{"image_guidance": "ten"}', '{"audio_guidance": NaN}',
        '{"audio_weight": 2}', '{"mel_spec": []}', '{"mel_spec": {"n_mels": "many"}}',
        '{"mel_spec": {"n_mels": 1000000}}', '{"mel_spec": {"n_fft": 2097152}}',
    ],
)  # fmt: skip
def test_a_damaged_facts_file_is_named(text: str, audio: Path) -> None:
    (audio / "eidophone.json").write_text(text)
    with pytest.raises(BadInput) as refused:
        find(str(audio), "audio")
    one_sentence(refused.value, str(audio / "eidophone.json"))


@pytest.mark.parametrize(
    "text",
    [
        "[]", "{", "null", '{"beta_schedule": "sine"}', '{"beta_start": "low"}', '{"beta_end": 7}',
        '{"num_train_timesteps": 0}', '{"num_train_timesteps": 1e12}', '{"trained_betas": [0.1]}',
        '{"timestep_spacing": 3}', '{"prediction_type": []}',
    ],
)  # fmt: skip
def test_a_damaged_schedule_is_named(text: str, audio: Path) -> None:
    (audio / "scheduler/scheduler_config.json").write_text(text)
    with pytest.raises(BadInput) as refused:
        load_schedule(find(str(audio), "audio"))
    one_sentence(refused.value, "scheduler_config.json", "fetch")


def test_what_a_schedule_leaves_open_is_left_out(audio: Path) -> None:
    change(audio / "scheduler/scheduler_config.json", trained_betas=None, clip_sample_range=None)
    assert not {"trained_betas", "clip_sample_range"} & set(load_schedule(find(str(audio), "audio")))


def test_a_vocoder_without_settings_is_named(audio: Path) -> None:
    (audio / "vocoder").mkdir()
    (audio / "vocoder/vocoder.safetensors").write_bytes(b"junk")
    (audio / "vocoder/config.json").write_text("{}")
    with pytest.raises(BadInput) as refused:
        load_vocoder(find(str(audio), "audio"))
    one_sentence(refused.value, "vocoder/config.json", "missing")


@pytest.mark.parametrize("value", ["x", None, [1]])
def test_a_vae_without_scaling_is_named(value: object, audio: Path) -> None:
    change(audio / "vae/config.json", scaling_factor=value)
    with pytest.raises(BadInput) as refused:
        loader().model(str(audio), "audio")
    one_sentence(refused.value, "vae/config.json", "scaling_factor")


def test_a_text_encoder_of_another_width_is_refused(audio: Path) -> None:
    from transformers import CLIPTextConfig, CLIPTextModel

    wide = CLIPTextConfig(hidden_size=48, intermediate_size=64, num_hidden_layers=1, num_attention_heads=4)
    CLIPTextModel(wide).save_pretrained(audio / "text_encoder")
    with pytest.raises(BadInput) as refused:
        loader().model(str(audio), "audio")
    one_sentence(refused.value, str(audio), "gives 48 numbers per token", "takes 32")


def test_a_long_prompt_is_refused_without_chatter(pair, caplog, capfd) -> None:
    text = loader().model(str(pair[0]), "image").text
    capfd.readouterr()
    logging.getLogger("transformers").propagate = True
    with (
        caplog.at_level(logging.DEBUG),
        pytest.raises(BadInput, match=r"would be cut: 'ring [^']{50,60}\.\.\.'"),
    ):
        text.encode(" ".join(["bell"] * 75 + ["ring"] * 500))
    assert "longer than" not in caplog.text + "".join(capfd.readouterr())


# --- what a record knows of a model --------------------------------------------------------------


def test_a_changed_folder_has_another_digest(audio: Path, tmp_path: Path) -> None:
    first = find(str(audio), "audio").describe()["weights"]
    moved = shutil.copytree(audio, tmp_path / "moved")
    assert len(first) == 16 and find(str(moved), "audio").describe()["weights"] == first
    (moved / "vae/notes.txt~").write_text("no part of the model")
    assert find(str(moved), "audio").weights == first
    for file in (VAE, "unet/diffusion_pytorch_model.safetensors", "scheduler/scheduler_config.json"):
        data = bytearray((moved / file).read_bytes())
        data[-2] ^= 1
        (moved / file).write_bytes(data)
        changed = find(str(moved), "audio").weights
        assert changed != first
        first = changed


def test_what_a_neighbour_lends_is_counted(audio: Path, pair, tmp_path: Path) -> None:
    for part in ("vae", "text_encoder", "tokenizer"):
        shutil.move(audio / part, tmp_path / part)
    image = shutil.copytree(pair[0], tmp_path / "image")
    before = find(str(audio), "audio").weights
    (image / VAE).write_bytes(b"another")
    assert find(str(audio), "audio").weights != before


def test_of_large_files_both_ends_are_read(audio: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = find(str(audio), "audio").weights
    monkeypatch.setattr("eidophone.models.weights._WHOLE_BYTES", 4096)
    monkeypatch.setattr("eidophone.models.weights._END_BYTES", 64)
    weights._kept_digest.cache_clear()
    first = find(str(audio), "audio").weights
    data = bytearray((audio / VAE).read_bytes())
    data[-1] ^= 1
    (audio / VAE).write_bytes(data)
    assert len({whole, first, find(str(audio), "audio").weights}) == 3


# --- models check --------------------------------------------------------------------------------


def test_check_says_whether_a_pair_fits(pair, audio: Path, capsys) -> None:
    assert main(["models", "check", str(audio), str(pair[0])]) == 0
    assert "image and audio fit together" in capsys.readouterr().out
    change(audio / "scheduler/scheduler_config.json", beta_end=0.02)
    assert main(["models", "check", str(audio), str(pair[0])]) == 2
    assert "beta_end" in capsys.readouterr().out


def test_check_of_one_model_speaks_of_no_pair(pair, capsys) -> None:
    assert main(["models", "check", str(pair[0])]) == 0
    assert "fit" not in capsys.readouterr().out
