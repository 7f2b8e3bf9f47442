"""A Slurm cluster, by submitit: one array job with a session each.

Options: `folder` for scripts and logs, on a disk that all nodes share (default: .slurm in the results, if they are in a
folder); `cluster` (slurm, or local for processes on this machine); every other one goes to submitit, such as
`timeout_min`, `slurm_partition`, `gpus_per_node`, `mem_gb`.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from eidophone.batch.engines import EngineSettings, Pieces, Work
from eidophone.batch.work import Outcome
from eidophone.core.errors import BadInput

LOGS = ".slurm"


def run(shares: Sequence[Pieces], work: Work, settings: EngineSettings) -> Iterator[Any]:
    """Runs shares as jobs of a cluster.

    Raises:
        BadInput: submitit is not installed, this is no Slurm cluster, or it refuses an option.
    """
    try:
        import submitit
    except ImportError:
        raise BadInput("--engine slurm needs submitit; run: pip install 'eidophone[slurm]'.") from None
    options: dict[str, Any] = {name: _number(text) for name, text in settings.options.items()}
    cluster = options.pop("cluster", "slurm")
    folder = options.pop("folder", None)
    if folder is None and "://" in work.root:
        raise BadInput("--engine slurm: name a shared folder for logs with --engine-option folder=DIR.")
    try:
        executor = submitit.AutoExecutor(folder=str(folder or Path(work.root, LOGS)), cluster=cluster)
        executor.update_parameters(
            **{"name": "eidophone", "timeout_min": 24 * 60, "cpus_per_task": 1, **options}
        )
    except (RuntimeError, ValueError, NameError, TypeError) as error:
        raise BadInput(f"--engine slurm: {' '.join(str(error).split())[:300]}") from error
    parts = [shares[first :: settings.workers] for first in range(min(settings.workers, len(shares)))]
    with executor.batch():
        jobs = [executor.submit(_part, list(part), work) for part in parts]
    yield from _events(submitit, jobs, parts)


def _part(shares: list[Pieces], work: Work) -> list[Any]:
    """What one job does."""
    worker = work.worker()
    return [event for share in shares for event in worker.run(share)]


def _events(submitit: Any, jobs: list[Any], parts: Sequence[Sequence[Pieces]]) -> Iterator[Any]:
    finished = False
    try:
        for job in submitit.helpers.as_completed(jobs):
            failure = job.exception()
            if failure is None:
                yield from job.result()
                continue
            lines = str(failure).strip().splitlines() or [type(failure).__name__]
            for task in (task for share in parts[jobs.index(job)] for task in share):
                error = f"Its cluster job {job.job_id} ended early ({lines[-1][:200]}); run the batch again."
                yield Outcome(task.key, task.rows, error=error, details=str(failure))
        finished = True
    finally:
        if not finished:
            for job in jobs:
                job.cancel(check=False)


def _number(text: str) -> str | int | float:
    """
    >>> _number("60"), _number("0.5"), _number("gpu")
    (60, 0.5, 'gpu')
    """
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
