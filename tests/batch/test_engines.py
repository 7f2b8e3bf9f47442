"""Clusters on this machine: the same keys and bytes as one process. Skipped where an engine is not installed."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from eidophone.batch.engines import EngineSettings
from eidophone.batch.engines import ray as ray_engine
from eidophone.batch.jobs import Task, read_tasks
from eidophone.batch.run import Progress, run_batch
from eidophone.batch.work import Made, Outcome
from eidophone.cli import main
from eidophone.core.errors import BadInput
from eidophone.options.kinds import Options
from tests.batch.conftest import digests, samples

Jobs = Callable[..., Path]


def fake_tasks(count: int) -> list[Task]:
    return [Task(f"{n:016x}", "compose", Options(), (0,), (str(n + 1),)) for n in range(count)]


def test_what_ray_gives_up_runs_once_more_and_alone() -> None:
    """A share that ends its actors is lost with all its tasks; alone, only the deadly one fails."""
    tasks = fake_tasks(5)
    deadly, calls = tasks[3].key, []

    def _make(shares: list) -> Iterator[Made | Outcome]:
        calls.append([[task.key for task in share] for share in shares])
        for share in shares:
            if deadly not in {task.key for task in share}:
                for task in share:
                    yield Made(task.key, 0, 1.0, 2)
                    yield Outcome(task.key, task.rows, 1)

    events = list(ray_engine.in_passes(_make, [tuple(tasks[:2]), tuple(tasks[2:])]))
    ended = {event.key: event.error for event in events if isinstance(event, Outcome)}
    assert set(ended) == {task.key for task in tasks}
    assert [key for key, error in ended.items() if error] == [deadly]
    assert len([event for event in events if isinstance(event, Made)]) == 4
    keys = [task.key for task in tasks]
    assert calls == [[keys[:2], keys[2:]], [[key] for key in keys[2:]]]


def test_options_of_engines_are_checked() -> None:
    with pytest.raises(BadInput, match="address, cpus and gpus"):
        ray_engine._resources(EngineSettings(1, {"gpu": "1"}))
    with pytest.raises(BadInput, match="are numbers"):
        ray_engine._resources(EngineSettings(1, {"gpus": "one"}))
    assert ray_engine._resources(EngineSettings(1, {"address": "a:1", "gpus": "0.5"})) == (
        {"num_cpus": 1.0, "num_gpus": 0.5},
        "a:1",
    )


@pytest.mark.slow
def test_ray_makes_the_same_on_two_nodes(jobs: Jobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster of two nodes on this machine, of which one actor is killed after the first row."""
    pytest.importorskip("ray.data", exc_type=ImportError)
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_worker_niceness", "0")
    tasks, workers, killed = read_tasks(jobs(4, count=1)), set(), []

    def _kill_one(_: Progress, event: Made | Outcome) -> None:
        if isinstance(event, Outcome):
            workers.add(event.worker)
            if not killed:
                killed.append(int(event.worker.rpartition(":")[2]))
                os.kill(killed[0], signal.SIGKILL)

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        cluster.add_node(num_cpus=1)
        settings = EngineSettings(2, {"address": cluster.address})
        finish = run_batch(tasks, str(tmp_path / "ray"), engine="ray", settings=settings, watch=_kill_one)
    finally:
        cluster.shutdown()
    assert not finish.progress.failed and len(workers) >= 2
    run_batch(tasks, str(tmp_path / "one"))
    assert digests(tmp_path / "ray") == digests(tmp_path / "one") != {}
    assert len(samples(tmp_path / "ray")) == 4


@pytest.mark.slow
def test_ray_loses_a_node_and_a_driver_and_nothing_else(jobs: Jobs, tmp_path: Path) -> None:
    """`python -m tests.batch.ray_kills` kills more often, at random moments, actors too."""
    pytest.importorskip("ray.data", exc_type=ImportError)
    from tests.batch.ray_kills import kill_in_turn, machines

    path, whole = jobs(6), tmp_path / "whole"
    run_batch(read_tasks(path), str(whole))
    with machines() as cluster:
        happened = kill_in_turn(cluster, path, whole, tmp_path / "runs", ("node", "driver"), lambda: 2.0)
    assert (happened["nodes killed"], happened["drivers killed"]) == (1, 1)
    assert happened["whole and equal"] >= 1


@pytest.mark.slow
def test_slurm_makes_the_same(jobs: Jobs, tmp_path: Path) -> None:
    """With submitit's executor for one machine, which writes the same files and reads the same results."""
    pytest.importorskip("submitit")
    tasks = read_tasks(jobs(2, count=1))
    settings = EngineSettings(2, {"cluster": "local", "timeout_min": "10"})
    finish = run_batch(tasks, str(tmp_path / "slurm"), engine="slurm", settings=settings)
    assert not finish.progress.failed and len(finish.progress.loads) == 2
    run_batch(tasks, str(tmp_path / "one"))
    assert digests(tmp_path / "slurm") == digests(tmp_path / "one") != {}


