"""A Ray cluster, by Ray Data: actors that each hold a session. Nodes import Eidophone and see the results' folder.

Options: `address` of a running cluster (default: the one in RAY_ADDRESS, else Ray starts one here); `cpus` and
`gpus` of each actor (default: 1 and 0).
"""

import pickle
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from eidophone.batch.engines import EngineSettings, Pieces, Work
from eidophone.batch.work import Outcome
from eidophone.core.errors import BadInput

#: Ray gives a share to this many actors after the first one was lost with it.
RETRIES = 4


class Actor:
    """Lives on a node of the cluster and keeps its models from share to share."""

    def __init__(self, work: Work) -> None:
        self._worker = work.worker()

    def __call__(self, rows: dict[str, Any]) -> dict[str, list[bytes]]:
        """Makes shares; returns the events of each."""
        shares: list[Pieces] = [pickle.loads(share) for share in rows["share"]]
        return {"events": [pickle.dumps(list(self._worker.run(share))) for share in shares]}


def run(shares: Sequence[Pieces], work: Work, settings: EngineSettings) -> Iterator[Any]:
    """Runs shares on a Ray cluster.

    Raises:
        BadInput: Ray is not installed, an option is wrong, or the cluster cannot be reached.
    """
    try:
        import ray
        import ray.data
    except ImportError:
        raise BadInput("--engine ray needs Ray Data; run: pip install 'eidophone[ray]'.") from None
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
        yield from in_passes(lambda some: _pass(ray, some, work, settings.workers, resources), shares)
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


def in_passes(make: Callable[[Sequence[Pieces]], Iterator[Any]], shares: Sequence[Pieces]) -> Iterator[Any]:
    """Makes shares, then once more the tasks that were lost, each alone, as one of them may be what ends actors.

    Args:
        make: Makes shares; leaves out those that Ray gave up.
        shares: All of them.
    """
    left: list[Pieces] = list(shares)
    for _ in range(2):
        ended = set()
        for event in make(left) if left else ():
            yield event
            if isinstance(event, Outcome):
                ended.add(event.key)
        left = [(task,) for share in left for task in share if task.key not in ended]
    for task in (task for share in left for task in share):
        error = f"{RETRIES + 1} actors were lost with it, perhaps for lack of memory; use fewer workers."
        yield Outcome(task.key, task.rows, error=error)


def _pass(
    ray: Any, shares: Sequence[Pieces], work: Work, workers: int, resources: dict[str, float]
) -> Iterator[Any]:
    context = ray.data.DataContext.get_current()
    context.max_errored_blocks = -1  # a share that Ray gives up does not end the others
    context.enable_progress_bars = False
    rows = [{"share": pickle.dumps(share)} for share in shares]
    # a block for each share, and one share at an actor, so that a lost actor takes no other share with it
    made = ray.data.from_items(rows, override_num_blocks=len(rows)).map_batches(
        Actor,
        fn_constructor_args=(work,),
        batch_size=1,
        compute=ray.data.ActorPoolStrategy(size=min(workers, len(rows)), max_tasks_in_flight_per_actor=1),
        max_task_retries=RETRIES,
        **resources,
    )
    for row in made.iter_rows():
        yield from pickle.loads(row["events"])
