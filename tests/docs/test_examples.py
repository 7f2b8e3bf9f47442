"""The examples do what their text says: each script runs as a user runs it, the notebook cell by cell."""

import ast
import contextlib
import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import eidophone

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"


def run(script: Path, out: Path) -> str:
    """What a script prints; it must end well."""
    search = os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, script, out], capture_output=True, text=True, env=os.environ | {"PYTHONPATH": search}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def pictures(folder: Path) -> set[str]:
    """The places of all finished samples."""
    return {str(path.parent.relative_to(folder)) for path in folder.rglob("record.json")}


@pytest.mark.slow
def test_compose_keeps_the_best_two_of_six(tmp_path: Path) -> None:
    printed = run(EXAMPLES / "compose.py", tmp_path)
    assert len(printed.splitlines()) == len(pictures(tmp_path)) == 2
    assert all(0 <= int(name) < 6 for name in pictures(tmp_path))


@pytest.mark.slow
def test_own_picture_plays_and_is_drawn_again(tmp_path: Path) -> None:
    run(EXAMPLES / "own_picture.py", tmp_path)
    assert pictures(tmp_path) == {"heard/0000", "seen/0000"}
    heard, seen = (eidophone.load(tmp_path / name / "0000") for name in ("heard", "seen"))
    assert abs(seen.clip.duration_s - heard.clip.duration_s) < 0.1
    loudest = seen.spectrogram.argmax(0)  # the row of the strongest band in each column, top row first
    quarter = len(loudest) // 4
    assert loudest[:quarter].mean() > loudest[-quarter:].mean() + 32  # the tone rises


@pytest.mark.slow
def test_paint_describes_and_paints(tmp_path: Path) -> None:
    printed = run(EXAMPLES / "paint.py", tmp_path)
    assert "bird" in printed.splitlines()[0]
    assert pictures(tmp_path) == {"made/0000", "painted/0000"}


@pytest.mark.slow
def test_colours_leave_the_gray_part_alone(tmp_path: Path) -> None:
    run(EXAMPLES / "colour.py", tmp_path)  # the script asserts it
    gray, coloured = (tmp_path / name / "0000" / "sound.wav" for name in ("gray", "coloured"))
    assert (
        eidophone.load(gray.parent).clip.samples.tolist()
        == eidophone.load(coloured.parent).clip.samples.tolist()
    )


@pytest.mark.slow
def test_rank_writes_every_result_best_first(tmp_path: Path) -> None:
    run(EXAMPLES / "rank.py", tmp_path)
    with (tmp_path / "scores.csv").open() as file:
        rows = list(csv.DictReader(file))
    weaker = [min(float(row["tiny.looks"]), float(row["tiny.sounds"])) for row in rows]
    assert len(rows) == 6
    assert weaker == sorted(weaker, reverse=True)


def values(source: str, names: dict[str, Any]) -> Any:
    """Runs a cell; what its last line is worth, as a notebook would show it."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), names)
    if isinstance(last, ast.Expr):
        return eval(compile(ast.Expression(last.value), "cell", "eval"), names)
    return None


@pytest.mark.slow
def test_the_notebook_runs_and_every_player_plays(tmp_path: Path) -> None:
    cells = json.loads((EXAMPLES / "notebook.ipynb").read_text())["cells"]
    names: dict[str, Any] = {"__name__": "__main__"}
    shown = []
    with contextlib.chdir(tmp_path):
        for cell in cells:
            if cell["cell_type"] == "code":
                assert cell["outputs"] == [], "the notebook is kept without output"
                shown.append(values("".join(cell["source"]), names))
        players = [value._repr_html_() for value in shown if hasattr(value, "_repr_html_")]
    assert len(players) == 4
    assert all("data:image/png;base64," in html and "data:audio/wav;base64," in html for html in players)


@pytest.mark.slow
def test_pending_examples_run_once_their_names_exist(tmp_path: Path) -> None:
    if "Session" not in eidophone.__all__:
        pytest.skip("eidophone.Session cannot be imported yet")
    printed = run(EXAMPLES / "pending" / "session.py", tmp_path)
    assert "4 pictures that play" in printed
