"""Judges measure results; the ranking puts results in order.

Add a judge with `register_scorer`, as a module in `eidophone.scoring.scorers`, or from another package by an
entry point in the group "eidophone.scorers".
"""

from eidophone.scoring.scorers import Measure, ScorerSpec, register_scorer

__all__ = ["Measure", "ScorerSpec", "register_scorer"]
