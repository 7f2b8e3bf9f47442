"""A Studio to ask, and one that a browser can open."""

import json
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the extra `studio` is not installed")

import uvicorn
from starlette.testclient import TestClient

from eidophone.session import Session
from eidophone.studio.app import create_app
from eidophone.studio.settings import Limits, StudioSettings

HOST = "http://127.0.0.1:8765"
QUICK = {
    "image_prompt": "a castle",
    "audio_prompt": "bell ringing",
    "preset": "draft",
    "steps": 2,
    "count": 1,
}
LIMITS = Limits(waiting=3, upload_bytes=3_000_000, warm_up=False, own_process=False)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output folder with one run of two samples."""
    root = tmp_path_factory.mktemp("made")
    with Session(threads=1) as session:
        options = {**QUICK, "count": 2}
        assert len(list(session.compose(**options, out=root / "first-run", judges="tiny"))) == 2
    return root


@pytest.fixture(scope="module")
def out(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("studio") / "out"
    shutil.copytree(made, folder)
    return folder


@pytest.fixture(scope="module")
def client(out: Path) -> Iterator[TestClient]:
    with TestClient(create_app(StudioSettings(out, limits=LIMITS)), base_url=HOST) as found:
        yield found


def events(client: TestClient, job_id: str) -> list[dict]:
    """All messages of a job, until it ends."""
    text = client.get(f"/api/jobs/{job_id}/events").text
    return [
        json.loads(line.removeprefix("data: ")) for line in text.splitlines() if line.startswith("data: ")
    ]


def many(sample: Path, root: Path, count: int) -> None:
    """Copies of a sample, as the store lays them out; prompts are numbered."""
    record = json.loads((sample / "record.json").read_text())
    for number in range(count):
        folder = root / f"run-{number // 100}" / f"{number % 100:04d}"
        folder.mkdir(parents=True)
        for name in ("picture.png", "spectrogram.png", "sound.wav", "video.mp4"):
            (folder / name).hardlink_to(sample / name)
        record["index"] = record["recipe"]["index"] = number % 100
        record["recipe"]["options"]["image_prompt"] = f"castle number {number}"
        record["captions"] = [f"castle number {number}", "bell ringing"]
        (folder / "record.json").write_text(json.dumps(record))


class Served:
    """A server in a thread, on a free port."""

    def __init__(self, settings: StudioSettings) -> None:
        listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        self._server = uvicorn.Server(uvicorn.Config(create_app(settings), log_level="error"))
        self._thread = threading.Thread(target=self._server.run, args=([listening],), daemon=True)
        self._thread.start()
        while not self._server.started:
            time.sleep(0.05)

    def stop(self) -> None:
        self._server.should_exit = True
        self._server.force_exit = True
        self._thread.join(timeout=30)


__all__ = ["HOST", "LIMITS", "QUICK", "Served", "events", "many"]
