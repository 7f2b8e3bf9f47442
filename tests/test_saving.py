"""Samples that are stored while the next ones are made: order, stops, failures, and the same files."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import eidophone
from eidophone.core.errors import CannotWrite
from eidophone.core.events import Cancelled, CancelToken, Event, Reporter, SampleFinished, Step
from eidophone.saving import saved_beside

WAIT_S = 20


class Bench:
    """Samples are numbers here; storing one waits for its gate, so that nothing depends on speed."""

    def __init__(self, count: int, open_gates: bool = True) -> None:
        self.gates = [threading.Event() for _ in range(count)]
        for gate in self.gates if open_gates else ():
            gate.set()
        self.report, self.told, self.made, self.stored = Reporter(), [], [], []

    def save(self, number: int) -> str:
        assert self.gates[number].wait(WAIT_S)
        self.stored.append(number)
        return f"stored {number}"

    def samples(self, fails_at: int | None = None) -> Iterator:
        for number in range(len(self.gates)):
            if number == fails_at:
                raise KeyboardInterrupt
            self.report("denoising", number, len(self.gates))
            self.made.append(number)
            yield self.save, number

    def run(self, **more) -> Iterator[str]:
        return saved_beside(self.samples(**more), self.report, self.told.append)


def test_all_samples_come_in_order() -> None:
    bench = Bench(5)
    assert list(bench.run()) == bench.told == [f"stored {n}" for n in range(5)]


def test_the_next_sample_is_made_while_one_is_stored() -> None:
    bench = Bench(2, open_gates=False)
    made = bench.run()
    threading.Thread(target=lambda: list(made), daemon=True).start()
    for _ in range(WAIT_S * 100):
        if bench.made == [0, 1]:
            break
        threading.Event().wait(0.01)
    assert bench.made == [0, 1] and bench.stored == []
    for gate in bench.gates:
        gate.set()


def test_a_stored_sample_is_told_at_the_next_step() -> None:
    """Not only when the next sample is ready, which may take minutes."""
    bench = Bench(2)

    def _slow() -> Iterator:
        yield bench.save, 0
        for _ in range(WAIT_S * 100):
            bench.report("denoising", 1, 2)
            if bench.told:
                break
            threading.Event().wait(0.01)
        assert bench.told == ["stored 0"]
        yield bench.save, 1

    assert list(saved_beside(_slow(), bench.report, bench.told.append)) == ["stored 0", "stored 1"]


def test_ctrl_c_keeps_what_was_complete() -> None:
    bench = Bench(3)
    got = []
    with pytest.raises(KeyboardInterrupt):
        got.extend(bench.run(fails_at=2))  # a list keeps what came before the error
    assert got == bench.told == ["stored 0", "stored 1"]


def test_who_takes_no_more_leaves_nothing_half_written() -> None:
    bench = Bench(3)
    made = bench.run()
    assert next(made) == "stored 0"
    made.close()
    assert bench.stored == [0, 1] and bench.report.between is None  # the second one was being stored


def test_a_full_disk_ends_the_run() -> None:
    bench = Bench(9)

    def _full(_: int) -> str:
        raise CannotWrite("the disk is full")

    def _made() -> Iterator:
        for _, number in bench.samples():
            yield _full, number

    with pytest.raises(CannotWrite, match="full"):
        list(saved_beside(_made(), bench.report, bench.told.append))
    assert len(bench.made) <= 2 and bench.told == []


def test_the_files_are_the_same(settings: dict, tmp_path: Path) -> None:
    told = {"count": 3, "steps": 1, **settings}
    plain = list(eidophone.compose("a castle", "a bell", out=tmp_path / "a", **told))
    ahead = list(eidophone.compose("a castle", "a bell", out=tmp_path / "b", ahead=True, **told))
    assert [one.index for one in ahead] == [one.index for one in plain] == [0, 1, 2]
    for name in ("picture.png", "spectrogram.png", "sound.wav", "video.mp4"):
        for ours, theirs in zip(ahead, plain, strict=True):
            assert (ours.folder / name).read_bytes() == (theirs.folder / name).read_bytes()
    assert (tmp_path / "b" / "contact-sheet.png").read_bytes() == (
        tmp_path / "a" / "contact-sheet.png"
    ).read_bytes()


def test_cancelling_leaves_whole_samples(settings: dict, tmp_path: Path) -> None:
    token, seen = CancelToken(), []

    def _listen(event: Event) -> None:
        seen.append(event)
        if isinstance(event, Step) and event.done >= 3:
            token.cancel()

    told = {"count": 4, "steps": 2, "events": _listen, "cancel": token, "ahead": True, **settings}
    with pytest.raises(Cancelled):
        list(eidophone.compose("a castle", "a bell", out=tmp_path / "a", **told))
    whole = sorted(path.name for path in (tmp_path / "a").iterdir() if path.is_dir())
    assert whole == ["0000"] and [e.result.index for e in seen if isinstance(e, SampleFinished)] == [0]
    eidophone.load(tmp_path / "a" / "0000")
