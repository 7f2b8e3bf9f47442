"""Registrations of a test end with it, and so do the models that the default session has loaded."""

from collections.abc import Iterator

import pytest

from eidophone.diffusion.views import VIEWS
from eidophone.models.cards import CARDS_VARIABLE
from eidophone.models.kinds import CAPTIONERS, EMBEDDERS, SEPARATORS
from eidophone.options.samplers import SAMPLERS
from eidophone.scoring.scorers import SCORERS
from eidophone.verbs import VERBS
from eidophone.verbs.compose.blends import BLENDS


@pytest.fixture(autouse=True)
def leaves_the_catalogs_alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    catalogs = (SAMPLERS, VIEWS, SCORERS, BLENDS, VERBS, CAPTIONERS, EMBEDDERS, SEPARATORS)
    before = [(catalog, catalog.names(), dict(catalog._values)) for catalog in catalogs]
    monkeypatch.delenv(CARDS_VARIABLE, raising=False)
    yield
    for catalog, _, values in before:
        catalog._values = values


@pytest.fixture
def draft() -> dict[str, object]:
    """Options under which compose takes about a second."""
    return {"preset": "draft", "steps": 2, "count": 1, "width": 64, "device": "cpu", "offline": True}
