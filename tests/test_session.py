"""A session: what it loads, what it reports, how it is stopped, how it goes on, what it takes from memory."""

import os
import shutil
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import eidophone
from eidophone.core.errors import BadInput, CannotWrite
from eidophone.core.events import Finished, Preview, SampleFinished, Started, Step, Warned
from eidophone.results.store import Store
from tests.verbs.test_samples import FILES, PROMPTS, off


@pytest.fixture
def session(settings: dict):
    with eidophone.Session(**settings) as opened:
        yield opened


def names(events: list) -> list[str]:
    return [type(event).__name__ for event in events]


def test_twenty_calls_load_each_network_once(session) -> None:
    for seed in range(20):
        list(session.compose(*PROMPTS, count=1, steps=1, seed=seed))
    loads = {key: count for key, count in session.registry.loads.items() if key[0] == "unet"}
    assert len(loads) == 2 and set(loads.values()) == {1}


def test_closing_gives_the_models_back(session) -> None:
    list(session.compose(*PROMPTS, count=1, steps=1))
    assert session.registry.used_bytes > 0
    session.close()
    assert session.registry.used_bytes == 0
    list(session.compose(*PROMPTS, count=1, steps=1))  # and loads them again


def test_the_events_of_a_run(session) -> None:
    events: list = []
    results = list(session.compose(*PROMPTS, count=2, steps=3, events=events.append))
    assert names(events)[0] == "Started" and names(events)[-1] == "Finished"
    assert events[0] == Started("compose", 2)
    assert [e.result.index for e in events if isinstance(e, SampleFinished)] == [0, 1]
    steps = [e for e in events if isinstance(e, Step) and e.stage == "denoising"]
    assert [(e.done, e.total) for e in steps] == [(i, 6) for i in range(1, 7)]
    assert steps[0].eta_s is None and all(e.eta_s >= 0 for e in steps[1:])
    (preview, *_) = (e for e in events if isinstance(e, Preview))
    assert preview.index == 0 and preview.picture.pixels.ndim == 3
    assert isinstance(events[-1], Finished) and events[-1].samples == len(results) == 2


def test_a_preview_at_the_last_step_is_the_finished_picture(session) -> None:
    """The estimate of the clean latent comes near to what the sampler ends with."""
    from eidophone.diffusion.sampler import make_scheduler, sampling_steps
    from eidophone.verbs.compose.options import ComposeOptions
    from eidophone.verbs.compose.pipeline import open_run
    from eidophone.verbs.compose.run import Job
    from eidophone.verbs.shared.context import Context

    given = {**session._defaults, "count": 1, "steps": 30, "sampler": "ddim"}
    run = open_run(
        [ComposeOptions.make(image_prompt="a", audio_prompt="b", **given)], Context(session.registry)
    )
    scheduler = make_scheduler("ddim", run.image.schedule, 30)
    *_, last = sampling_steps(run.denoiser(scheduler, [Job(0, 0)]), run.noise([Job(0, 0)]), scheduler)
    assert off(last.clean.detach().numpy(), last.latents.detach().numpy()) < 0.2


