"""Large models run in bfloat16 on a processor that computes in it, unless a number format is asked for."""

import pytest

import eidophone
from eidophone.verbs.shared import models

PROMPTS = ("a castle", "a bell")


@pytest.fixture
def capable(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(models, "computes_bfloat16", lambda: True)
    monkeypatch.setattr(models, "LARGE", 0)
    return monkeypatch


def formats(settings: dict, **more: object) -> str:
    told = settings | {"count": 1, "steps": 2, "dtype": "auto"} | more
    (result,) = eidophone.compose(*PROMPTS, **told)
    return str(result.recipe.options.plain()["dtype"])


def test_large_models_run_in_bfloat16(settings: dict, capable: pytest.MonkeyPatch) -> None:
    assert formats(settings) == "bfloat16"
    assert formats(settings, dtype="float32") == "float32"
    assert formats(settings, preset="paper", width=64, crop=False) == "float32"


def test_small_models_and_older_processors_stay_in_float32(
    settings: dict, capable: pytest.MonkeyPatch
) -> None:
    capable.setattr(models, "LARGE", 10**12)
    assert formats(settings) == "float32"
    capable.setattr(models, "LARGE", 0)
    capable.setattr(models, "computes_bfloat16", lambda: False)
    assert formats(settings) == "float32"


def test_the_pictures_are_nearly_the_same(settings: dict, capable: pytest.MonkeyPatch) -> None:
    told = settings | {"count": 1, "steps": 2}
    (whole,) = eidophone.compose(*PROMPTS, **(told | {"dtype": "float32"}))
    (half,) = eidophone.compose(*PROMPTS, **(told | {"dtype": "auto"}))
    off = abs(whole.spectrogram - half.spectrogram)
    assert 0 < off.mean() < 0.02
