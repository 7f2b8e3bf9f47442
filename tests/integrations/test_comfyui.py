"""The ComfyUI node pack, loaded and called as ComfyUI does it, without its server."""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from eidophone.verbs import VERBS
from eidophone.verbs.forms import LEFT_OUT

PACK = Path(__file__).parents[2] / "integrations" / "comfyui"
TYPES = {"INT", "FLOAT", "STRING", "BOOLEAN", "IMAGE", "AUDIO"}
QUICK = {"preset": "draft", "count": 1, "threads": "1"}


@pytest.fixture(scope="module")
def pack() -> ModuleType:
    """ComfyUI imports a folder of custom_nodes by its path, as a package."""
    spec = importlib.util.spec_from_file_location(
        "custom_nodes_eidophone", PACK / "__init__.py", submodule_search_locations=[str(PACK)]
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def run(pack: ModuleType, verb: str, **values: Any) -> tuple[Any, ...]:
    """Calls a node as ComfyUI does: with the defaults of its widgets, and what is connected."""
    node = pack.NODE_CLASS_MAPPINGS[f"Eidophone{verb.title()}"]
    inputs = node.INPUT_TYPES()
    widgets = {
        name: given[1]["default"]
        for name, given in (inputs["required"] | inputs["optional"]).items()
        if "default" in given[1]
    }
    known = inputs["required"] | inputs["optional"]
    assert values.keys() <= known.keys()
    outputs = getattr(node(), node.FUNCTION)(**{**widgets, **values})
    assert len(outputs) == len(node.RETURN_TYPES)
    return outputs


def check_image(image: Any) -> None:
    assert image.dtype == torch.float32
    assert image.ndim == 4 and image.shape[3] == 3
    assert image.min() >= 0 and image.max() <= 1


def check_audio(audio: Any) -> None:
    assert set(audio) == {"waveform", "sample_rate"}
    assert audio["waveform"].dtype == torch.float32 and audio["waveform"].ndim == 3
    assert isinstance(audio["sample_rate"], int)


@pytest.mark.parametrize("verb", VERBS.names())
def test_every_node_keeps_the_contract(pack: ModuleType, verb: str) -> None:
    node = pack.NODE_CLASS_MAPPINGS[f"Eidophone{verb.title()}"]
    assert f"Eidophone{verb.title()}" in pack.NODE_DISPLAY_NAME_MAPPINGS
    assert callable(getattr(node, node.FUNCTION)) and node.CATEGORY == "Eidophone"
    assert len(node.RETURN_NAMES) == len(node.RETURN_TYPES) and set(node.RETURN_TYPES) <= TYPES
    inputs = node.INPUT_TYPES()
    assert set(inputs) == {"required", "optional"}
    for name, (kind, facts) in (inputs["required"] | inputs["optional"]).items():
        assert name.isidentifier() and facts["tooltip"]
        if isinstance(kind, list):
            assert facts["default"] in kind
        else:
            assert kind in TYPES
        if kind in ("INT", "FLOAT"):
            assert facts["min"] <= facts["default"] <= facts["max"] <= 2**53


@pytest.mark.parametrize("verb", VERBS.names())
def test_inputs_are_the_options(pack: ModuleType, verb: str) -> None:
    inputs = pack.NODE_CLASS_MAPPINGS[f"Eidophone{verb.title()}"].INPUT_TYPES()
    fields = set(VERBS[verb].options.model_fields)
    assert set(inputs["required"] | inputs["optional"]) == fields - LEFT_OUT - {"example", "offline"}


def test_results_go_from_node_to_node(pack: ModuleType) -> None:
    picture, sound, spectrogram = run(
        pack, "compose", image_prompt="castle", audio_prompt="bell", steps=2, **(QUICK | {"count": 2})
    )
    check_image(picture), check_image(spectrogram), check_audio(sound)
    assert picture.shape[0] == sound["waveform"].shape[0] == 2
    heard = run(pack, "hear", picture=spectrogram[:1], threads="1")
    check_audio(heard[1])
    seen = run(pack, "see", sound=heard[1])
    check_image(seen[0])
    pressed = run(pack, "imprint", image_prompt="", audio_prompt="", picture=picture, sound=heard[1], **QUICK)
    assert pressed[0].shape[0] == 2  # one sound for both pictures
    painted = run(pack, "paint", sound=heard[1], caption="a bell", steps=2, **QUICK)
    check_image(painted[0])
    coloured = run(
        pack,
        "colorize",
        picture=spectrogram[:1],
        image_prompt="a red castle",
        steps=1,
        upscale_steps=1,
        **QUICK,
    )
    check_image(coloured[0])
    assert coloured[0].std(-1).max() > 0.01  # it has colours
    torch.testing.assert_close(coloured[0].mean(-1), spectrogram[:1].mean(-1), atol=2 / 255, rtol=0)


def test_defaults_leave_the_decision_to_the_preset(pack: ModuleType) -> None:
    node = pack.NODE_CLASS_MAPPINGS["EidophoneCompose"].INPUT_TYPES()["optional"]
    widgets = {name: facts["default"] for name, (_, facts) in node.items() if "default" in facts}
    assert pack._given(VERBS["compose"], {**widgets, "preset": "draft"}) == {"preset": "draft"}
    assert pack._given(VERBS["compose"], {**widgets, "steps": 7}) == {"preset": "fast", "steps": 7}


def test_batches_that_do_not_match_are_refused(pack: ModuleType) -> None:
    sounds = {"waveform": torch.zeros(3, 1, 16_000), "sample_rate": 16_000}
    with pytest.raises(ValueError, match="2 pictures and 3 sounds"):
        run(pack, "imprint", image_prompt="", audio_prompt="", picture=torch.zeros(2, 8, 8, 3), sound=sounds)


def test_the_readme_lists_every_node() -> None:
    text = (PACK / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\| Eidophone (\w+) \|", text, re.MULTILINE))
    assert named == {name.title() for name in VERBS.names()}