@pytest.mark.parametrize("step", [1, 4, 7])
def test_a_cancelled_run_stops_within_one_step_and_leaves_whole_samples(
    step: int, session, tmp_path: Path
) -> None:
    token, seen = eidophone.CancelToken(), []

    def listen(event: object) -> None:
        if isinstance(event, Step) and event.stage == "denoising":
            seen.append(event.done)
            if event.done == step:
                token.cancel()

    with pytest.raises(eidophone.Cancelled):
        for _ in session.compose(
            *PROMPTS, count=4, steps=3, batch_size=1, out=tmp_path / "o", events=listen, cancel=token
        ):
            pass
    assert seen[-1] == step  # not one more
    kept = sorted(p.name for p in (tmp_path / "o").glob("*") if p.name != ".eidophone-lock")
    assert kept == [f"{i:04d}" for i in range((step - 1) // 3)]
    assert all({f.name for f in (tmp_path / "o" / name).iterdir()} == FILES for name in kept)


def test_another_thread_cancels(session) -> None:
    token = eidophone.CancelToken()
    threading.Timer(0.5, token.cancel).start()
    began = time.monotonic()
    with pytest.raises(eidophone.Cancelled):
        list(session.compose(*PROMPTS, count=1000, steps=50, cancel=token))
    assert time.monotonic() - began < 60


def test_many_prompts_in_one_call_are_what_they_are_alone(session, tmp_path: Path) -> None:
    pairs = [("castle", "bell"), ("dog", "barking"), ("castle", "rain")]
    many = list(session.compose(prompts=pairs, count=2, steps=3, batch_size=4, out=tmp_path / "o"))
    assert len(many) == 6 and len({r.folder for r in many}) == 6
    for number, result in enumerate(many):
        (alone,) = session.compose(*pairs[number // 2], count=1, index=result.index, steps=3)
        assert result.captions == pairs[number // 2] and result.index == number % 2
        assert off(result.arrays["latents"], alone.arrays["latents"]) < 1e-4
    with pytest.raises(BadInput, match="not both"):
        session.compose("a", "b", prompts=pairs)


def test_on_a_processor_a_sample_does_not_depend_on_the_others(session) -> None:
    five = list(session.compose(*PROMPTS, count=5, steps=3))
    (alone,) = session.compose(*PROMPTS, count=1, index=3, steps=3)
    assert np.array_equal(five[3].arrays["latents"], alone.arrays["latents"])
    assert five[3].recipe == alone.recipe


@pytest.mark.parametrize("verb", ["compose", "imprint"])
def test_r33_resuming_gives_the_bytes_of_an_uninterrupted_run(verb: str, session, tmp_path: Path) -> None:
    more = {"steps": 2} if verb == "compose" else {"image_steps": 1, "audio_steps": 2}
    make = getattr(session, verb)
    whole = list(make(*PROMPTS, count=4, out=tmp_path / "whole", **more))
    list(make(*PROMPTS, count=1, index=2, out=tmp_path / "part", **more))
    resumed = list(make(*PROMPTS, count=4, out=tmp_path / "part", resume=True, **more))
    assert sorted(r.index for r in resumed) == [0, 1, 2, 3]
    for result in whole:
        for name in FILES - {"record.json"}:
            ours, theirs = (tmp_path / run / result.folder.name / name for run in ("whole", "part"))
            assert ours.read_bytes() == theirs.read_bytes(), name
    with pytest.raises(BadInput, match=r"--resume: .* was made with seed"):
        list(make(*PROMPTS, count=4, seed=5, out=tmp_path / "part", resume=True, **more))


def test_r33_a_batch_that_lost_a_sample_is_made_again_as_it_was(session, tmp_path: Path) -> None:
    more = {"count": 5, "batch_size": 2, "steps": 3}
    whole = list(session.compose(*PROMPTS, out=tmp_path / "whole", **more))
    shutil.copytree(tmp_path / "whole", tmp_path / "part")
    shutil.rmtree(tmp_path / "part" / whole[3].folder.name)
    resumed = list(session.compose(*PROMPTS, out=tmp_path / "part", resume=True, **more))
    assert sorted(result.index for result in resumed) == [0, 1, 2, 3, 4]
    for result in whole:
        for name in FILES - {"record.json"}:
            ours, theirs = (tmp_path / run / result.folder.name / name for run in ("whole", "part"))
            assert ours.read_bytes() == theirs.read_bytes(), (result.index, name)


def test_r35_a_folder_is_written_by_one_process_at_a_time(session, tmp_path: Path) -> None:
    with Store(tmp_path / "o") as store:
        store.reserve([0])
        with pytest.raises(CannotWrite, match="Another process is writing into"):
            list(session.compose(*PROMPTS, count=1, steps=1, index=5, out=tmp_path / "o"))
    list(session.compose(*PROMPTS, count=1, steps=1, index=5, out=tmp_path / "o"))


def test_who_is_turned_away_leaves_the_lock_of_the_other(session, tmp_path: Path) -> None:
    """Otherwise a third process gets a lock of its own while the first one still writes."""
    with Store(tmp_path / "o") as store:
        store.reserve([0])
        for _ in range(2):
            with pytest.raises(CannotWrite, match="Another process is writing into"):
                list(session.compose(*PROMPTS, count=1, steps=1, out=tmp_path / "o"))


def test_a_run_that_stopped_before_its_overview_gets_one(session, tmp_path: Path) -> None:
    list(session.compose(*PROMPTS, count=2, steps=1, out=tmp_path / "o"))
    sheet = (tmp_path / "o" / "contact-sheet.png").read_bytes()
    (tmp_path / "o" / "contact-sheet.png").unlink()
    list(session.compose(*PROMPTS, count=2, steps=1, resume=True, out=tmp_path / "o"))
    assert (tmp_path / "o" / "contact-sheet.png").read_bytes() == sheet


def test_r32_leftovers_of_a_killed_process_are_swept(session, tmp_path: Path) -> None:
    leftover = tmp_path / "o" / ".part-0123456789ab"
    leftover.mkdir(parents=True)
    (leftover / "sound.wav").touch()
    list(session.compose(*PROMPTS, count=1, steps=1, out=tmp_path / "o"))
    assert not leftover.exists()


def test_a_pipe_among_the_leftovers_stops_nobody(session, tmp_path: Path) -> None:
    leftover = tmp_path / "o" / ".part-0123456789ab"
    leftover.parent.mkdir()
    os.mkfifo(leftover)
    list(session.compose(*PROMPTS, count=1, steps=1, out=tmp_path / "o"))
    assert not leftover.exists()


def test_a_coloured_folder_goes_on_after_a_stop_but_not_with_another_picture(
    session, pair, cascade: tuple[Path, Path], tmp_path: Path
) -> None:
    first, second = (
        next(iter(session.compose(*PROMPTS, count=1, steps=1, seed=seed, out=tmp_path / f"c{seed}"))).folder
        for seed in (1, 2)
    )
    how = {
        "image_model": cascade[0], "upscaler": cascade[1], "audio_model": pair[1], "steps": 2, "upscale_steps": 1,
        "out": tmp_path / "o",
    }  # fmt: skip
    list(session.colorize(first, "red", count=1, **how))
    made = list(session.colorize(first, "red", count=2, resume=True, **how))
    assert [result.index for result in made] == [0, 1]
    assert len(list(session.colorize(first / "picture.png", "red", count=2, resume=True, **how))) == 2
    with pytest.raises(BadInput, match=r"was made with picture 'spectrogram\.png'"):
        list(session.colorize(second, "red", count=2, resume=True, **how))


def test_inputs_in_memory_are_as_good_as_files(session, pair, tmp_path: Path) -> None:
    ramp = np.linspace(0, 255, 64, dtype=np.uint8)[None].repeat(32, 0)
    image = Image.fromarray(ramp)
    image.save(tmp_path / "ramp.png")
    of_file = session.hear(tmp_path / "ramp.png", audio_model=str(pair[1]))
    for value in (image, ramp, eidophone.Picture.from_gray((ramp / 255).astype(np.float32))):
        heard = session.hear(value, audio_model=str(pair[1]))
        assert np.array_equal(heard.clip.samples, of_file.clip.samples)
    samples = (0.3 * np.sin(np.arange(9000) / 5)).astype(np.float32)
    seen = [
        session.see(x, audio_model=str(pair[1]))
        for x in ((samples, 8000), eidophone.Clip(samples[None], 8000))
    ]
    assert np.array_equal(seen[0].spectrogram, seen[1].spectrogram)
    for wrong in (5, [1, 2], object()):
        with pytest.raises(BadInput):
            session.hear(wrong)


def test_results_show_and_save_themselves(session, tmp_path: Path) -> None:
    (made,) = session.compose("<b>castle</b>", "bell", count=1, steps=1)
    assert made.picture.image().size == made.picture.pixels.shape[1::-1]
    made.clip.save(tmp_path / "x.flac", subtype="24")
    made.picture.save(tmp_path / "x.png")
    assert (tmp_path / "x.flac").read_bytes()[:4] == b"fLaC" and Image.open(
        tmp_path / "x.png"
    ).format == "PNG"
    page = made._repr_html_()
    assert "<audio" in page and "data:audio/wav;base64," in page and "<b>castle" not in page


def test_old_names_of_options_work_with_a_warning(session) -> None:
    with pytest.warns(DeprecationWarning, match="--solver is now --sampler"):
        (made,) = session.compose(*PROMPTS, count=1, steps=2, solver="ddim")
    assert made.recipe.options.plain()["sampler"] == "ddim"


def test_unknown_words_are_reported_once(capsys) -> None:
    events: list = []
    with eidophone.Session(device="cpu", offline=True) as tiny:
        list(tiny.compose("a poodle", "dog barking", count=2, steps=1, events=events.append))
        warned = [e.message for e in events if isinstance(e, Warned)]
        assert len(warned) == 1 and "'poodle'" in warned[0] and "'dog'" in warned[0]
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            with pytest.raises(UserWarning, match="poodle"):
                list(tiny.compose("a poodle", "dog barking", count=1, steps=1))


@pytest.mark.parametrize("prompt", ["xqzw blorf", "\u57ce\u5821", "\U0001f438"])
def test_r30_a_prompt_without_a_known_word_is_reported(prompt: str) -> None:
    events: list = []
    with eidophone.Session(device="cpu", offline=True) as tiny:
        list(tiny.compose(prompt, "dog barking", count=1, steps=1, events=events.append))
    (warned,) = (e.message for e in events if isinstance(e, Warned))
    assert "knows no word of" in warned and prompt in warned


@pytest.mark.parametrize("blank", ["", "  ", "\n\t"])
def test_r30_two_empty_prompts_are_refused(blank: str, session) -> None:
    with pytest.raises(BadInput, match="Both prompts are empty"):
        list(session.compose(blank, blank, count=1, steps=1))


def test_the_typed_arguments_are_those_of_the_options() -> None:
    import subprocess

    from ruff import find_ruff_bin  # type: ignore[attr-defined]

    from scripts.arguments import TARGET, text

    formatted = subprocess.run(
        [find_ruff_bin(), "format", "--stdin-filename", str(TARGET), "-"],
        input=text(),
        capture_output=True,
        text=True,
    )
    assert formatted.stdout == TARGET.read_text(encoding="utf-8"), "run `python scripts/arguments.py`"
