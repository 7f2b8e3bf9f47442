"""Recipes and records that a stranger changed: nothing that they name is opened or fetched (ids: the review)."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eidophone
from eidophone.cli import main
from eidophone.core.errors import BadInput, EidophoneError
from eidophone.media.files import sha256
from eidophone.media.picture import read_picture, read_png_text, write_png
from eidophone.results.recipe import KEYWORD

Change = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def heard(settings: dict, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a picture that was played; the picture lies in another folder."""
    root = tmp_path_factory.mktemp("heard")
    write_png(root / "x.png", eidophone.Picture(np.full((32, 64, 3), 0.5, np.float32)))
    result = eidophone.hear(root / "x.png", audio_model=settings["audio_model"], out=root / "o")
    return Path(result.folder)


@pytest.fixture(scope="module")
def composed(settings: dict, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("composed")
    (result,) = eidophone.compose("a", "b", count=1, steps=1, threads=1, out=out, **settings)
    return Path(result.folder)


def evil(of: Path, change: Change, to: Path) -> Path:
    """The picture of a result with another recipe."""
    recipe = json.loads(read_png_text(of / "picture.png")[KEYWORD])
    change(recipe)
    write_png(to, read_picture(of / "picture.png"), text={KEYWORD: json.dumps(recipe)})
    return to


def models(settings: dict) -> dict[str, object]:
    return {name: settings[name] for name in ("image_model", "audio_model")}


@pytest.mark.parametrize("inputs", [{}, None])
def test_r2_a_file_without_a_checksum_is_not_read(inputs: dict | None, heard: Path, tmp_path: Path) -> None:
    def _change(recipe: dict) -> None:
        recipe["options"]["picture"] = "../x.png"
        del recipe["inputs"]
        if inputs is not None:
            recipe["inputs"] = inputs

    (tmp_path / "in").mkdir()
    shutil.copy(heard.parents[1] / "x.png", tmp_path)
    for carrier in (evil(heard, _change, tmp_path / "in" / "evil.png"), recorded(heard, _change, tmp_path)):
        with pytest.raises(BadInput, match="names a picture without its checksum"):
            eidophone.remake(carrier, out=tmp_path / "o")
    assert not (tmp_path / "o").exists()


def recorded(of: Path, change: Change, tmp_path: Path) -> Path:
    """A copy of a result whose record has another recipe."""
    folder = shutil.copytree(of, tmp_path / "in" / "0000")
    record = json.loads((folder / "record.json").read_text())
    change(record["recipe"])
    (folder / "record.json").write_text(json.dumps(record))
    return folder


def test_r3_nobody_learns_from_a_recipe_which_files_there_are(heard: Path, tmp_path: Path) -> None:
    """An absolute path is looked for by its last name only; the answer is the same for a file that exists."""
    private = tmp_path / "private" / "x.png"
    private.parent.mkdir()
    shutil.copy(heard.parents[1] / "x.png", private)
    said = set()
    for path, checksum in (
        (private, sha256(private)),
        (private, "0" * 64),
        (tmp_path / "gone" / "x.png", "0" * 64),
    ):

        def _change(recipe: dict, path: Path = path, checksum: str = checksum) -> None:
            recipe["options"]["picture"], recipe["inputs"]["picture"] = str(path), checksum

        with pytest.raises(BadInput) as refused:
            eidophone.remake(evil(heard, _change, tmp_path / "evil.png"), out=tmp_path / "o")
        said.add(str(refused.value))
    assert said == {"x.png: the picture that was used is not here; say where it is with --picture."}


def test_r4_a_recipe_downloads_nothing(heard: Path, composed: Path, tmp_path: Path, monkeypatch) -> None:
    """Not even cards: only a user who names a model may start a download of gigabytes."""
    asked: list[str] = []  # an exception would be taken for a hub that does not answer

    def _asked(*_: object, **__: object) -> None:
        asked.append("the hub")
        raise ConnectionError

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", _asked)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    named = evil(heard, lambda x: x["models"]["audio"].update(name="auffusion"), tmp_path / "a.png")
    with pytest.raises(EidophoneError, match="run `eidophone models pull auffusion`"):
        eidophone.hear(named)
    both = {"image_model": "sd15", "audio_model": "auffusion"}
    with pytest.raises(EidophoneError, match="run `eidophone models pull "):
        eidophone.remake(evil(composed, lambda x: x["options"].update(both), tmp_path / "b.png"))
    assert not asked


ESCAPES = "\x1b]0;owned\x07\x1b[31m0\nfake line"


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x["versions"].update(torch=ESCAPES),
        lambda x: x["versions"].update({ESCAPES: "1"}),
        *(
            lambda x, fact=fact: x["models"]["audio"].update({fact: ESCAPES})
            for fact in ("name", "revision", "weights")
        ),
        lambda x: x["options"].update(vocoder=ESCAPES),
        lambda x: x["options"].update(picture=ESCAPES),
        lambda x: x["options"].update({ESCAPES: 1}),
        lambda x: x["mel_spec"].update({ESCAPES: 1}),
    ],
)
def test_r8_what_a_recipe_says_cannot_act_on_the_terminal(
    change: Change, heard: Path, settings: dict, tmp_path: Path, capsys
) -> None:
    path = evil(heard, change, tmp_path / "evil.png")
    more = ["--picture", str(heard.parents[1] / "x.png"), "--audio-model", str(settings["audio_model"])]
    assert main(["remake", str(path), *more, "--out", str(tmp_path / "o")]) in (0, 2)
    said = capsys.readouterr()
    assert not set(said.err + said.out) & {"\x1b", "\x07"} and "\nfake line" not in said.err + said.out


