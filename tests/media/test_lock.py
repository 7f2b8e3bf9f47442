"""Laws of the lock of a folder."""

import threading
from pathlib import Path

import pytest

from eidophone.core.errors import CannotWrite
from eidophone.media.files import draft_name
from eidophone.media.lock import folder_lock


def test_whoever_holds_the_lock_removes_drafts_and_nothing_else(tmp_path: Path) -> None:
    for name in (draft_name(), draft_name(".html")):
        (tmp_path / name).write_text("half")
    folder = tmp_path / draft_name()
    (folder / "deeper").mkdir(parents=True)
    mine = [".part-frogs", "frog.html", ".part-0123456789abcdef", "x.part-0123456789ab"]
    for name in mine:  # the first is an unfinished set of mixtures, which can go on
        (tmp_path / name).write_text("whole")
    with folder_lock(tmp_path, "writing"):
        left = {path.name for path in tmp_path.iterdir()}
    assert left == {*mine, ".eidophone-lock"}


def test_drafts_of_a_living_process_stay(tmp_path: Path) -> None:
    draft = tmp_path / draft_name(".png")
    with folder_lock(tmp_path, "writing"):
        draft.write_text("half")
        with pytest.raises(CannotWrite, match="Another process is writing"), folder_lock(tmp_path, "writing"):
            pass
        assert draft.exists()


def test_a_short_wait_for_the_lock(tmp_path: Path) -> None:
    held, free = threading.Event(), threading.Event()

    def _hold() -> None:
        with folder_lock(tmp_path, "writing"):
            held.set()
            free.wait(10)

    other = threading.Thread(target=_hold)
    other.start()
    held.wait(10)
    threading.Timer(0.2, free.set).start()
    with folder_lock(tmp_path, "writing", wait_s=10):
        assert free.is_set()
    other.join()
