"""The judges that need no embedder. One module for each.

A module here defines `SCORER`; its name is the judge's name. Another package can bring a judge by an entry point
in the group "eidophone.scorers", which names a `ScorerSpec` or a factory. Importing this package imports no torch.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eidophone.core.catalog import Catalog
from eidophone.scoring.measures import Measure

if TYPE_CHECKING:
    from eidophone.scoring.contract import Scorer


@dataclass(frozen=True)
class ScorerSpec:
    """How a judge is made, and what its numbers mean.

    Attributes:
        factory: Makes the judge, with its networks loaded; it takes no arguments.
        help: One phrase for lists.
        measures: By the name of the number, without the judge's name.
    """

    factory: "Callable[[], Scorer]"
    help: str = ""
    measures: Mapping[str, Measure] = field(default_factory=dict)


SCORERS: Catalog["ScorerSpec | Callable[[], Scorer]"] = Catalog(
    "scorer", package=__name__, attribute="SCORER"
)

#: Names of earlier versions.
FORMER_NAMES = {"rehearing": "roundtrip", "clean": "signal"}


def register_scorer(
    name: str,
    factory: "Callable[[], Scorer]",
    help: str = "",
    measures: Mapping[str, Measure] | None = None,
) -> None:
    """Adds a judge: `--judges` finds it by its name.

    Args:
        name: On the command line, and in front of its numbers. A judge of that name is replaced.
        factory: Makes the judge, a `Scorer`.
        help: One phrase for lists.
        measures: What its numbers mean, for tables and reports.
    """
    SCORERS.register(name, ScorerSpec(factory, help, measures or {}))


def scorer_spec(name: str) -> ScorerSpec:
    """A judge by its name.

    Raises:
        ValueError: there is none.
    """
    found = SCORERS[name]
    if isinstance(found, ScorerSpec):
        return found
    about = (found.__doc__ or "").strip().splitlines()
    return ScorerSpec(found, about[0] if about else "", getattr(found, "measures", {}))
