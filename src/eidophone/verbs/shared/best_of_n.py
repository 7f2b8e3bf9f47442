"""Best of N: rough samples of all candidates first, then the promising ones with the requested settings.

From the same noise, a sampler reaches nearly the same sample in few steps as in many. So every candidate is
sampled in a few steps and judged, and only the better ones are rendered with the requested settings (one
round of successive halving; Jamieson and Talwalkar, 2016, arXiv:1502.07943). Judging the predicted clean
latent of a full run on its way tells far less at the same cost (docs/journal.md). A survivor starts from its
own noise, so it is the same sample as without early rejection.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

import torch

from eidophone.core.events import Reporter
from eidophone.core.values import Result, Score
from eidophone.options.groups import ChoiceOptions
from eidophone.scoring.contract import judged_views
from eidophone.scoring.judges import open_judges
from eidophone.scoring.ranking import Candidate, candidate_of, ranked
from eidophone.verbs.shared.context import Context

AnyChoice = TypeVar("AnyChoice", bound=ChoiceOptions)
Judge = Callable[[Result], Score]
#: Makes the samples of a run, not judged.
Maker = Callable[[AnyChoice, Context], Iterator[Result]]
#: Steps of rough samples: the more the better; fewer than the first say too little.
ROUGH_STEPS = (4, 5, 6, 7, 8)
#: Share of a sample's cost that a rough one should take, and may take where that leaves no choice.
CHEAP, DEAREST = 0.24, 1 / 3
#: Share of the candidates that are rendered with the requested settings.
KEPT = 5 / 32


def open_judge(options: ChoiceOptions, context: Context) -> Judge:
    """Loads the judges of a run, whose device is decided by now.

    Raises:
        EidophoneError: one is not known or not here.
    """
    device = torch.device(options.device)
    judges = open_judges(options.judge_names, device, offline=options.offline, registry=context.registry)
    return lambda result: judged_views(result, judges)


@dataclass(frozen=True)
class RejectionPlan:
    """Sample roughly in this many steps, judge, keep this many candidates."""

    steps: int
    keep: int


def rejection_plan(options: ChoiceOptions) -> RejectionPlan | None:
    """How to reject candidates early, where it pays.

    >>> from eidophone.verbs.compose.options import ComposeOptions
    >>> rejection_plan(ComposeOptions.make(count=1, from_=32, sampler="ddim", steps=25, judges="tagger"))
    RejectionPlan(steps=6, keep=5)
    """
    assert options.from_ is not None
    keep = max(options.count, math.ceil(KEPT * options.from_))
    if not options.early_rejection or keep >= options.from_:
        return None
    costs = {
        steps: options.coarse(steps).cost_per_sample / max(1, options.cost_per_sample)
        for steps in ROUGH_STEPS
    }
    fair = [steps for steps, cost in costs.items() if 0 < cost <= CHEAP]
    if not fair and 0 < costs[ROUGH_STEPS[0]] <= DEAREST:
        fair = [ROUGH_STEPS[0]]
    return RejectionPlan(max(fair), keep) if fair else None


def best_of_n(make: Maker[AnyChoice], options: AnyChoice, judge: Judge, context: Context) -> Iterator[Result]:
    """The best `count` of `from_` candidates, best first, each with its rank.

    The rank is decided here, once, over all candidates that were rendered; nothing ranks them again.
    """
    assert options.from_ is not None
    plan, spent, done = rejection_plan(options), 0, 0
    left = tuple(range(options.index, options.index + options.from_))
    total = options.steps_per_sample * (plan.keep if plan else len(left))
    if plan:
        total += len(left) * options.coarse(plan.steps).steps_per_sample
    outer = context.report

    def _judged(settings: AnyChoice) -> Iterator[Result]:
        nonlocal spent, done
        for part in settings.with_samples(left):
            inner = replace(context, report=_Counting(outer, done, total))
            for result in make(part, inner):
                spent += int(result.facts["unet_evaluations"])
                yield replace(result, score=judge(result))
            done += part.count * part.steps_per_sample

    if plan:
        rough = [_place(candidate_of(result)) for result in _judged(options.coarse(plan.steps))]
        best = ranked(rough, options.rank_by, options.looks_weight)[: plan.keep]
        left = tuple(sorted(candidate.item for candidate in best))
    order = ranked([candidate_of(r) for r in _judged(options)], options.rank_by, options.looks_weight)
    for rank, candidate in enumerate(order[: options.count], 1):
        chosen = {"rank": rank, "candidates": options.from_, "unet_evaluations_of_all": spent}
        yield replace(candidate.item, facts=candidate.item.facts | chosen)


class _Counting(Reporter):
    """Reports the steps of one part of the candidates as steps of the whole choice, without previews."""

    def __init__(self, outer: Reporter, before: int, total: int) -> None:
        super().__init__(outer.listener, outer.cancel, previews=False)
        self._outer, self._before, self._total = outer, before, total

    def __call__(self, _stage: str, done: int, _total: int) -> None:
        """See `Reporter`."""
        self._outer("choosing", min(self._before + done, self._total), self._total)

    def warn(self, message: str) -> None:
        """See `Reporter`."""
        self._outer.warn(message)


def _place(candidate: Candidate[Result]) -> Candidate[int]:
    """Its number and sides alone: pictures and sounds of rough samples are not kept."""
    return Candidate(candidate.item.index, candidate.key, candidate.looks, candidate.sounds)
