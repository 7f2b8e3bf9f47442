"""The engine: in a process of its own it makes what a session makes, cancels, captions, and may be killed."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from eidophone.core.events import CancelToken
from eidophone.options.commands import CaptionOptions
from eidophone.studio.engine import Message, Order, SessionEngine
from eidophone.studio.process import ProcessEngine
from eidophone.verbs import VERBS
from eidophone.verbs.compose.options import ComposeOptions
from eidophone.verbs.paint.options import PaintOptions

QUICK = {
    "image_prompt": "castle", "audio_prompt": "bell", "preset": "draft", "steps": 2, "count": 1, "threads": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def engine() -> Iterator[ProcessEngine]:
    found = ProcessEngine()
    found.start(warm_up=False)
    yield found
    found.close()


def ran(
    engine: ProcessEngine | SessionEngine, order: Order, cancel: CancelToken | None = None
) -> list[Message]:
    heard: list[Message] = []
    engine.run(order, heard.append, cancel or CancelToken())
    return heard


def test_both_engines_make_the_same(engine: ProcessEngine, tmp_path: Path) -> None:
    options = ComposeOptions.make(**QUICK)
    kinds, pictures = [], []
    for name, one in (("here", SessionEngine()), ("there", engine)):
        heard = ran(one, Order(options, tmp_path / name))
        kinds.append([message["type"] for message in heard if message["type"] != "preview"])
        (sample,) = (message for message in heard if message["type"] == "sample")
        pictures.append((Path(sample["folder"]) / "sound.wav").read_bytes())
    assert kinds[0] == kinds[1]
    assert kinds[0][-1] == "finished"
    assert pictures[0] == pictures[1]


def test_it_cancels(engine: ProcessEngine, tmp_path: Path) -> None:
    cancel = CancelToken()
    heard: list[Message] = []

    def say(message: Message) -> None:
        heard.append(message)
        if message["type"] == "step" and message["stage"] == "denoising":
            cancel.cancel()

    engine.run(Order(ComposeOptions.make(**{**QUICK, "steps": 500}), tmp_path / "out"), say, cancel)
    assert heard[-1]["type"] == "cancelled"
    assert not any(message["type"] == "sample" for message in heard)


def test_a_caption_has_words_with_times_and_weights(engine: ProcessEngine, made: Path) -> None:
    sound = made / "first-run" / "0000" / "sound.wav"
    heard = ran(engine, Order(CaptionOptions.make(threads=1), sound))
    (caption,) = (message for message in heard if message["type"] == "caption")
    assert caption["text"] == " ".join(word["text"] for word in caption["words"])
    for word in caption["words"]:
        assert 0 <= word["start_s"] <= word["end_s"]
        assert word["weight"] > 0
    missing = ran(engine, Order(CaptionOptions.make(threads=1), made / "nothing.wav"))
    assert missing[-1]["type"] == "failed"


def test_painting_reports_every_iteration(made: Path, tmp_path: Path) -> None:
    sound = made / "first-run" / "0000" / "sound.wav"
    options = PaintOptions.make(
        sound=sound, caption="a bell", preset="draft", steps=2, optimise=2, patience=None, count=1, threads=1
    )
    heard = ran(SessionEngine(), Order(options, tmp_path / "out"))
    tried = [message for message in heard if message["type"] == "iteration"]
    assert [message["number"] for message in tried] == [0, 1]
    assert all(-1 <= message["to_sound"] <= 1 and -1 <= message["to_caption"] <= 1 for message in tried)


def test_a_killed_process_fails_its_job_and_is_replaced(engine: ProcessEngine, tmp_path: Path) -> None:
    heard: list[Message] = []
    began = threading.Event()

    def say(message: Message) -> None:
        heard.append(message)
        if message["type"] == "step" and message["stage"] == "denoising":
            began.set()

    slow = Order(ComposeOptions.make(**{**QUICK, "steps": 900}), tmp_path / "slow")
    work = threading.Thread(target=engine.run, args=(slow, say, CancelToken()))
    work.start()
    assert began.wait(120)
    assert engine.pid is not None
    os.kill(engine.pid, signal.SIGKILL)
    work.join(60)
    assert heard[-1]["type"] == "failed"
    assert "ended unexpectedly (exit code -9)" in heard[-1]["message"]
    assert ran(engine, Order(ComposeOptions.make(**QUICK), tmp_path / "again"))[-1]["type"] == "finished"


def test_the_process_ends_with_its_server(made: Path, tmp_path: Path) -> None:
    engine = ProcessEngine()
    engine.start(warm_up=False)
    pid = engine.pid
    assert pid is not None
    began = time.monotonic()
    engine.close()
    assert time.monotonic() - began < 60
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.parametrize("verb", ["colorize", "distill"])
def test_the_slow_verbs_show_previews_too(verb: str, made: Path, tmp_path: Path) -> None:
    given = {"count": 1, "threads": 1, "preset": "draft"}
    prompts = {"image_prompt": "a red castle", "audio_prompt": "bell"}
    if verb == "colorize":
        given |= {"picture": made / "first-run" / "0000", "steps": 3, "upscale_steps": 1}
    else:
        given |= {"iterations": 2, "preview_every": 2}
    heard = ran(SessionEngine(), Order(VERBS[verb].options.make(**prompts, **given), tmp_path / "out"))
    assert heard[-1]["type"] == "finished", heard[-1]
    previews = [message for message in heard if message["type"] == "preview"]
    assert previews[0]["picture"].startswith("data:image/jpeg;base64,")
