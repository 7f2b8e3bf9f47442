"""Times of the Studio: start, page, first preview, first picture that plays; readers beside a maker.

    python -m benchmarks.studio

Starts `eidophone studio` on a free port and a folder of 2,000 results, and prints a table with the aims. Wall times
depend on what else runs, so the load and the processor time stand beside them. Needs the extra `studio`, and Chromium
with Playwright for the page's own time.
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import psutil

READERS, READING_S, RESULTS = 50, 20.0, 2000
MAKING = {"image_prompt": "a castle, grayscale", "audio_prompt": "bell ringing", "count": 1}


@dataclass
class Table:
    """Rows of what was measured, what is aimed at, and whether it was reached."""

    rows: list[tuple[str, str, str, str]] = field(default_factory=list)

    def add(self, what: str, value: float, unit: str, aim: float) -> None:
        """Adds a row; lower is better."""
        verdict = "yes" if value <= aim else "NO"
        self.rows.append((what, f"{value:.2f} {unit}", f"{aim:g} {unit}", verdict))
        print(f"{what:<44}{value:>9.2f} {unit:<3} aim {aim:g} {unit:<3} {verdict}", flush=True)


class Studio:
    """`eidophone studio` as a process."""

    def __init__(self, out: Path) -> None:
        self.began = time.monotonic()
        command = [
            sys.executable,
            "-m",
            "eidophone",
            "studio",
            "--no-browser",
            "--port",
            "0",
            "--out",
            str(out),
        ]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().split()[-1].rstrip("/")
        while True:
            with contextlib.suppress(OSError):
                urlopen(self.address, timeout=5).read()
                return
            time.sleep(0.01)

    def ask(self, path: str, body: Any = None) -> Any:
        """Calls the API."""
        data = None if body is None else json.dumps(body).encode()
        with urlopen(Request(self.address + path, data, {"Content-Type": "application/json"})) as answer:
            return json.load(answer)

    def make(self, **more: Any) -> str:
        """Starts a job and returns its id."""
        job: str = self.ask("/api/jobs", {"verb": "compose", "options": {**MAKING, **more}})["id"]
        return job

    def events(self, job: str) -> Iterator[dict[str, Any]]:
        """What a job says."""
        for line in urlopen(f"{self.address}/api/jobs/{job}/events"):
            if line.startswith(b"data: "):
                yield json.loads(line.removeprefix(b"data: "))

    @property
    def cpu_s(self) -> float:
        """Processor time of the server and of the process that makes results."""
        whole = [psutil.Process(self.process.pid)]
        whole += whole[0].children(recursive=True)
        return sum(sum(each.cpu_times()[:2]) for each in whole)

    def stop(self) -> None:
        """Ends it."""
        self.process.terminate()
        self.process.wait(60)


def first_times(table: Table, out: Path) -> Studio:
    """From the command to the page, the first preview and the first sample."""
    studio = Studio(out)
    table.add("page answers", time.monotonic() - studio.began, "s", 3)
    seen: set[str] = set()
    for event in studio.events(studio.make()):
        kind = event["type"]
        if kind in ("preview", "sample") and kind not in seen:
            seen.add(kind)
            what, aim = ("first preview", 10) if kind == "preview" else ("first picture that plays", 60)
            table.add(what, time.monotonic() - studio.began, "s", aim)
            table.add("  processor time until then", studio.cpu_s, "s", aim)
        if event["type"] == "failed":
            raise SystemExit(event["message"])
    return studio


def readers(table: Table, studio: Studio) -> None:
    """Page calls of many readers while one job runs."""
    ids = [entry["id"] for entry in studio.ask("/api/results?limit=200")["results"]]
    job = studio.make(count=200)
    server = psutil.Process(studio.process.pid)
    before = sum(server.cpu_times()[:2])
    waits: list[float] = []
    errors: list[str] = []
    until = time.monotonic() + READING_S

    def _read(seed: int) -> None:
        chance = random.Random(seed)
        while time.monotonic() < until:
            offset = chance.randrange(0, RESULTS, 60)
            path = chance.choice(
                [
                    "/",
                    "/js/main.js",
                    "/api/jobs",
                    f"/api/results?offset={offset}",
                    "/api/results?q=castle&sort=score",
                    f"/api/results/{chance.choice(ids)}/thumbnail.jpg",
                    f"/api/results/{chance.choice(ids)}",
                ]
            )
            began = time.monotonic()
            try:
                urlopen(studio.address + path, timeout=30).read()
                waits.append(time.monotonic() - began)
            except OSError as error:
                errors.append(f"{path}: {error}")
            time.sleep(chance.uniform(0.5, 1.5))  # a person looks at what came

    threads = [threading.Thread(target=_read, args=(seed,)) for seed in range(READERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with contextlib.suppress(OSError):
        urlopen(Request(f"{studio.address}/api/jobs/{job}", method="DELETE")).read()
    waits.sort()
    table.add(f"{READERS} readers, {len(waits)} calls: p95", 1000 * waits[int(0.95 * len(waits))], "ms", 200)
    table.add("  median", 1000 * waits[len(waits) // 2], "ms", 200)
    used = 1000 * (sum(server.cpu_times()[:2]) - before) / max(1, len(waits))
    table.add("  processor time of a call", used, "ms", 20)
    table.add("  errors", len(errors), "", 0)
    for error in errors[:3]:
        print("   ", error)


SCROLL = """() => new Promise((done) => {
    const frames = []; let last = performance.now(); let at = 0;
    const step = (now) => {
        frames.push(now - last); last = now; at += 60; scrollTo(0, at);
        if (at < 18000) requestAnimationFrame(step); else done(frames.slice(1));
    };
    requestAnimationFrame(step);
})"""


def page_times(table: Table, studio: Studio) -> None:
    """The page in Chromium: interactive, how it scrolls, how it jumps."""
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        print("no Playwright: the page's own times are left out")
        return
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        sizes: list[int] = []
        page.on(
            "response", lambda answer: sizes.append(len(answer.body())) if "/api/" not in answer.url else None
        )
        page.goto(studio.address)
        page.wait_for_selector("body[data-ready]", timeout=60_000)
        ready = page.evaluate("performance.getEntriesByName('ready')[0].startTime")
        table.add("page interactive", ready / 1000, "s", 1)
        table.add("page and its files", sum(sizes) / 1000, "kB", 200)
        frames = page.evaluate(SCROLL)
        table.add(
            f"{len(frames)} frames of scrolling: over 50 ms", sum(frame > 50 for frame in frames), "", 15
        )
        browser.close()


def filled(out: Path, count: int) -> None:
    """A library of one real sample, many times."""
    import eidophone
    from tests.studio.conftest import many

    with tempfile.TemporaryDirectory(dir=out.parent) as folder:
        eidophone.compose("a castle", "bell ringing", preset="draft", count=1, out=folder, judges="tiny")
        many(Path(folder) / "0000", out, count)


def main() -> None:
    """Measures all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, help="a folder with results, instead of 2,000 made ones")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        out = arguments.out or Path(folder) / "out"
        if arguments.out is None:
            filled(out, RESULTS)
        print(f"load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
        table = Table()
        studio = first_times(table, out)
        try:
            page_times(table, studio)
            readers(table, studio)
        finally:
            studio.stop()
        print(f"load after: {os.getloadavg()[0]:.1f}")
    print("\n| what | measured | aim | reached |\n|---|---|---|---|")
    for row in table.rows:
        print(f"| {' | '.join(row)} |".replace("|   ", "| "))


if __name__ == "__main__":
    main()
