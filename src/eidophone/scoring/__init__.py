"""Judges measure results; the ranking puts results in order.

Add a judge with `register_scorer`, as a module in `eidophone.scoring.scorers`, or from another package by an
entry point in the group "eidophone.scorers". Captioners and embedders are added in the same way, see
`eidophone.models.kinds`.
"""

from eidophone.models.kinds import register_captioner, register_embedder, register_separator
from eidophone.scoring.measures import Measure
from eidophone.scoring.scorers import ScorerSpec, register_scorer

__all__ = [
    "Measure",
    "ScorerSpec",
    "register_captioner",
    "register_embedder",
    "register_scorer",
    "register_separator",
]
