"""Networks that visit a device for each call. No GPU is needed: "meta" stands for one, and holds no numbers."""

from pathlib import Path

import pytest
import torch

import eidophone
from eidophone.core.errors import BadInput
from eidophone.models.load import Loader
from eidophone.models.parked import Parked, park

CPU, AWAY = torch.device("cpu"), torch.device("meta")


def test_weights_visit_the_device_and_are_back_after_each_call(pair: tuple[Path, Path]) -> None:
    model = Loader(CPU, torch.float32, offline=True).model(str(pair[0]), "image")
    before = {name: value.clone() for name, value in model.network.state_dict().items()}
    seen = []
    model.network.conv_in.register_forward_hook(lambda layer, *_: seen.append(layer.weight.device.type))
    park(model, AWAY)
    assert model.device == AWAY and model.dtype == torch.float32
    given = (
        torch.zeros(2, 4, 8, 8, device=AWAY),
        torch.zeros((), device=AWAY),
        torch.zeros(2, 77, 32, device=AWAY),
    )
    noise = model.predictor.network(*given)[0]
    assert noise.shape == (2, 4, 8, 8) and noise.device == AWAY and seen == ["meta"]
    after = model.network.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    pictures = model.vae.decode(torch.zeros(3, 4, 8, 8, device=AWAY))[0]
    assert pictures.shape == (3, 3, 64, 64)
    assert all(weight.device == CPU for weight in model.vae.parameters())


def test_weights_are_back_after_an_error() -> None:
    layer = torch.nn.Linear(2, 2)
    with pytest.raises(RuntimeError):
        Parked(layer, AWAY)(torch.zeros(1, 3, device=AWAY))
    assert layer.weight.device == CPU


def test_a_run_with_little_memory_makes_the_same_sample(settings: dict) -> None:
    told = {"count": 2, "steps": 2, **settings}
    plain = eidophone.compose("a castle", "a bell", **told)
    parked = eidophone.compose("a castle", "a bell", low_memory=True, **told)
    for ours, theirs in zip(parked, plain, strict=True):
        assert (ours.spectrogram == theirs.spectrogram).all()


def test_text_encoders_are_given_back_once_prompts_are_encoded(settings: dict) -> None:
    told = {"count": 1, "steps": 1, **settings}
    with eidophone.Session() as plain, eidophone.Session() as small:
        (theirs,) = plain.compose("a castle", "a bell", **told)
        (ours,) = small.compose("a castle", "a bell", low_memory=True, **told)
        assert (ours.spectrogram == theirs.spectrogram).all()
        assert 0 < small.registry.used_bytes < plain.registry.used_bytes
        read = {part: count for (part, _), count in small.registry.loads.items()}
        (again,) = small.compose("a castle", "a bell", low_memory=True, **told)
        assert (again.spectrogram == ours.spectrogram).all()
        after = {part: count for (part, _), count in small.registry.loads.items()}
    assert after["text_encoder"] > read["text_encoder"] and after["unet"] == read["unet"]


def test_a_released_text_encoder_still_counts_and_knows_words(pair: tuple[Path, Path]) -> None:
    text = Loader(CPU, torch.float32, offline=True).model(str(pair[0]), "image").text
    released = text.released()
    assert (released.length, released.width) == (text.length, text.width)
    assert released.padded("a castle") == text.padded("a castle")
    with pytest.raises(BadInput, match="would be cut"):
        released.check_length("castle " * 200)
