"""`eidophone studio` as a process, and the client of the documentation."""

import contextlib
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from eidophone.studio.settings import StudioSettings
from tests.studio.conftest import LIMITS, Served

STUDIO = [sys.executable, "-m", "eidophone", "studio", "--no-browser"]
PAGE = Path(__file__).parents[2] / "docs" / "studio.md"


@contextlib.contextmanager
def running(*more: str) -> Iterator[tuple[subprocess.Popen, str]]:
    process = subprocess.Popen([*STUDIO, *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        yield process, line.split()[-1]
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_starts_says_where_and_stops(tmp_path: Path, how: signal.Signals) -> None:
    with running("--port", "0", "--out", str(tmp_path / "out")) as (process, address):
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", address)
        assert b"Eidophone Studio" in urlopen(address, timeout=60).read()
        process.send_signal(how)
        _, complaints = process.communicate(timeout=90)
        assert "Traceback" not in complaints
        assert process.returncode in (0, 130, 143, -how)


def test_a_killed_server_finds_its_finished_results(tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    options = {"image_prompt": "castle", "audio_prompt": "bell", "preset": "draft", "steps": 4, "count": 200}
    with running("--port", "0", "--out", out) as (process, address):
        body = json.dumps({"verb": "compose", "options": options}).encode()
        job = json.load(urlopen(Request(f"{address}api/jobs", body, {"Content-Type": "application/json"})))
        for line in urlopen(f"{address}api/jobs/{job['id']}/events"):
            if b'"type": "sample"' in line:
                break
        process.send_signal(signal.SIGKILL)
        process.wait(30)
    with running("--port", "0", "--out", out) as (_, address):
        found = json.load(urlopen(f"{address}api/results"))
        assert found["total"] >= 1
        picture = urlopen(f"{address}api/results/{found['results'][-1]['id']}/picture.png").read()
        assert picture.startswith(b"\x89PNG")


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [*STUDIO, "--port", port, "--out", str(tmp_path)], capture_output=True, text=True
        )
    assert done.returncode == 2
    assert done.stderr.startswith(f"eidophone: --port {port}: another program uses it")
    assert len(done.stderr.splitlines()) == 1


def test_without_the_extra_it_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "fastapi.py").write_text("raise ModuleNotFoundError('no', name='fastapi')")
    where = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(STUDIO, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": where})
    assert done.returncode == 2
    assert "pip install 'eidophone[studio]'" in done.stderr


def test_the_client_of_the_documentation_works(tmp_path: Path) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    server = Served(StudioSettings(tmp_path / "out", limits=LIMITS))
    try:
        program = block.replace("http://127.0.0.1:8765", server.address).replace(
            '"count": 2', '"count": 2, "steps": 2'
        )
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(program, {})  # the block that the page shows
        lines = printed.getvalue().splitlines()
        assert [line.split()[0] for line in lines] == ["0", "1"]
        assert all(int(line.split()[1]) > 10_000 for line in lines)
    finally:
        server.stop()
