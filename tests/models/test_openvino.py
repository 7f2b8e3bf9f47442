"""U-Nets that OpenVINO compiles give torch's numbers up to rounding."""

import pytest
import torch

import eidophone
from eidophone.core.errors import BadInput
from eidophone.models import openvino
from eidophone.models.cards import package_folder
from eidophone.models.networks.reading import read_network
from eidophone.models.networks.reuse import Reuse
from eidophone.models.networks.unet import UNet
from eidophone.verbs.compose import engine
from eidophone.verbs.compose.options import ComposeOptions

#: Largest difference, in standard deviations of what the U-Net predicts.
TOLERANCE = 1e-3
PROMPTS = ("a castle", "a bell")
installed = pytest.mark.skipif(not openvino.available(), reason="OpenVINO is not installed")


@installed
def test_whole_and_reused_answers_equal_those_of_torch() -> None:
    network = read_network(UNet, package_folder("tiny/image") / "unet", torch.float32)
    assert network is not None
    fast, condition = openvino.compiled(network), torch.randn(2, 32, 192)
    ours, theirs = Reuse(2), Reuse(2)
    for at, timestep in enumerate(torch.tensor([900, 860, 820])):
        noisy = torch.randn(2, 16, 8, 12, generator=torch.Generator().manual_seed(at))
        with torch.inference_mode():
            expected = network(noisy, timestep, condition, theirs)[0]
            found = fast(noisy, timestep, condition, ours)[0]
        assert (found - expected).abs().max() < TOLERANCE * expected.std()
    assert openvino.compiled(network) is fast


@installed
def test_a_run_records_the_engine(settings: dict) -> None:
    told = {"count": 1, "steps": 2, **settings}
    (plain,) = eidophone.compose(*PROMPTS, engine="torch", **told)
    (fast,) = eidophone.compose(*PROMPTS, engine="openvino", **told)
    assert [r.recipe.options.plain()["engine"] for r in (plain, fast)] == ["torch", "openvino"]
    assert abs(plain.spectrogram - fast.spectrogram).max() < 1e-3


def test_without_openvino_a_run_says_how_to_get_it(settings: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvino, "find_spec", lambda _: None)
    with pytest.raises(BadInput, match=r"pip install 'eidophone\[openvino\]'"):
        eidophone.compose(*PROMPTS, engine="openvino", count=1, steps=2, **settings)


def test_auto_compiles_for_long_runs_only(settings: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    from eidophone.verbs.shared.context import Context
    from eidophone.verbs.shared.models import load_models

    monkeypatch.setattr(engine, "available", lambda: True)
    monkeypatch.setattr(engine, "compiled", lambda network: network)
    short, long = (
        ComposeOptions.make(**settings, image_prompt="a", audio_prompt="b", steps=25, count=count)
        for count in (4, 64)
    )
    loaded, _ = load_models(short, Context())
    assert [engine.chosen_engine(each, loaded) for each in (short, long)] == ["torch", "openvino"]
    monkeypatch.setattr(engine, "available", lambda: False)
    assert engine.chosen_engine(long, loaded) == "torch"
    assert ComposeOptions.make(preset="paper").engine == "torch"
