"""The page in a real Chromium: make, cancel, seek, pick, reload, drop files, bring settings back, scroll."""

import json
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from eidophone.studio.settings import StudioSettings
from tests.studio.conftest import LIMITS, QUICK, Served, many

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: apt-get install chromium"),
]
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"),
    *("--disable-component-update", "--disable-sync", "--autoplay-policy=no-user-gesture-required"),
]
AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text(encoding="utf-8")
PATIENCE_MS = 240_000


@pytest.fixture(scope="module")
def served(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    out = tmp_path_factory.mktemp("page") / "out"
    shutil.copytree(made, out)
    server = Served(StudioSettings(out, limits=LIMITS))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as tools:
        found = tools.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield found
        found.close()


@pytest.fixture
def page(browser: Any, served: Served) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    found = context.new_page()
    found.set_default_timeout(PATIENCE_MS)
    problems: list[str] = []
    found.on("pageerror", lambda error: problems.append(str(error)))
    found.on("console", lambda said: problems.append(said.text) if "Content Security" in said.text else None)
    opened(found, served.address)
    yield found
    context.close()
    assert not problems


def opened(page: Any, address: str) -> None:
    page.goto(address)
    page.wait_for_selector("body[data-ready]")


def until(true: Callable[[], object], seconds: float = 240) -> None:
    """Waits in Python: the page's policy refuses the evaluation that Playwright's own waiting needs."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


def fill(page: Any, looks: str, steps: int = 2, count: int = 1) -> None:
    page.get_by_label("Looks like").fill(looks)
    page.get_by_label("Sounds like").fill("bell ringing")
    page.get_by_label("Preset").select_option("draft")
    page.get_by_label("Count").fill(str(count))
    if page.locator("#more").get_attribute("open") is None:
        page.locator("#more summary").click()
    page.locator("#option-steps").fill(str(steps))


def make(page: Any, looks: str, steps: int = 2, count: int = 1) -> None:
    fill(page, looks, steps, count)
    page.locator("#start").click()


def serious(page: Any) -> list[str]:
    page.evaluate(AXE)
    found = page.evaluate("axe.run({resultTypes: ['violations']})")["violations"]
    return [
        f"{v['id']}: {node['html']}"
        for v in found
        if v["impact"] in ("serious", "critical")
        for node in v["nodes"]
    ]


def test_make_then_play_seek_and_rate(page: Any) -> None:
    make(page, "an owl", count=2)
    page.wait_for_selector('#candidates .open[aria-label*="an owl"] >> nth=1')
    page.wait_for_selector('#grid .open[aria-label*="an owl"] >> nth=1')
    page.locator('#grid .open[aria-label*="an owl"]').first.click()
    until(lambda: page.evaluate("document.querySelector('audio').readyState") >= 2)
    box = page.locator(".canvas").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    now, whole = (
        page.evaluate(f"document.querySelector('audio').{name}") for name in ("currentTime", "duration")
    )
    assert now / whole == pytest.approx(0.5, abs=0.01)
    line = page.locator(".playline").bounding_box()
    assert line["x"] + line["width"] / 2 - box["x"] == pytest.approx(box["width"] / 2, abs=2)
    page.keyboard.press("Space")
    until(lambda: page.evaluate("document.querySelector('audio').currentTime") > now)
    page.keyboard.press("Space")
    assert page.evaluate("document.querySelector('audio').paused")
    page.keyboard.press("Home")
    assert page.evaluate("document.querySelector('audio').currentTime") == 0
    page.keyboard.press("l")
    assert page.evaluate("document.querySelector('audio').loop")
    assert page.evaluate("document.querySelector('audio').volume") <= 0.6
    page.locator("#dialog").get_by_role("button", name="3 stars").click()
    page.wait_for_selector('#dialog .stars button[aria-label="3 stars"][aria-pressed=true]')
    with page.expect_download() as download:
        page.get_by_role("link", name="Download WAV").click()
    assert Path(download.value.path()).read_bytes()[:4] == b"RIFF"
    page.keyboard.press("Escape")
    assert not page.locator("#dialog").is_visible()
    page.locator("#stars").select_option("3")
    until(lambda: page.locator("#grid .cell").count() == 1)


def test_cancel(page: Any) -> None:
    make(page, "a slow ship", steps=900)
    page.wait_for_selector(".job progress:not([value='0'])")
    page.get_by_role("button", name="Cancel Compose a slow ship").click()
    until(lambda: "Cancelled" in page.locator(".job .words").first.inner_text())


def test_a_reload_finds_the_job_again(page: Any, served: Served) -> None:
    make(page, "a long train", steps=60)
    page.wait_for_selector("#candidates img[src^='data:image/jpeg']")
    opened(page, served.address)
    assert page.locator(".job .name").first.inner_text().startswith("Compose a long train")
    page.wait_for_selector('#grid .open[aria-label*="a long train"]')


def test_a_mistake_is_said_beside_the_button(page: Any) -> None:
    fill(page, "an owl")
    page.get_by_label("Sounds like").fill("")
    page.locator("#start").click()
    until(lambda: "audio prompt" in page.locator("#problem").inner_text())


def test_drop_brings_settings_back_and_takes_own_files(page: Any, served: Served, made: Path) -> None:
    sample = made / "first-run" / "0000"
    drop = """([name, type, bytes]) => {
        const transfer = new DataTransfer();
        transfer.items.add(new File([new Uint8Array(bytes)], name, {type}));
        document.body.dispatchEvent(new DragEvent("drop", {dataTransfer: transfer, bubbles: true, cancelable: true}));
    }"""
    page.evaluate(drop, ["a.png", "image/png", list((sample / "picture.png").read_bytes())])
    until(lambda: page.get_by_label("Looks like").input_value() == "a castle")
    assert page.locator("#option-steps").input_value() == "2"
    assert page.get_by_label("Preset").input_value() == "draft"
    jpeg = page.evaluate(
        "async () => { const c = new OffscreenCanvas(64, 64); c.getContext('2d').fillRect(0, 0, 9, 9);"
        "return [...new Uint8Array(await (await c.convertToBlob({type: 'image/jpeg'})).arrayBuffer())]; }"
    )
    page.evaluate(drop, ["own.jpg", "image/jpeg", jpeg])  # this verb takes a picture itself
    until(lambda: "64 × 64" in page.locator("#form").inner_text())
    assert page.locator("#verb-compose").get_attribute("aria-current") == "page"
    page.locator("#verb-distill").click()
    page.wait_for_selector("#verb-distill[aria-current]")
    page.evaluate(drop, ["own.jpg", "image/jpeg", jpeg])
    until(lambda: "64 × 64" in page.locator("#form").inner_text())
    assert page.locator("#verb-imprint").get_attribute("aria-current") == "page"


def test_paint_hears_then_shows_its_work(page: Any, made: Path) -> None:
    page.locator("#verb-paint").click()
    page.wait_for_selector("#verb-paint[aria-current]")  # the form before it has a field for a sound, too
    page.set_input_files("#option-sound", made / "first-run" / "0000" / "sound.wav")
    page.wait_for_selector(".heard .words-table")
    heard = page.locator("#option-caption").get_attribute("placeholder")
    words = page.locator(".heard tbody th")
    assert " ".join(words.all_inner_texts()) == heard
    assert page.locator(".heard .time-bar").count() == words.count()
    page.get_by_role("button", name="Edit the caption").click()
    assert page.locator("#option-caption").input_value() == heard
    page.locator("#option-caption").fill(f"{heard.split()[0]} brass bell")
    until(lambda: words.all_inner_texts()[1:] == ["brass", "bell"])
    assert page.locator(".heard .number").count() == 3
    page.locator("#more summary").click()
    for name, value in (("steps", "2"), ("optimise", "2")):
        page.locator(f"#option-{name}").fill(value)
    page.locator("#start").click()
    page.wait_for_selector("#candidates .iterations figure >> nth=1")
    page.locator("#candidates .open").click()
    page.wait_for_selector(".painting")
    assert "Similarity to the sound" in page.locator(".painting").inner_text()
    assert page.locator(".painting tbody th").all_inner_texts()[1:] == ["brass", "bell"]
    assert page.locator(".painting .iterations figure.kept").count() == 1
    bright = (
        "[...document.querySelectorAll('.painting canvas')].map((canvas) => Math.max(...canvas.getContext('2d')"
        ".getImageData(0, 0, canvas.width, canvas.height).data.filter((_, at) => at % 4 < 3)))"
    )
    until(lambda: len(page.evaluate(bright)) == 2 and min(page.evaluate(bright)) > 0)
    assert serious(page) == []


def test_the_microphone(page: Any) -> None:
    page.locator("#verb-see").click()
    page.get_by_role("button", name="Record").click()
    page.get_by_role("button", name="Stop recording").wait_for()
    time.sleep(1.5)
    page.get_by_role("button", name="Stop recording").click()
    until(lambda: re.search(r"recording \d+\.\d s", page.locator(".drop").inner_text()))


def test_a_full_queue_says_so(page: Any, served: Served) -> None:
    slow = json.dumps({"verb": "compose", "options": {**QUICK, "steps": 900}}).encode()
    jobs = []
    for _ in range(LIMITS.waiting + 1):
        answer = urlopen(Request(f"{served.address}/api/jobs", slow, {"Content-Type": "application/json"}))
        jobs.append(json.load(answer)["id"])
        until(lambda: json.load(urlopen(f"{served.address}/api/jobs/{jobs[0]}"))["state"] == "running")
    make(page, "one too many")
    until(lambda: "The queue is full" in page.locator("#problem").inner_text())
    opened(page, served.address)
    assert "Next in the queue" in page.locator(".job .words").nth(LIMITS.waiting - 1).inner_text()
    for job in reversed(jobs):
        urlopen(Request(f"{served.address}/api/jobs/{job}", method="DELETE"))


def test_downloads_and_copies(page: Any) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator('#grid .open[aria-label*="a castle"]').first.click()
    for name, head in (("PNG", b"\x89PNG"), ("FLAC", b"fLaC"), ("MP4", b"\0\0\0"), ("ZIP", b"PK")):
        with page.expect_download() as download:
            page.get_by_role("link", name=f"Download {name}").click()
        assert Path(download.value.path()).read_bytes().startswith(head)
    page.get_by_role("button", name="Copy command").click()
    until(lambda: page.evaluate("navigator.clipboard.readText()").startswith("eidophone compose 'a castle'"))
    page.get_by_role("button", name="Copy Python").click()
    until(lambda: "eidophone.compose(" in page.evaluate("navigator.clipboard.readText()"))


def test_nothing_jumps_or_moves_needlessly(page: Any) -> None:
    page.evaluate(
        "() => { window.shift = 0; new PerformanceObserver((list) => { for (const each of list.getEntries())"
        " if (!each.hadRecentInput) window.shift += each.value; })"
        ".observe({type: 'layout-shift', buffered: true}); }"
    )
    page.locator("#sort").select_option("score")
    scores = page.locator("#grid .under > span:nth-child(2)")
    until(lambda: scores.first.inner_text() and scores.first.inner_text() == max(scores.all_inner_texts()))
    assert page.evaluate("window.shift") < 0.1
    assert page.evaluate("getComputedStyle(document.querySelector('#toast')).transitionDuration") == "0s"


def test_more_like_this_and_compare(page: Any) -> None:
    boxes = page.locator("#grid .cell .under input")
    boxes.nth(0).check()
    boxes.nth(1).check()
    page.locator("#compare").click()
    assert page.locator("#dialog .player").count() == 2
    page.wait_for_selector("#dialog .facts >> nth=1")
    page.get_by_role("button", name="Change one thing").first.click()
    page.wait_for_selector(".note")
    assert page.get_by_label("Count").input_value() == "1"
    page.locator('#grid .open[aria-label*="castle"]').first.click()
    with page.expect_request(
        lambda request: request.method == "POST" and request.url.endswith("/api/jobs")
    ) as sent:
        page.get_by_role("button", name="More like this").click()
    options = sent.value.post_data_json["options"]
    assert (options["image_prompt"], options["steps"], options.get("count", 4)) == ("a castle", 2, 4)
    assert options["index"] >= 1
    page.get_by_role("button", name="Cancel Compose a castle").first.click()
    until(lambda: "Cancelled" in page.locator(".job .words").first.inner_text())


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_accessibility(page: Any, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    page.locator("#more summary").click()
    page.wait_for_selector("#grid .cell")
    assert serious(page) == []
    page.locator("#grid .open").first.click()
    page.wait_for_selector(".facts")
    assert serious(page) == []
    page.keyboard.press("Escape")
    for verb in ("imprint", "paint", "colorize"):
        page.locator(f"#verb-{verb}").click()
        page.wait_for_selector(f"#verb-{verb}[aria-current]")
        assert serious(page) == []


def test_a_phone_shows_everything_without_scrolling_sideways(page: Any) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.locator("#more summary").click()
    until(lambda: page.evaluate("document.documentElement.scrollWidth") <= 360)
    page.locator("#grid .open").first.click()
    page.wait_for_selector(".facts")
    assert page.evaluate("document.querySelector('#dialog').scrollWidth") <= 360


def test_two_thousand_results_scroll(browser: Any, made: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    many(made / "first-run" / "0000", out, 2000)
    server = Served(StudioSettings(out, limits=LIMITS))
    try:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(PATIENCE_MS)
        opened(page, server.address)
        assert page.locator("#total").inner_text() == "2,000 results"
        frames = page.evaluate(SCROLL)
        print(
            f"frames {len(frames)}, over 50 ms: {sum(frame > 50 for frame in frames)}, longest {max(frames):.0f} ms"
        )
        assert page.locator("#grid .cell").count() < 60  # only what is near the screen is in the document
        until(lambda: page.locator("#grid .cell").count() >= 3)
        page.locator("#search").fill("number 1234")
        until(lambda: page.locator("#total").inner_text() == "1 result")
    finally:
        server.stop()


SCROLL = """() => new Promise((done) => {
    const frames = []; let last = performance.now(); let at = 0;
    const step = (now) => {
        frames.push(now - last); last = now; at += 60; scrollTo(0, at);
        if (at < 18000) requestAnimationFrame(step); else done(frames.slice(1));
    };
    requestAnimationFrame(step);
})"""
