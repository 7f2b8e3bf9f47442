"""The notebook's widget, by its models: previews, progress, cancel, player."""

import time
from pathlib import Path
from typing import Any

import pytest

from eidophone.core.errors import BadInput, EidophoneError
from eidophone.session import Session

ipywidgets = pytest.importorskip("ipywidgets", reason="the extra `notebook` is not installed")
from eidophone import notebook  # noqa: E402

QUICK = {"preset": "draft", "count": 1, "threads": 1}


@pytest.fixture(scope="module")
def session() -> Session:
    return Session()


def shown(run: notebook.Run, kind: type) -> list[Any]:
    """All widgets of a kind inside the run's."""
    found, left = [], [run.widget]
    while left:
        widget = left.pop(0)
        found += [widget] if isinstance(widget, kind) else []
        left += list(getattr(widget, "children", ()))
    return found


def test_it_shows_previews_then_a_player(session: Session, tmp_path: Path) -> None:
    run = notebook.start(
        "compose", "castle towers", "bell ringing", steps=40, out=tmp_path / "out", session=session, **QUICK
    )
    pictures: list[bytes] = []
    while not run.done:
        pictures += [bytes(image.value) for image in shown(run, ipywidgets.Image)]
        time.sleep(0.01)
    (result,) = run.wait()
    assert result.folder == tmp_path / "out" / "0000"
    assert pictures and all(picture.startswith(b"\xff\xd8") for picture in pictures)
    (player,) = shown(run, ipywidgets.HTML)
    assert "<audio controls" in player.value and not shown(run, ipywidgets.Image)
    (bar,) = shown(run, ipywidgets.FloatProgress)
    (button,) = shown(run, ipywidgets.Button)
    assert bar.value == 1 and button.disabled
    assert "1 made in" in shown(run, ipywidgets.Label)[0].value
    assert "application/vnd.jupyter.widget-view+json" in run._repr_mimebundle_()


def test_its_button_cancels(session: Session) -> None:
    run = notebook.start("compose", "castle", "bell", steps=900, session=session, **QUICK)
    (bar,), (button,) = shown(run, ipywidgets.FloatProgress), shown(run, ipywidgets.Button)
    deadline = time.monotonic() + 120
    while not 0 < bar.value < 1 and time.monotonic() < deadline:
        time.sleep(0.02)
    button.click()
    assert run.wait(120) == []
    assert shown(run, ipywidgets.Label)[0].value == "Cancelled. 0 finished."


def test_painting_shows_every_iteration(session: Session) -> None:
    import numpy as np

    tone = (np.sin(np.arange(16_000) / 5).astype(np.float32), 16_000)
    run = notebook.start(
        "paint", tone, caption="a bell", steps=2, optimise=2, patience=None, session=session, **QUICK
    )
    assert len(run.wait()) == 1
    assert [label.value.split(":")[0] for label in shown(run, ipywidgets.Label)[1:]] == ["1", "2"]


def test_mistakes_are_said_and_raised(session: Session) -> None:
    run = notebook.start("compose", "castle", "bell", steps=0, session=session)
    with pytest.raises(BadInput, match="--steps"):
        run.wait(60)
    assert "--steps" in shown(run, ipywidgets.Label)[0].value
    with pytest.raises(EidophoneError, match="at most 2"):
        notebook.start("compose", "castle", "bell", "dog")
