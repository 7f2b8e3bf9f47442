"""A Ray cluster: actors that each hold a session.

Options: `address` of a running cluster (default: the one in RAY_ADDRESS, else Ray starts one here); `cpus` and
`gpus` of each actor (default: 1 and 0).
"""

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from typing import Any

from eidophone.batch.engines import EngineSettings, Pieces, Work
from eidophone.batch.work import Outcome
from eidophone.core.errors import BadInput

#: A task is given up once this many actors were lost with it.
MOST_LOSSES = 5


class Actor:
    """Lives on a node of the cluster and keeps its models from share to share."""

    def __init__(self, work: Work) -> None:
        self._worker = work.worker()

    def run(self, share: Pieces) -> list[Any]:
        """Makes a share; returns its events."""
        return list(self._worker.run(share))


def run(shares: Sequence[Pieces], work: Work, settings: EngineSettings) -> Iterator[Any]:
    """Runs shares on a Ray cluster.

    Raises:
        BadInput: Ray is not installed, an option is wrong, or the cluster cannot be reached.
    """
    try:
        import ray
    except ImportError:
        raise BadInput("--engine ray needs Ray; run: pip install 'eidophone[ray]'.") from None
    resources, address = _resources(settings)
    started = not ray.is_initialized()
    if started:
        try:
            ray.init(address=address, log_to_driver=False, configure_logging=False)
        except (ConnectionError, RuntimeError, ValueError) as error:
            why = " ".join(str(error).split())[:200]
            raise BadInput(
                f"--engine ray: the cluster cannot be reached ({why}); check the address."
            ) from error
    try:
        yield from _on(ray, shares, work, settings.workers, resources)
    finally:
        if started:
            ray.shutdown()


def _resources(settings: EngineSettings) -> tuple[dict[str, float], str | None]:
    options = dict(settings.options)
    address = options.pop("address", None)
    try:
        resources = {"num_cpus": float(options.pop("cpus", 1)), "num_gpus": float(options.pop("gpus", 0))}
    except ValueError as error:
        raise BadInput(f"--engine-option: cpus and gpus are numbers ({error}).") from None
    if options:
        raise BadInput(f"--engine-option {min(options)}: Ray takes address, cpus and gpus.")
    return resources, address


def _on(
    ray: Any, shares: Sequence[Pieces], work: Work, workers: int, resources: dict[str, float]
) -> Iterator[Any]:
    remote = ray.remote(Actor).options(**resources)
    waiting, losses = deque(shares), Counter[str]()
    running: dict[Any, tuple[Any, Pieces]] = {}
    idle = [remote.remote(work) for _ in range(min(workers, len(shares)))]
    while waiting or running:
        while waiting and idle:
            actor, share = idle.pop(), waiting.popleft()
            running[actor.run.remote(share)] = actor, share
        (done,), _ = ray.wait(list(running), num_returns=1)
        actor, share = running.pop(done)
        try:
            yield from ray.get(done)
            idle.append(actor)
        except ray.exceptions.RayActorError as error:  # the node or the process is gone
            idle.append(remote.remote(work))
            yield from _again(share, waiting, losses, " ".join(str(error).split())[:200])


def _again(share: Pieces, waiting: "deque[Pieces]", losses: Counter[str], why: str) -> Iterator[Outcome]:
    """Queues the tasks of a lost actor again, each alone, as one of them may be what ends actors."""
    for task in share:
        losses[task.key] += 1
        if losses[task.key] < MOST_LOSSES:
            waiting.appendleft((task,))
        else:
            yield Outcome(task.key, task.rows, error=f"{MOST_LOSSES} actors were lost with it ({why}).")
