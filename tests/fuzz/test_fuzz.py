"""A slice of `make fuzz`, the laws of its generator, and runs that are killed and resumed."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.damage import JSON_KINDS, damaged_bytes, damaged_json

ROOT = Path(__file__).resolve().parents[2]
#: Cases of the slice, and kills; `EIDOPHONE_FUZZ` and `EIDOPHONE_KILLS` ask for more.
CASES = int(os.environ.get("EIDOPHONE_FUZZ", "150"))
KILLS = int(os.environ.get("EIDOPHONE_KILLS", "10"))


def _run(*arguments: str, codes: tuple[int, ...] = (0,)) -> str:
    place = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=ROOT, env=place, capture_output=True, text=True, check=False
    )
    assert done.returncode in codes, done.stdout[-8000:] + done.stderr[-2000:]
    return done.stdout


def test_the_same_seed_gives_the_same_damage() -> None:
    whole = bytes(range(256)) * 9
    given = {"a": {"b": [1, 2]}, "c": "x"}
    for number in range(50):
        one, other = random.Random(number), random.Random(number)
        assert damaged_bytes(one, whole) == damaged_bytes(other, whole)
        assert damaged_json(one, given) == damaged_json(other, given)


def test_every_kind_of_json_reaches_a_field() -> None:
    dice = random.Random(0)
    texts = {damaged_json(dice, {"x": "good"}) for _ in range(4000)}
    assert all(any(kind in text for text in texts) for kind in JSON_KINDS)


@pytest.mark.slow
def test_no_bad_input_goes_wrong() -> None:
    _run("tests.fuzz", "--seed", "3", "--count", str(CASES))


_GUARDED = """
import ctypes, socket, subprocess, sys, tempfile
from pathlib import Path
from tests.fuzz.guard import Guard

home = Path(sys.argv[1])
for name in ("bait", "in"):
    (home / name).mkdir()
for name in ("bait/x", "in/x", "elsewhere"):
    (home / name).touch()
guard = Guard(home / "bait")
tempfile.tempdir = str(home / "in")
libc = ctypes.CDLL(None)
acts = {
    "connects": lambda: socket.create_connection(("127.0.0.1", 9)),
    "starts a process": lambda: subprocess.run(["true"]),
    "opens a file that nobody named": lambda: open(home / "bait" / "x"),
    "writes elsewhere": lambda: open(home / "y", "w"),
    "reads elsewhere": lambda: open(home / "elsewhere"),
    "a library opens a file": lambda: libc.open(bytes(home / "bait" / "x"), 0),
    "": lambda: (open(home / "in" / "z", "w"), open(home / "in" / "x"), libc.open(bytes(home / "in" / "x"), 0)),
}
for said, act in acts.items():
    guard.watch(home / "in")
    try:
        act()
    except Exception:
        pass
    guard.stop()
    first = (guard.broken or [""])[0]
    assert first.startswith(said) and bool(first) == bool(said), (said, guard.broken)
"""


@pytest.mark.slow
def test_the_guard_sees_what_is_not_allowed(tmp_path: Path) -> None:
    place = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    done = subprocess.run(
        [sys.executable, "-c", _GUARDED, str(tmp_path)],
        cwd=ROOT,
        env=place,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_killed_runs_resume_to_the_same_bytes() -> None:
    _run("tests.fuzz.crash", "--kills", str(KILLS), "--seed", "1")


def test_words_are_found_in_whatever_they_are_packed(tmp_path: Path) -> None:
    import io
    import zipfile
    from base64 import b64encode

    import av
    import numpy as np
    from PIL import Image, PngImagePlugin

    from tests.fuzz.personal import traces

    text, picture, packed = PngImagePlugin.PngInfo(), io.BytesIO(), io.BytesIO()
    text.add_text("a", "by zebediah", zip=True)
    text.add_itxt("b", "by zebediah", zip=True)
    Image.fromarray(np.zeros((2, 2), np.uint8)).save(picture, "PNG", pnginfo=text)
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.png", picture.getvalue())
    film = io.BytesIO()
    with av.open(film, "w", format="mp4") as container:
        container.metadata["title"] = "by zebediah"
        stream = container.add_stream("mpeg4", rate=4)
        stream.width = stream.height = 16
        frame = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8))
        container.mux([*stream.encode(frame), *stream.encode()])
    for name, content in {
        "x.mp4": film.getvalue(), "x.png": picture.getvalue(), "x.zip": packed.getvalue(),
        "x.wav": "zebediah".encode("utf-16-le"),
        "x.html": b"<img src='data:image/png;base64," + b64encode(picture.getvalue()) + b"'>",
    }.items():  # fmt: skip
        (tmp_path / name).write_bytes(content)
        assert traces(tmp_path / name, ["zebediah", "nobody"]) == ["zebediah"], name
