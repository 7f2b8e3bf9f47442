"""The questionnaire in a real Chromium: asked by mouse and by keys, kept over a reload, saved, analysed."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eidophone.core.values import Clip, Picture
from eidophone.evaluation.questionnaire.answers import read_answers
from eidophone.evaluation.questionnaire.page import write_page
from eidophone.evaluation.questionnaire.preference import verdict_of
from eidophone.evaluation.questionnaire.trials import Key, Plan, Sample, drawn

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: apt-get install chromium"),
]
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--autoplay-policy=no-user-gesture-required"),
]
AXE = (Path(__file__).parents[1] / "studio" / "axe" / "axe.min.js").read_text(encoding="utf-8")
PATIENCE_MS = 90_000
METHODS = ("average", "inlay")


def opened(name: str) -> tuple[Picture, Clip]:
    """A picture and half a second of sound that differ by sample."""
    rng = np.random.default_rng(len(name) + ord(name[-1]))
    gray = np.clip(rng.random((64, 160), np.float32) * 0.3 + np.linspace(0, 0.7, 160, dtype=np.float32), 0, 1)
    return Picture.from_gray(gray), Clip(rng.normal(0, 0.1, (1, 8000)).astype(np.float32), 16_000)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Key]:
    folder = tmp_path_factory.mktemp("asked")
    samples = [[Sample(f"{m}/{i}", f"thing {i} <&>", f"noise {i}", 0) for i in range(2)] for m in METHODS]
    trials = drawn(METHODS, samples, Plan(2, 1, 1, 0))
    key = Key(questionnaire="a-test", methods=list(METHODS), trials=trials)
    write_page(folder / "questionnaire.html", key, opened, 0)
    return folder / "questionnaire.html", key


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as tools:
        found = tools.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield found
        found.close()


@pytest.fixture
def page(browser: Any, written: tuple[Path, Key]) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1000, "height": 900}, accept_downloads=True)
    found = context.new_page()
    found.set_default_timeout(PATIENCE_MS)
    problems: list[str] = []
    found.on("pageerror", lambda error: problems.append(str(error)))
    found.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
    found.goto(written[0].as_uri())
    yield found
    context.close()
    assert not problems


def place(page: Any) -> str:
    return page.locator("#place").inner_text()


def until_it_plays(page: Any, side: str) -> None:
    """The page's own rules forbid what `wait_for_function` does."""
    for _ in range(PATIENCE_MS // 100):
        if page.evaluate(f"document.getElementById('sound-{side}').currentTime > 0"):
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"the {side} sound does not play")


def saved(page: Any, button: str, to: Path) -> Path:
    with page.expect_download() as waiting:
        page.locator(button).click()
    waiting.value.save_as(to / waiting.value.suggested_filename)
    return to / waiting.value.suggested_filename


def test_asked_by_keys_kept_and_saved(page: Any, written: tuple[Path, Key], tmp_path: Path) -> None:
    key = written[1]
    page.locator("#who").fill("Ada")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # on Start
    assert place(page).startswith("Pair 1 of 4")
    assert page.locator("legend").all_inner_texts()[0].startswith("Which looks more like “thing")
    sizes = page.evaluate(
        "['left', 'right'].map((s) => document.getElementById('picture-' + s).naturalWidth)"
    )
    assert sizes == [160, 160]
    page.keyboard.press("q")
    until_it_plays(page, "left")
    page.keyboard.press("w")  # stops the other
    until_it_plays(page, "right")
    assert page.evaluate("document.getElementById('sound-left').paused")
    assert page.locator("#next").is_disabled()
    for letter in "121":
        page.keyboard.press(letter)
    assert page.locator("#next").is_enabled()
    page.keyboard.press("Enter")
    assert place(page).startswith("Pair 2 of 4")
    page.keyboard.press("2")
    page.reload()
    assert place(page).startswith("Pair 2 of 4")  # kept
    assert page.locator("input:checked").count() == 1
    part = saved(page, "#early", tmp_path)
    assert len(json.loads(part.read_text())["answers"]) == 4
    part.rename(tmp_path / "part.json")
    for letter in ("1", "1", "Enter", "2", "2", "2", "Enter", "1", "1", "1", "Enter"):
        page.keyboard.press(letter)
    page.get_by_role("heading", name="Thank you").wait_for()
    whole, table = saved(page, "#save-json", tmp_path), saved(page, "#save-csv", tmp_path)
    found = read_answers([tmp_path / "part.json", whole, table], key)
    (sheet,) = found.sheets
    choices = {(a.trial, a.question): a.choice for a in sheet.answers}
    pressed = [*("left", "right", "left"), *("right", "left", "left"), *["right"] * 3, *["left"] * 3]
    asked = [(name, question) for name, trial in key.trials.items() for question in trial.questions()]
    assert choices == dict(zip(asked, pressed, strict=True))
    assert json.loads(whole.read_text())["name"] == "Ada"
    assert len(found.duplicates) == 2
    assert read_answers([table], key).sheets[0].answers == sheet.answers
    verdict = verdict_of(found, key)
    if verdict.participants:
        assert verdict.preferences[0].count == 2


def test_asked_by_mouse_and_changed_on_the_way_back(page: Any) -> None:
    page.get_by_role("button", name="Start").click()
    for group in page.get_by_role("group").all():
        group.get_by_label("Left").check()
    page.get_by_role("button", name="Next").click()
    page.get_by_role("button", name="Back").click()
    assert page.locator("input:checked").evaluate_all("all => all.map((one) => one.value)") == ["left"] * 3
    page.get_by_role("group").first.get_by_label("Right").check()
    page.get_by_role("button", name="Next").click()
    page.get_by_role("button", name="Back").click()
    assert page.get_by_role("group").first.get_by_label("Right").is_checked()


def test_nobody_is_shut_out(page: Any) -> None:
    """axe finds no barrier on the start, on a pair, at the end, in light and in dark."""
    page.set_viewport_size({"width": 360, "height": 700})
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for at in ("-1", "0", "4"):
            page.evaluate(f"state.at = {at}; show()")
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            page.evaluate(AXE)
            found = page.evaluate(
                "axe.run().then((all) => all.violations.map((one) => one.id + ': ' + one.help))"
            )
            assert found == []
