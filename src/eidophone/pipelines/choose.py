"""The best of many: samples are judged, and poor candidates dropped on the way (successive halving).

Candidates are judged early by the picture and the sound that the denoiser already sees in them
(Jamieson and Talwalkar, 2016, arXiv:1502.07943, with the predicted clean latent as the early score). What
is drawn, and what a survivor becomes, is the same as without: only the company in its batches changes,
which the recipe keeps as `lineage`.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import torch

from eidophone.diffusion.pause import Paused, joined
from eidophone.models.embedders.load import load_embedder
from eidophone.options import ChoiceOptions, ComposeOptions
from eidophone.pipelines.meter import Meter
from eidophone.progress import Progress
from eidophone.scoring.contract import judged, subject_of
from eidophone.scoring.judges import open_judges
from eidophone.scoring.ranking import Candidate, candidate_of, ranked
from eidophone.values import Result, Score

Judge = Callable[[Result], Score]
#: (steps, samples in the batch, place in it) of each stretch that a sample walked; 0 steps: decoded.
Lineage = tuple[tuple[int, int, int], ...]
#: Share of the steps after which candidates are judged, and share of them that is kept.
ROUNDS = ((0.12, 0.5), (0.28, 0.25), (0.6, 0.125))


def open_judge(options: ChoiceOptions) -> Judge:
    """Loads the judges of a run, whose device is chosen by now.

    Raises:
        EidophoneError: one is not known or not here.
    """
    device = torch.device(options.device)
    judges = open_judges(options.panel, lambda name: load_embedder(name, device, offline=options.offline))
    return lambda result: judged(subject_of(result), judges)


def best(results: Iterable[Result], options: ChoiceOptions) -> Iterator[Result]:
    """The best `count` of judged results, best first. All of them are kept in memory."""
    candidates = [candidate_of(result) for result in results]
    order = ranked(candidates, options.rank_by, options.looks_weight)
    spent = sum(int(c.item.facts["unet_evaluations"]) for c in candidates)
    for candidate in order[: options.count]:
        yield with_cost(candidate.item, len(candidates), spent)


def with_cost(result: Result, candidates: int, evaluations: int) -> Result:
    """A chosen result that says from how many it was chosen, and what all of them cost."""
    chosen = {"candidates": candidates, "unet_evaluations_of_all": evaluations}
    return replace(result, facts=result.facts | chosen)


def steps_after(share: float, steps: int) -> int:
    """How many steps are at least this share of all.

    >>> steps_after(0.28, 25), steps_after(0.12, 12)
    (7, 2)
    """
    return math.ceil(round(share * steps, 6))


@dataclass(frozen=True)
class Round:
    """Walk until so many steps are done, judge, keep so many."""

    until: int
    keep: int


def rounds(options: ComposeOptions) -> list[Round]:
    """The rounds of a run; the last one judges finished samples.

    >>> rounds(ComposeOptions.make(count=4, from_=32, steps=25, judges="tagger"))
    [Round(until=3, keep=16), Round(until=7, keep=8), Round(until=15, keep=4), Round(until=25, keep=4)]
    """
    assert options.from_ is not None
    found: list[Round] = []
    if options.early_rejection:
        for after, share in ROUNDS:
            until = steps_after(after, options.steps)
            keep = max(options.count, math.ceil(share * options.from_))
            before = found[-1] if found else Round(0, options.from_)
            if before.until < until < options.steps and keep < before.keep:
                found.append(Round(until, keep))
    return [*found, Round(options.steps, options.count)]


@dataclass(frozen=True)
class Walker:
    """One candidate on its way.

    Attributes:
        index: Drawn from seed + index.
        at: Where it is, a batch of one.
        lineage: The stretches that it walked.
        evaluations: U-Net evaluations that it cost.
        seconds: Its share of the time of its batches.
        score: What the judges expect of it.
    """

    index: int
    at: Paused
    lineage: Lineage = ()
    evaluations: int = 0
    seconds: float = 0.0
    score: Score = field(default_factory=Score)


@dataclass(frozen=True)
class Course:
    """What the candidates of a run share: how they start, walk on, and are read.

    Attributes:
        start: The noise of a sample by its index, with a fresh scheduler.
        walk_on: A batch walks until a step; told of every step. Gives also what it is going to be.
        read: Latents as results, for each an index and its lineage.
        evaluations: U-Net evaluations so far.
        at_once: Samples in a batch.
    """

    start: Callable[[int], Paused]
    walk_on: Callable[[Paused, int, Callable[[int], None]], tuple[Paused, torch.Tensor]]
    read: Callable[[torch.Tensor, Sequence[tuple[int, Lineage]]], list[Result]]
    evaluations: Callable[[], int]
    at_once: int

    def batches(self, walkers: Sequence[Walker]) -> Iterator[Sequence[Walker]]:
        """In the order of their indices, so that it depends on nothing else."""
        inline = sorted(walkers, key=lambda walker: walker.index)
        for first in range(0, len(inline), self.at_once):
            yield inline[first : first + self.at_once]


def choose(course: Course, options: ComposeOptions, judge: Judge, progress: Progress) -> Iterator[Result]:
    """The best `count` of `from_` candidates, best first."""
    assert options.from_ is not None
    plan = rounds(options)
    total = sum(
        many * (now.until - before.until)
        for many, before, now in zip(
            [options.from_, *(r.keep for r in plan)], [Round(0, 0), *plan], plan, strict=False
        )
    )
    done = 0

    def _watch(steps: int) -> None:
        nonlocal done
        done += steps
        progress("choosing", done, total)

    walkers = [Walker(i, course.start(i)) for i in range(options.index, options.index + options.from_)]
    for stage in plan:
        walkers = [
            walker
            for batch in course.batches(walkers)
            for walker in _further(course, batch, stage.until, judge, _watch)
        ]
        walkers = _ranked(walkers, options)[: stage.keep]
    results = {r.index: r for batch in course.batches(walkers) for r in _read(course, batch)}
    for walker in walkers:
        result = replace(results[walker.index], score=judge(results[walker.index]))
        yield with_cost(result, options.from_, course.evaluations())


def _further(
    course: Course, batch: Sequence[Walker], until: int, judge: Judge, watch: Callable[[int], None]
) -> list[Walker]:
    """A batch after its next stretch, each candidate judged by what it is going to be."""
    meter, size = Meter(course.evaluations), len(batch)
    steps = until - batch[0].at.step
    at, expected = course.walk_on(joined([w.at for w in batch]), until, lambda _: watch(size))
    cost, seconds = meter.each(size)
    seen = course.read(expected, [(w.index, w.lineage) for w in batch])
    return [
        Walker(
            walker.index,
            at.take([row]),
            (*walker.lineage, (steps, size, row)),
            walker.evaluations + cost,
            walker.seconds + seconds,
            judge(seen[row]),
        )
        for row, walker in enumerate(batch)
    ]


def _ranked(walkers: Sequence[Walker], options: ComposeOptions) -> list[Walker]:
    candidates = [Candidate(w, w.index, w.score.side("looks"), w.score.side("sounds")) for w in walkers]
    return [c.item for c in ranked(candidates, options.rank_by, options.looks_weight)]


def _read(course: Course, batch: Sequence[Walker]) -> list[Result]:
    lineages = [(*w.lineage, (0, len(batch), row)) for row, w in enumerate(batch)]
    latents = joined([w.at for w in batch]).latents
    results = course.read(latents, [(w.index, lineage) for w, lineage in zip(batch, lineages, strict=True)])
    for result, walker in zip(results, batch, strict=True):
        result.facts.update(unet_evaluations=walker.evaluations, seconds=round(walker.seconds, 3))
    return results


def retrace(course: Course, options: ComposeOptions) -> Result:
    """A chosen sample once more: its batches have the size they had, and it its place in them.

    Its company then is replaced by itself: what a network computes of a sample depends on the shape of
    the batch and on the place in it, by rounding, and not on what else lies there.
    """
    at = course.start(options.index)
    for steps, size, row in options.lineage[:-1]:
        many, _ = course.walk_on(at.take([0] * size), at.step + steps, lambda _: None)
        at = many.take([row])
    _, size, row = options.lineage[-1]
    return course.read(at.take([0] * size).latents, [(options.index, options.lineage)] * size)[row]
