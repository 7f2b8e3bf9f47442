"""Results that version 0.1.0 (commit 8c84d33) wrote are read, shown and made again."""

from pathlib import Path

import numpy as np
import pytest

import eidophone
from eidophone.results.recipe import read_recipe

OLD = Path(__file__).parent / "fixtures" / "made-by-0.1.0"
FILES = {"picture": OLD / "ripple.png", "sound": OLD / "chirp.wav"}


@pytest.mark.parametrize("name", ["compose", "imprint", "paint"])
def test_an_old_result_is_read(name: str) -> None:
    result = eidophone.load(OLD / name)
    assert result.verb == name and result.recipe.eidophone == "0.1.0"
    assert read_recipe(OLD / name / "sound.wav") == read_recipe(OLD / name / "picture.png") == result.recipe


def test_an_old_result_of_files_is_made_again_to_the_number(tmp_path: Path) -> None:
    """No network has a part in it, so its numbers may not change."""
    old = eidophone.load(OLD / "imprint")
    new = eidophone.remake(OLD / "imprint" / "picture.png", out=tmp_path, **FILES)
    back = eidophone.load(new.folder)
    assert np.array_equal(back.spectrogram, old.spectrogram)
    assert (
        np.abs(back.clip.samples - old.clip.samples).max() < 1e-3
    )  # the processor may differ in the last bits
    assert new.recipe.options.plain()["sampler"] == old.recipe.options.plain()["solver"]


@pytest.mark.parametrize(("name", "files"), [("compose", {}), ("paint", {"sound": FILES["sound"]})])
def test_an_old_result_of_the_embedded_models_is_made_again(name: str, files: dict, tmp_path: Path) -> None:
    """The same picture where the weights are the same; another one, with a warning, where newer ones ship."""
    old = eidophone.load(OLD / name)
    new = eidophone.remake(OLD / name, out=tmp_path, **files)
    assert new.picture.pixels.shape == old.picture.pixels.shape
    assert new.recipe.options.plain()["seed"] == old.recipe.options.plain()["seed"]
    same = all(new.recipe.models[role].weights == facts.weights for role, facts in old.recipe.models.items())
    if same:
        assert np.abs(new.picture.pixels - old.picture.pixels).max() < 0.02
