"""Clusters on this machine: the same keys and bytes as one process. Skipped where an engine is not installed."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from eidophone.batch.engines import EngineSettings
from eidophone.batch.engines import ray as ray_engine
from eidophone.batch.jobs import Task, read_tasks
from eidophone.batch.run import run_batch
from eidophone.batch.work import Made, Outcome, Work
from eidophone.core.errors import BadInput
from eidophone.options.kinds import Options
from tests.batch.conftest import digests, samples

Jobs = Callable[..., Path]


def fake_tasks(count: int) -> list[Task]:
    return [Task(f"{n:016x}", "compose", Options(), (0,), (str(n + 1),)) for n in range(count)]


class FakeRay:
    """Ray's calls that the engine makes; actors named in `deaths` die with the task that they have then."""

    def __init__(self, deaths: dict[str, int]) -> None:
        self.deaths, self.actors = dict(deaths), 0
        self.exceptions = SimpleNamespace(RayActorError=KeyError)

    def remote(self, _: type) -> Any:
        return self

    def options(self, **resources: float) -> Any:
        self.resources = resources

        def _start(_: Work) -> Any:
            self.actors += 1
            return SimpleNamespace(
                run=SimpleNamespace(remote=lambda share: (self.actors, share, time.monotonic_ns()))
            )

        return SimpleNamespace(remote=_start)

    def wait(self, running: list, num_returns: int) -> Any:
        return running[:num_returns], running[num_returns:]

    def get(self, call: tuple) -> list:
        keys = [task.key for task in call[1]]
        if deadly := [key for key in keys if self.deaths.get(key, 0) > 0]:
            self.deaths[deadly[0]] -= 1
            raise KeyError("the actor died")
        return [event for key in keys for event in (Made(key, 0, 1.0, 2), Outcome(key, ("1",), 1))]


def test_actors_that_die_are_replaced_and_their_tasks_run_again() -> None:
    tasks = fake_tasks(5)
    ray = FakeRay({tasks[1].key: 2, tasks[3].key: 99})
    shares = [tuple(tasks[:3]), tuple(tasks[3:])]
    events = list(ray_engine._on(ray, shares, Work("x"), 2, {"num_cpus": 1}))
    ended = {event.key: event.error for event in events if isinstance(event, Outcome)}
    assert set(ended) == {task.key for task in tasks}
    assert [key for key, error in ended.items() if error] == [tasks[3].key]
    assert [e.key for e in events if isinstance(e, Made)].count(tasks[1].key) == 1
    assert ray.actors == 2 + 2 + ray_engine.MOST_LOSSES and ray.resources == {"num_cpus": 1}


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
def test_ray_makes_the_same_on_two_nodes(jobs: Jobs, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        cluster.add_node(num_cpus=1)
        tasks = read_tasks(jobs(2, count=1))
        settings = EngineSettings(2, {"address": cluster.address})
        finish = run_batch(tasks, str(tmp_path / "ray"), engine="ray", settings=settings)
    finally:
        cluster.shutdown()
    assert not finish.progress.failed and len(finish.progress.loads) == 2
    run_batch(tasks, str(tmp_path / "one"))
    assert digests(tmp_path / "ray") == digests(tmp_path / "one") != {}


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
