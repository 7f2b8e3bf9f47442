"""The embedded joint space: laws of the contract, and that the shipped weights know things apart."""

import hashlib
import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from eidophone.core.errors import BadInput
from eidophone.media.spectrogram import resampled
from eidophone.models.cards import package_folder
from eidophone.models.embedders.load import load_embedder
from eidophone.models.embedders.tiny import AudioEncoder, TinyEmbedder, load_tiny

FOLDER = package_folder("tiny/embedder")
RATE_HZ = 22_050


@pytest.fixture(scope="module")
def embedder() -> TinyEmbedder:
    return load_tiny(FOLDER, torch.device("cpu"))


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def chirps(count: int, frames: int = RATE_HZ) -> Tensor:
    time = torch.arange(frames) / RATE_HZ
    return torch.stack(
        [torch.sin(2 * torch.pi * (200 + 150 * n) * time * (1 + 0.2 * time)) for n in range(count)]
    )


def test_the_card_loads_it() -> None:
    assert isinstance(load_embedder("tiny", torch.device("cpu"), offline=True), TinyEmbedder)


def test_rows_are_unit_vectors_that_depend_on_their_own_input_only(embedder: TinyEmbedder) -> None:
    pictures, sounds = random(3, 3, 128, 288), chirps(3)
    phrases = ["a dog", "church bell ringing", "a painting of two owls, grayscale"]
    together = (embedder.picture(pictures), embedder.sound(sounds, RATE_HZ), embedder.text(phrases))
    alone = (
        torch.cat([embedder.picture(pictures[i : i + 1]) for i in range(3)]),
        torch.cat([embedder.sound(sounds[i : i + 1], RATE_HZ) for i in range(3)]),
        torch.cat([embedder.text([phrase]) for phrase in phrases]),
    )
    for rows, single in zip(together, alone, strict=True):
        torch.testing.assert_close(rows.norm(dim=1), torch.ones(3))
        torch.testing.assert_close(rows, single, atol=1e-5, rtol=0)


def test_gradients_reach_pixels_and_samples(embedder: TinyEmbedder) -> None:
    target = embedder.text(["a dog"])[0]
    pixels, samples = random(1, 3, 128, 288).requires_grad_(), chirps(1).requires_grad_()
    (embedder.picture(pixels) @ target).sum().backward()
    (embedder.sound(samples, RATE_HZ) @ target).sum().backward()
    for leaf in (pixels, samples):
        assert leaf.grad is not None
        assert torch.isfinite(leaf.grad).all()
        assert leaf.grad.abs().max() > 0


def test_a_small_step_along_the_gradient_gains_what_the_gradient_promises(embedder: TinyEmbedder) -> None:
    target = embedder.text(["a castle"])[0]
    pixels = random(1, 3, 128, 288, seed=2).requires_grad_()
    before = (embedder.picture(pixels) @ target).sum()
    before.backward()
    assert pixels.grad is not None
    length = pixels.grad.norm()
    after = (embedder.picture((pixels + 0.002 * pixels.grad / length).detach()) @ target).sum()
    assert float(after - before.detach()) == pytest.approx(0.002 * float(length), rel=0.05)


def test_a_sound_lies_where_it_lay_at_another_rate_and_loudness(embedder: TinyEmbedder) -> None:
    sound = chirps(2, 3 * RATE_HZ)
    here = embedder.sound(sound, RATE_HZ)
    for other, rate_hz in ((resampled(sound, RATE_HZ, 44_100), 44_100), (0.2 * sound, RATE_HZ)):
        assert (here * embedder.sound(other, rate_hz)).sum(1).min() > 0.98


@pytest.mark.parametrize("frames", [1, 500, 200_000])
def test_a_sound_may_have_any_length(embedder: TinyEmbedder, frames: int) -> None:
    assert torch.isfinite(embedder.sound(torch.zeros(1, frames), RATE_HZ)).all()


@pytest.mark.parametrize("size", [(128, 288), (512, 512), (1, 1), (40, 3)])
def test_a_picture_may_have_any_size(embedder: TinyEmbedder, size: tuple[int, int]) -> None:
    assert embedder.picture(random(1, 3, *size)).shape == embedder.text(["a"]).shape


def test_sight_and_sound_of_one_thing_are_told_alike(embedder: TinyEmbedder) -> None:
    drawn = embedder.text([f"a painting of {a}, grayscale" for a in ("a dog", "a bell", "a train", "a frog")])
    played = embedder.text(["dog barking", "church bell ringing", "train passing", "frog croaking"])
    assert (drawn @ played.T).argmax(1).tolist() == [0, 1, 2, 3]


def test_a_phrase_that_would_be_cut_is_refused(embedder: TinyEmbedder) -> None:
    with pytest.raises(BadInput, match="phrase"):
        embedder.text(["a dog and " * 40])


def test_a_turned_picture_is_not_the_same_to_a_tower() -> None:
    torch.manual_seed(0)
    tower = AudioEncoder([8, 8], 4)
    flat = random(1, 64, 32)
    assert (tower(flat) - tower(flat.flip(1))).abs().max() > 1e-4


def test_its_text_map_was_made_for_the_text_encoder_that_ships() -> None:
    encoder = package_folder("tiny/image") / "text_encoder" / "model.safetensors"
    known = json.loads((FOLDER / "config.json").read_text())["text_encoder"]
    assert hashlib.sha256(encoder.read_bytes()).hexdigest() == known, (
        "run the stage `embedder` again (docs/training.md)"
    )


def test_damaged_weights_are_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes((FOLDER / "config.json").read_bytes())
    for content in (None, b"\0" * 20):
        if content is not None:
            (tmp_path / "model.safetensors").write_bytes(content)
        with pytest.raises(BadInput, match=r"model\.safetensors"):
            load_tiny(tmp_path, torch.device("cpu"))