@pytest.mark.parametrize("verb", ["see", "hear", "caption", "score", "paint", "evaluate"])
@pytest.mark.parametrize("there", [True, False])
def test_r10_a_file_name_cannot_act_on_the_terminal(verb: str, there: bool, tmp_path: Path, capsys) -> None:
    path = tmp_path / f"{ESCAPES}.wav"
    if there:
        path.write_bytes(b"RIFF nothing")
    assert main([verb, str(path), *(["x.wav"] if verb == "score" else [])]) == 2
    said = capsys.readouterr()
    assert "owned" in said.err + said.out
    assert not set(said.err + said.out) & {"\x1b", "\x07"} and "\nfake line" not in said.err + said.out


@pytest.mark.parametrize("beside", [False, True])
def test_r5_a_folder_that_only_a_recipe_names_is_not_opened(
    beside: bool, composed: Path, settings: dict, tmp_path: Path, monkeypatch
) -> None:
    """Neither by its path nor by a bare name that lies in the current folder."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(settings["image_model"], tmp_path / "image")
    name = "image" if beside else str(tmp_path / "image")
    path = evil(composed, lambda x: x["options"].update(image_model=name), tmp_path / "evil.png")
    with pytest.raises(BadInput, match=r"which is not one of the cards; say with --image-model where it is"):
        eidophone.remake(path, out=tmp_path / "o", audio_model=settings["audio_model"])


def test_r6_a_result_shows_no_folder_of_the_models(
    heard: Path, settings: dict, tmp_path: Path, capsys
) -> None:
    home = tmp_path / "home-of-alice"
    for name in ("image_model", "audio_model"):
        shutil.copytree(str(settings[name]), home / name)
    sound = str(heard / "sound.wav")
    given = {"image-model": home / "image_model", "audio-model": home / "audio_model"}
    flags = [str(part) for name, value in given.items() for part in (f"--{name}", value)]
    for command in (
        ["hear", str(heard.parents[1] / "x.png"), *flags[2:]],
        ["see", sound, *flags[2:]],
        ["compose", "a", "b", "--count", "1", "--steps", "1", *flags],
        ["distill", "a", "b", "--count", "1", "--iterations", "1", *flags],
    ):
        assert main([*command, "--out", str(tmp_path / command[0])]) == 0
        for path in (tmp_path / command[0]).rglob("*"):
            assert path.is_dir() or b"alice" not in path.read_bytes(), path
    capsys.readouterr()


def test_r16_only_the_batch_of_the_sample_is_made(composed: Path, settings: dict, tmp_path: Path) -> None:
    """A recipe of a million samples costs one, and the sample is what it was."""
    path = evil(composed, lambda x: x["options"].update(count=1_000_000, batch_size=1), tmp_path / "evil.png")
    stages: list[int] = []
    again = eidophone.remake(
        path, out=tmp_path / "o", progress=lambda _, __, total: stages.append(total), **models(settings)
    )
    assert max(stages) < 10
    assert (again.folder / "sound.wav").stat().st_size == (composed / "sound.wav").stat().st_size
    assert (
        read_picture(again.folder / "picture.png").pixels == read_picture(composed / "picture.png").pixels
    ).all()


def test_r16_samples_that_contradict_the_count_are_one_short_sentence(
    composed: Path, settings, tmp_path
) -> None:
    change = {"samples": list(range(10_000)), "count": 3}
    path = evil(composed, lambda x: x["options"].update(change), tmp_path / "evil.png")
    with pytest.raises(BadInput, match="lists 10,000 different samples, but --count is 3") as refused:
        eidophone.remake(path, **models(settings))
    assert len(str(refused.value)) < 200


def test_r17_a_recipe_of_a_thousand_threads_takes_as_many_as_there_are_cores(
    composed: Path, settings: dict, tmp_path: Path, capsys
) -> None:
    import torch

    before = torch.get_num_threads()
    path = evil(composed, lambda x: x["options"].update(threads=1024), tmp_path / "evil.png")
    flags = [
        part
        for name, value in models(settings).items()
        for part in ("--" + name.replace("_", "-"), str(value))
    ]
    assert main(["remake", str(path), *flags, "--out", str(tmp_path / "o")]) == 0
    torch.set_num_threads(before)
    assert "--threads 1024: only" in capsys.readouterr().err


def test_r20_other_weights_are_named_when_a_result_is_remade(
    composed: Path, settings: dict, tmp_path: Path, capsys
) -> None:
    """The user named that model, so it runs; the difference is said."""
    flags = ["--image-model", str(settings["audio_model"]), "--audio-model", str(settings["audio_model"])]
    assert main(["remake", str(composed), *flags, "--out", str(tmp_path / "o")]) == 0
    assert "the bytes may differ: it was made with image model's" in capsys.readouterr().err


@pytest.mark.parametrize("value", [5, None, "abc", [], {"picture": 3}])
def test_r41_facts_of_a_record_name_no_input(
    value: object, heard: Path, settings: dict, tmp_path: Path
) -> None:
    """Earlier versions kept the inputs there."""
    folder = shutil.copytree(heard, tmp_path / "r" / "0000")
    record = json.loads((folder / "record.json").read_text())
    record["facts"]["inputs"] = value
    (folder / "record.json").write_text(json.dumps(record))
    picture, audio = heard.parents[1] / "x.png", settings["audio_model"]
    again = eidophone.remake(folder, picture=picture, audio_model=audio)
    assert again.recipe.plain() == eidophone.load(str(heard)).recipe.plain()


def test_r42_a_recipe_without_models_is_one_sentence(heard: Path, tmp_path: Path) -> None:
    path = evil(heard, lambda x: x.update(models={}), tmp_path / "evil.png")
    with pytest.raises(BadInput, match=r"names no audio model; name one with --audio-model"):
        eidophone.hear(path)


def test_r43_a_checksum_without_its_file_is_one_sentence(heard: Path, tmp_path: Path) -> None:
    path = evil(heard, lambda x: x["options"].pop("picture"), tmp_path / "evil.png")
    with pytest.raises(BadInput, match="it has the checksum of a picture that it does not name"):
        eidophone.remake(path, picture=heard.parents[1] / "x.png")
