"""Rows that share batches: the same samples as alone, whatever was there before."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from eidophone.batch.jobs import Task, read_tasks
from eidophone.batch.run import run_batch
from eidophone.batch.shares import MOST_SAMPLES, shares_of
from eidophone.batch.work import Made, Outcome, Work, Worker
from eidophone.results.store import load
from eidophone.session import Session
from tests.batch.conftest import samples

Jobs = Callable[..., Path]
#: 8-bit levels by which sums over a batch may round a pixel differently.
LEVELS = 1


def tasks_of(folder: Path, *rows: dict) -> list[Task]:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps({"image_prompt": "x", "audio_prompt": "y"} | r) + "\n" for r in rows))
    return read_tasks(path)


def keys(shares: list[tuple[Task, ...]]) -> list[list[str]]:
    return [[task.rows[0] for task in share] for share in shares]


def test_rows_that_differ_in_prompts_seeds_and_samples_share(tmp_path: Path) -> None:
    rows = [
        {"seed": 1}, {"image_prompt": "z"}, {"steps": 9}, {"seed": 2, "count": 3}, {"audio_prompt": "w", "steps": 9},
        {"from_": 5}, {"from_": 5, "seed": 3}, {"verb": "imprint"}, {"verb": "imprint", "seed": 3},
    ]  # fmt: skip
    tasks = tasks_of(tmp_path, *rows)
    # as if there were many more rows for each worker
    assert keys(shares_of(tasks * 4, 1))[:2] == [["1", "2", "4"] + ["1", "2", "4"] * 2, ["1", "2", "4"]]
    found = keys(shares_of(tasks, 1))
    assert found == [["1", "2"], ["4"], ["3", "5"], ["6"], ["7"], ["8"], ["9"]]


@pytest.mark.parametrize("workers", [1, 3, 100])
def test_each_task_is_in_one_share_and_no_share_is_too_large(tmp_path: Path, workers: int) -> None:
    tasks = tasks_of(tmp_path, *({"seed": 1000 * n, "count": 1 + n % 90} for n in range(200)))
    shares = shares_of(tasks, workers)
    assert sorted(t.key for share in shares for t in share) == sorted(t.key for t in tasks)
    for share in shares:
        assert len(share) == 1 or sum(task.size for task in share) <= MOST_SAMPLES
    assert len(shares) >= min(len(tasks), workers)


def pictures(root: Path) -> dict[tuple[str, str], np.ndarray]:
    found = {}
    for key, index in samples(root):
        result = load(root / key / index)  # compares the files with their checksums, too
        found[key, index] = np.round(result.picture.pixels * 255)
    return found


@pytest.mark.slow
def test_shared_batches_make_the_same_samples_and_go_on_half_way(
    jobs: Jobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_batch(read_tasks(jobs(8)), str(tmp_path / "alone"))
    alone = pictures(tmp_path / "alone")
    root, tasks = tmp_path / "runs", read_tasks(jobs(8, batch_size=3))
    (share,) = {len(share) for share in shares_of(tasks, 1)}
    assert share == 2
    calls = []
    together = Session.run_together

    def _watched(self: Session, runs: list, *more: object) -> object:
        calls.append([(one.image_prompt, one.samples) for one in runs])
        return together(self, runs, *more)

    monkeypatch.setattr(Session, "run_together", _watched)
    assert run_batch(tasks, str(root)).progress.samples_done == 16
    assert [prompt for call in calls for prompt, _ in call] == ["castle", "frog", "dog", "boat"] * 2
    first = pictures(root)
    # half of two rows, and a third one whole, are lost
    keyed = {task.options.image_prompt: task.key for task in tasks if task.options.seed == 7}
    for name in (f"{keyed['castle']}/0000", f"{keyed['frog']}/0001", f"{keyed['dog']}"):
        shutil.rmtree(root / name)
    calls.clear()
    finish = run_batch(tasks, str(root))
    assert (finish.progress.samples_done, finish.progress.rows_done) == (4, 3)
    assert not finish.progress.failed
    again = pictures(root)
    for found in (first, again):
        assert found.keys() == alone.keys()
        for name, picture in found.items():
            assert np.abs(picture - alone[name]).max() <= LEVELS, name


def test_a_row_that_fails_in_a_shared_batch_fails_alone(jobs: Jobs, tmp_path: Path) -> None:
    path = jobs(3, count=1, batch_size=3)
    lines = path.read_text().splitlines()
    lines[1] = json.dumps(
        json.loads(lines[1]) | {"image_prompt": "frog " * 200}
    )  # longer than the encoder reads
    path.write_text("\n".join(lines))
    worker = Worker(Work(str(tmp_path / "runs")))
    events = list(worker.run(tuple(read_tasks(path))))
    ended = {event.rows: event for event in events if isinstance(event, Outcome)}
    assert "tokens" in ended["2",].error and not ended["1",].error and not ended["3",].error
    assert len([event for event in events if isinstance(event, Made)]) == 2 == len(samples(tmp_path / "runs"))


def test_a_sample_of_a_shared_batch_counts_for_its_own_row(jobs: Jobs, tmp_path: Path) -> None:
    tasks = tuple(read_tasks(jobs(3, count=2, batch_size=6)))
    events = list(Worker(Work(str(tmp_path / "runs"))).run(tasks))
    made = [(event.key, event.index) for event in events if isinstance(event, Made)]
    assert made == [(task.key, index) for task in tasks for index in task.samples]
    assert [(e.key, e.made) for e in events if isinstance(e, Outcome)] == [(task.key, 2) for task in tasks]
    for key, index in made:
        result = load(tmp_path / "runs" / key / f"{index:04d}")
        assert (result.index, result.recipe.seed) == (index, 7 + index)
