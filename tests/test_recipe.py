"""A recipe may come from anywhere: whatever is wrong with it is said in one sentence."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest

import eidophone
from eidophone.core.errors import BadInput, EidophoneError
from eidophone.media.picture import write_png
from eidophone.results.recipe import KEYWORD, read_recipe


@pytest.fixture(scope="module")
def made(settings: dict, tmp_path_factory: pytest.TempPathFactory):
    out = tmp_path_factory.mktemp("made")
    (result,) = eidophone.compose("a", "b", count=1, steps=1, out=out / "o", **settings)
    return result


def test_all_carriers_carry_the_same_recipe(made) -> None:
    carriers = ("picture.png", "spectrogram.png", "sound.wav", "record.json", "")
    recipes = [read_recipe(made.folder / name).text() for name in carriers]
    assert set(recipes) == {made.recipe.text()}


DAMAGE = [
    ("options", None), ("options", []), ("index", None), ("index", 9), ("index", "../../x"), ("verb", []),
    ("verb", "sing"), ("versions", None), ("models", []), ("models", {"image": 3}), ("mel_spec", None),
    ("mel_spec", {"n_mels": 3.5}), ("mel_spec", []), ("format", 2), ("inputs", []), ("inputs", {"seed": "x"}),
    ("inputs", {"picture": "0" * 64}), ("options", {"preset": []}), ("options", {"foo": 1}),
    ("options", {"seed": "x"}), ("options", {"image_model": 5}),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value"), DAMAGE, ids=str)
def test_a_damaged_recipe_is_refused(key: str, value: object, made, tmp_path: Path) -> None:
    recipe = copy.deepcopy(made.recipe.plain())
    if value is None:
        del recipe[key]
    else:
        recipe[key] = value
    path = tmp_path / "x.png"
    write_png(path, made.picture, text={KEYWORD: json.dumps(recipe)})
    with pytest.raises(EidophoneError):
        eidophone.remake(path, out=tmp_path / "o")
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("text", ["{", "[1]", "3", "[" * 100_000, "\udcff", ""])
def test_a_damaged_text_is_refused(text: str, made, tmp_path: Path) -> None:
    folder = tmp_path / "r"
    folder.mkdir()
    (folder / "record.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(BadInput, match=r"record\.json"):
        eidophone.load(str(folder))


def test_a_recipe_cannot_make_us_fetch_a_foreign_model(made, settings, tmp_path: Path, monkeypatch) -> None:
    asked: list[str] = []  # an exception would be taken for a hub that does not answer
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", lambda *_, **__: asked.append("the hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    recipe = copy.deepcopy(made.recipe.plain())
    recipe["models"]["audio"]["name"] = recipe["options"]["audio_model"] = "evil/repo"
    path = tmp_path / "x.png"
    write_png(path, eidophone.Picture(np.zeros((32, 64, 3), np.float32)), text={KEYWORD: json.dumps(recipe)})
    with pytest.raises(EidophoneError, match="evil/repo"):
        eidophone.hear(path, out=tmp_path / "o")
    with pytest.raises(EidophoneError, match="uses the model 'image', which is not one of the cards"):
        eidophone.remake(path, out=tmp_path / "o")
    with pytest.raises(EidophoneError, match="evil/repo"):
        eidophone.remake(path, out=tmp_path / "o", image_model=settings["image_model"])
    assert not asked


def test_see_then_hear_uses_the_same_model(pair: tuple[Path, Path], tmp_path: Path) -> None:
    from eidophone.media.audio import write_wav

    wave = (0.3 * np.sin(np.arange(9000) / 5)).astype(np.float32)
    write_wav(tmp_path / "x.wav", eidophone.Clip(wave[None], 8000))
    seen = eidophone.see(tmp_path / "x.wav", audio_model=pair[1], out=tmp_path / "seen")
    with pytest.raises(EidophoneError, match="say with --audio-model where it is"):
        eidophone.hear(seen.folder / "picture.png")  # a picture opens no folder of its own choice
    heard = eidophone.hear(seen.folder / "picture.png", audio_model=pair[1])
    assert heard.clip.rate_hz == 8000
    assert heard.recipe.models["audio"].name == pair[1].name


def test_a_record_that_is_a_link_is_not_followed(tmp_path) -> None:
    from eidophone.core.errors import BadInput as Refused
    from eidophone.results.recipe import read_record as read

    (tmp_path / "private").write_text("secret")
    (tmp_path / "record.json").symlink_to(tmp_path / "private")
    with pytest.raises(Refused, match="is a link"):
        read(tmp_path / "record.json")
