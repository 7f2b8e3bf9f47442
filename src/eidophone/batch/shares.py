"""Shares of a batch: what a worker gets at once. Rows that can be made in the same batches stay together."""

from collections.abc import Hashable, Sequence

from eidophone.batch.jobs import Task
from eidophone.verbs import verb_of

#: Tasks for one worker, one after another or in shared batches.
Share = tuple[Task, ...]
#: Samples in a share of several tasks: as many as the largest batch of a GPU.
MOST_SAMPLES = 64
#: Shares for each worker, so that all workers end at about the same time.
TURNS = 4


def shares_of(tasks: Sequence[Task], workers: int) -> list[Share]:
    """All tasks in shares, each task once.

    Tasks share batches if their options differ only in what their verb makes together (`Verb.together`). Which
    tasks share batches changes no byte where batches hold one sample, as on a CPU.

    Args:
        tasks: Rows of the same models follow each other.
        workers: How many share the work.
    """
    kinds: dict[Hashable, list[Task]] = {}
    for task in tasks:
        kinds.setdefault(_kind(task) or task.key, []).append(task)
    most = max(1, len(tasks) // (TURNS * workers))
    return [share for alike in kinds.values() for share in _cut(alike, most)]


def _kind(task: Task) -> Hashable:
    """Equal for tasks that can share batches; None where no other task can."""
    together = verb_of(task.verb).together
    # the candidates of a best-of-many run fill batches of their own
    if together is None or task.chosen:
        return None
    return task.verb, *((n, value) for n, value in task.options if n not in together.apart)


def _cut(tasks: Sequence[Task], most: int) -> list[Share]:
    """Consecutive tasks, up to `most` of them and MOST_SAMPLES samples; a larger task is alone."""
    shares: list[list[Task]] = []
    samples = 0
    for task in tasks:
        if not shares or len(shares[-1]) == most or samples + task.size > MOST_SAMPLES:
            shares.append([])
            samples = 0
        shares[-1].append(task)
        samples += task.size
    return [tuple(share) for share in shares]
