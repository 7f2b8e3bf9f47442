"""The embedded family: it is there, it is small, it works through the real command."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from soxr import resample

import eidophone
from eidophone.cli import main
from eidophone.diffusion.noise import batch_noise
from eidophone.models.cards import package_folder
from eidophone.models.embedders.load import load_embedder
from eidophone.models.load import Loader, load_vocoder, mel_spec_of
from eidophone.models.source import find
from eidophone.models.tagger import RATE_HZ, load_tagger

FAMILY = package_folder("tiny")


def test_the_weights_are_small() -> None:
    sizes = [p.stat().st_size for p in FAMILY.rglob("*") if p.is_file()]
    assert max(sizes) < 45e6 and sum(sizes) < 95e6
    assert not [p for p in FAMILY.rglob("*") if p.suffix in (".bin", ".pt", ".ckpt", ".pkl")]


def test_the_pair_fits_and_shares_everything_but_the_unet_and_the_book_of_words() -> None:
    image, audio = Loader(torch.device("cpu"), torch.float32, offline=True).pair("tiny", "tiny")
    assert image.vae is audio.vae and image.unet is not audio.unet
    assert image.text.network is audio.text.network and image.text.wordbook != audio.text.wordbook


def test_the_canvas_is_as_large_as_promised() -> None:
    source = find("tiny", "audio")
    height, width = source.advice.canvas
    spec = mel_spec_of(source)
    assert height >= 128 and width >= 256 and spec.bands == height
    assert spec.seconds(width) >= 3
    assert load_vocoder(source).name


def test_words_that_are_near_have_conditions_that_are_near() -> None:
    text = Loader(torch.device("cpu"), torch.float32, offline=True).model("tiny", "image").text

    def near(a: str, b: str) -> float:
        first, second = (text.encode(words)[0].mean(0) for words in (a, b))
        return float(torch.nn.functional.cosine_similarity(first, second, dim=0))

    for word, friend, stranger in (
        ("puppy", "dog", "church"), ("kitten", "cat", "guitar"), ("locomotive", "train", "frog"),
    ):  # fmt: skip
        assert near(word, friend) > near(word, stranger), word


@pytest.mark.slow
def test_the_command_works_offline_and_makes_different_samples(tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    out = tmp_path / "out"
    prompts = ["a painting of castle towers, grayscale", "church bell ringing"]
    assert main(["compose", *prompts, "--count", "2", "--preset", "draft", "--json", "--out", str(out)]) == 0
    samples = json.loads(capsys.readouterr().out)
    assert [s["index"] for s in samples] == [0, 1]
    results = [eidophone.load(s["folder"]) for s in samples]
    assert all(r.picture.pixels.std() > 0.05 for r in results), "an empty picture"
    assert all(r.clip.samples.std() > 0.003 for r in results), "silence"
    assert np.abs(results[0].picture.pixels - results[1].picture.pixels).mean() > 0.02
    again = eidophone.remake(out / "0001" / "sound.wav", out=tmp_path / "again")
    for name in ("picture.png", "sound.wav", "video.mp4"):
        assert (again.folder / name).read_bytes() == (out / "0001" / name).read_bytes()


@pytest.mark.slow
def test_the_demo_shows_a_frog_and_plays_one() -> None:
    prompts = ("a painting of three frogs, grayscale, black background", "frog croaking")
    (made,) = eidophone.compose(*prompts, count=1, offline=True)
    drawn, whole = find("tiny", "image").advice.canvas[1], made.spectrogram.shape[1]
    assert whole == find("tiny", "audio").advice.shared_width > drawn
    ear, eye = load_tagger(), load_embedder("tiny", torch.device("cpu"))
    sound = torch.from_numpy(resample(made.clip.mono(), made.clip.rate_hz, RATE_HZ))
    assert "Frog" in ear.top(ear.scores(sound[None]).mean(1), 5)[0]
    things = ["a frog", "a dog", "a castle", "a trumpet", "a clock", "a tree", "nothing"]
    pixels = torch.from_numpy(made.spectrogram)[None, None].expand(-1, 3, -1, -1)
    assert int((eye.text(things) @ eye.picture(pixels)[0]).argmax()) == 0


@pytest.mark.parametrize("batch", [1, 3])
def test_two_prompts_in_one_call_say_what_two_calls_say(batch: int) -> None:
    model = Loader(torch.device("cpu"), torch.float32, offline=True).model("tiny", "image")
    told = [model.text.encode(words) for words in ("two dogs", "")]
    together = model.guided(told[0], told[1], 5.0)
    latents, at = batch_noise(model.latent_shape(128, 288), range(batch)), torch.tensor(500)
    with torch.inference_mode():
        before = model.evaluations
        paired = together(latents, at)
        assert model.evaluations - before == 2 * batch
        apart = replace(together, both=None)(latents, at)
    assert model.evaluations - before == 4 * batch
    torch.testing.assert_close(paired, apart, atol=1e-4, rtol=1e-4)