def test_without_slurm_the_message_says_so(jobs: Jobs, tmp_path: Path) -> None:
    pytest.importorskip("submitit")
    with pytest.raises(BadInput, match="--engine slurm"):
        run_batch(read_tasks(jobs(1)), str(tmp_path / "runs"), engine="slurm")
    assert not samples(tmp_path / "runs")


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """A bucket of a local server that speaks S3's protocol."""
    pytest.importorskip("s3fs")
    pytest.importorskip("moto.server")
    import s3fs

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (tmp_path / "moto.log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], stdout=log, stderr=log
        )
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            with socket.socket() as trial:
                if trial.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.2)
        s3fs.S3FileSystem.clear_instance_cache()
        s3fs.S3FileSystem().mkdir("pictures")
        yield "s3://pictures/runs"
    finally:
        server.kill()
        server.wait()


@pytest.mark.slow
def test_s3_holds_whole_results(jobs: Jobs, tmp_path: Path, bucket: str) -> None:
    import s3fs

    tasks = read_tasks(jobs(2))
    run_batch(tasks, str(tmp_path / "one"))
    assert run_batch(tasks, bucket, settings=EngineSettings(2)).progress.samples_done == 4
    files = s3fs.S3FileSystem()
    files.get(bucket, str(tmp_path / "copy"), recursive=True)
    # a contact sheet is of a folder, not of a sample
    assert digests(tmp_path / "copy") == digests(tmp_path / "one")
    assert (tmp_path / "copy" / "manifest.parquet").is_file()
    # judged from the bucket, by one process and by two, as from the disk
    outs = [tmp_path / name for name in ("disk", "near", "far")]
    named = [str(tmp_path / "copy" / "manifest.parquet"), f"{bucket}/manifest.parquet", bucket]
    for out, place, workers in zip(outs, named, ("1", "1", "2"), strict=True):
        more = ["--judges", "signal", "--device", "cpu", "--threads", "1", "--workers", workers]
        assert main(["evaluate", place, *more, "--out", str(out)]) == 0
    disk, near, far = ([line.partition(",")[2] for line in (out / "samples.csv").open()] for out in outs)
    assert disk == near == far and len(disk) == 5
    # a sample whose upload was cut off has no record yet, and is made again
    files.invalidate_cache()
    lost = next(name for name in files.find(bucket) if name.endswith("/0001/record.json"))
    files.rm(lost)
    again = run_batch(tasks, bucket)
    assert (again.progress.samples_done, again.progress.already, again.totals.samples) == (1, 3, 4)


def test_a_place_that_cannot_be_reached(jobs: Jobs, tmp_path: Path) -> None:
    from eidophone.core.errors import EidophoneError

    tasks = read_tasks(jobs(1))
    for root in ("nothing://x/y", f"file://{os.devnull}/runs"):
        with pytest.raises(EidophoneError):
            run_batch(tasks, root)
    (tmp_path / "file").write_text("x")
    with pytest.raises(EidophoneError, match="file"):
        run_batch(tasks, str(tmp_path / "file" / "runs"))


def test_a_result_is_put_record_last(tmp_path: Path) -> None:
    """Every prefix of an upload that was cut off holds no finished sample."""
    from eidophone.batch.places import RemotePlace

    folder = tmp_path / "0000"
    folder.mkdir()
    for name in ("picture.png", "record.json", "sound.wav", "video.mp4"):
        (folder / name).write_bytes(b"x")
    for cut in range(5):
        place = RemotePlace(f"memory://cut-{cut}")
        put, left = place.put_file, iter(range(cut))

        def _put(name: str, file: Path, put: Any = put, left: Any = left) -> None:
            if next(left, None) is None:
                raise OSError("cut off")
            put(name, file)

        place.put_file = _put  # type: ignore[method-assign]
        try:
            place.put_sample("abc", folder)
        except OSError:
            assert list(place.samples()) == []
        else:
            assert cut == 4 and list(place.samples()) == [("abc", 0)]


def test_local_workers_take_turns_with_the_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from eidophone.models.device import take_gpu

    taken: list[int] = []
    monkeypatch.setattr(torch.cuda, "set_device", taken.append)
    for gpus, wanted in ((0, []), (1, []), (3, [0, 1, 2, 0])):
        monkeypatch.setattr(torch.cuda, "device_count", lambda gpus=gpus: gpus)
        taken.clear()
        for number in range(4):
            take_gpu(number)
        assert taken == wanted
