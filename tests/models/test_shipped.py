"""What ships with the package and is not there is named, with the way to have it again."""

from collections.abc import Callable
from pathlib import Path

import pytest

from eidophone.core.errors import WeightsAbsent
from eidophone.models import source
from eidophone.models.captioners.tagged import load_tagged
from eidophone.models.tagger import load_tagger


@pytest.mark.parametrize(
    ("load", "what"),
    [(load_tagger, "The tagger"), (load_tagged, "The captioner")],
    ids=["tagger", "captioner"],
)
def test_an_absent_part_is_named_with_its_folder_and_its_recipe(
    load: Callable[[Path], object], what: str, tmp_path: Path
) -> None:
    with pytest.raises(
        WeightsAbsent, match=f"^{what} is missing from .*; reinstall .* `python -m training"
    ) as said:
        load(tmp_path)
    assert str(tmp_path) in str(said.value)


def test_an_absent_model_of_the_family_is_named_with_its_role(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "package_folder", lambda part: tmp_path / part)
    with pytest.raises(WeightsAbsent, match=r"^The audio model 'tiny' is missing from"):
        source.find("tiny", "audio", offline=True)
