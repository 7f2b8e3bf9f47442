"""From judgements of rough samples and of the end: what ways of choosing would choose, and their cost."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from eidophone.evaluation.statistics import Mean, mean_of
from eidophone.scoring.ranking import Candidate, ranked

Sides = tuple[float, float]
#: Steps of the rough samples that are judged.
ROUGH_STEPS = (4, 6, 8)
#: (steps of rough samples, share of the candidates that is kept) of each rejection_plan.
Policy = tuple[tuple[int, float], ...]
POLICIES: dict[str, Policy] = {
    "4 steps keep 1/4": ((4, 0.25),),
    "4 steps keep 1/8": ((4, 0.125),),
    "6 steps keep 1/8": ((6, 0.125),),
    "6 steps keep 5/32": ((6, 5 / 32),),
    "6 steps keep 6/32": ((6, 6 / 32),),
    "8 steps keep 1/16": ((8, 1 / 16),),
    "8 steps keep 1/8": ((8, 0.125),),
    "4 steps 1/4, 8 steps 1/8": ((4, 0.25), (8, 0.125)),
    "4 steps 1/2, 8 steps 1/8": ((4, 0.5), (8, 0.125)),
}
SIZES = (1, 2, 4, 8, 16, 32, 64)
#: Random subsets of the candidates that a curve averages over.
DRAWS = 50


@dataclass
class Pool:
    """The candidates of one pair at one audio weight.

    Attributes:
        early: Both sides of rough samples by their steps and candidate.
        final: Both sides by candidate.
        right: By candidate, whether what is seen and what is heard are named rightly.
    """

    early: dict[int, dict[int, Sides]] = field(default_factory=lambda: defaultdict(dict))
    final: dict[int, Sides] = field(default_factory=dict)
    right: dict[int, tuple[bool, bool]] = field(default_factory=dict)


def pools(rows: Mapping[str, Mapping[str, Any]]) -> dict[str, Pool]:
    """The finished candidates of a ledger, by "pair@weight"."""
    found: dict[str, Pool] = defaultdict(Pool)
    for key, row in rows.items():
        part, index, step = key.rsplit("/", 2)
        if any(f"{part}/{index}/{stage}" not in rows for stage in (*ROUGH_STEPS, "end")):
            continue
        sides = (row["looks"], row["sounds"])
        if step == "end":
            found[part].final[int(index)] = sides
            found[part].right[int(index)] = (row["seen"], row["heard"])
        else:
            found[part].early[int(step)][int(index)] = sides
    return dict(found)


def order(sides: Mapping[int, Sides], among: Iterable[int]) -> list[int]:
    """Candidates by the weaker of two normalised sides, best first."""
    return [c.item for c in ranked([Candidate(i, i, *sides[i]) for i in among])]


def chosen(pool: Pool, among: Sequence[int], policy: Policy, steps: int) -> tuple[int, int]:
    """The best candidate by a policy, and the steps that were walked for it."""
    left, walked = list(among), 0
    for rough, kept in policy:
        walked += len(left) * rough
        left = order(pool.early[rough], left)[: math.ceil(kept * len(among))]
    return order(pool.final, left)[0], walked + len(left) * steps


def merits(pool: Pool) -> dict[int, float]:
    """The weaker of both sides at the end, each in deviations from the mean of the whole pool."""
    table = np.array([pool.final[i] for i in pool.final])
    normal = (table - table.mean(0)) / np.maximum(table.std(0), 1e-9)
    return dict(zip(pool.final, normal.min(1).tolist(), strict=True))


def curve(pool: Pool, size: int) -> dict[str, float]:
    """What the best of `size` is on average, over random subsets."""
    rng, everyone = np.random.default_rng(size), np.array(sorted(pool.final))
    draws = DRAWS if size < len(everyone) else 1
    bars = np.quantile([pool.final[i] for i in pool.final], 0.75, axis=0)
    rows = []
    for _ in range(draws):
        best = order(pool.final, rng.choice(everyone, size, replace=False).tolist())[0]
        looks, sounds = pool.final[best]
        seen, heard = pool.right[best]
        both_high = looks >= bars[0] and sounds >= bars[1]
        rows.append((looks, sounds, both_high, seen, heard, seen and heard))
    names = ("looks", "sounds", "both in the top quarter", "seen", "heard", "seen and heard")
    return dict(zip(names, np.mean(rows, axis=0).tolist(), strict=True))


def report(found: Mapping[str, Pool], steps: int, of: int) -> str:
    """Tables in Markdown: best of N, early rejection, audio weights."""
    enough = {name: pool for name, pool in found.items() if len(pool.final) >= of}
    if not enough:
        return f"no pair has {of} candidates yet"
    parts = [
        f"{len(enough)} pools of at least {of} candidates, {steps} steps", "", *_curves(enough), "",
        *_policies(enough, steps, of), "", *_correlations(enough, steps), "", *_weights(enough),
    ]  # fmt: skip
    return "\n".join(parts)


def _curves(found: Mapping[str, Pool]) -> list[str]:
    names = list(curve(next(iter(found.values())), 1))
    lines = ["| best of | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for size in SIZES:
        pools_ = [pool for pool in found.values() if len(pool.final) >= size]
        if pools_:
            rows = [curve(pool, size) for pool in pools_]
            cells = [_said(mean_of([row[name] for row in rows])) for name in names]
            lines.append(f"| {size} | " + " | ".join(cells) + " |")
    return lines


def _policies(found: Mapping[str, Pool], steps: int, of: int) -> list[str]:
    lines = [
        "| early rejection | U-Net evaluations | merit lost, in deviations | same choice |",
        "|---|---|---|---|",
    ]
    for name, policy in POLICIES.items():
        lost, cost, same = [], [], []
        for pool in found.values():
            among = sorted(pool.final)[:of]
            merit = merits(pool)
            best = order(pool.final, among)[0]
            early, walked = chosen(pool, among, policy, steps)
            lost.append(merit[best] - merit[early])
            cost.append(walked / (of * steps))
            same.append(float(best == early))
        lines.append(f"| {name} | {np.mean(cost):.0%} | {_said(mean_of(lost))} | {np.mean(same):.0%} |")
    return lines


def _correlations(found: Mapping[str, Pool], steps: int) -> list[str]:
    lines = ["| rough samples | looks, r with the end | sounds, r with the end |", "|---|---|---|"]
    for step in sorted(next(iter(found.values())).early):
        both = []
        for pool in found.values():
            inline = sorted(pool.final)
            early, end = (np.array([side[i] for i in inline]) for side in (pool.early[step], pool.final))
            both.append([np.corrcoef(early[:, k], end[:, k])[0, 1] for k in range(2)])
        cells = [_said(mean_of([row[k] for row in both])) for k in range(2)]
        lines.append(f"| {step} of {steps} steps | " + " | ".join(cells) + " |")
    return lines


def _weights(found: Mapping[str, Pool]) -> list[str]:
    """The best of 8 at each audio weight, and of as many in all over the weights of a pair."""
    pairs: dict[str, dict[str, Pool]] = defaultdict(dict)
    for name, pool in found.items():
        pair, _, weight = name.partition("@")
        pairs[pair][weight] = pool
    weights = sorted({weight for pools_ in pairs.values() for weight in pools_})
    if len(weights) < 2:
        return []
    lines = ["| audio weight | looks | sounds | seen and heard |", "|---|---|---|---|"]
    for weight in weights:
        rows = [curve(pools_[weight], 8) for pools_ in pairs.values() if weight in pools_]
        lines.append(_row(weight, rows))
    whole = [pools_ for pools_ in pairs.values() if len(pools_) == len(weights)]
    if whole:
        each = max(1, 8 // len(weights))
        rows = [curve(_merged(pools_, each), each * len(weights)) for pools_ in whole]
        lines.append(_row(f"the best of all, {each} of each", rows))
    return lines


def _row(name: str, rows: Sequence[Mapping[str, float]]) -> str:
    names = ("looks", "sounds", "seen and heard")
    return f"| {name} | " + " | ".join(_said(mean_of([row[n] for row in rows])) for n in names) + " |"


def _merged(pools_: Mapping[str, Pool], each: int) -> Pool:
    merged = Pool()
    for place, pool in enumerate(pools_.values()):
        for index in sorted(pool.final)[:each]:
            merged.final[1000 * place + index] = pool.final[index]
            merged.right[1000 * place + index] = pool.right[index]
    return merged


def _said(mean: Mean) -> str:
    half = "" if mean.high is None else f" ± {mean.high - mean.mean:.3f}"
    return f"{mean.mean:.3f}{half}"
