"""Long canvases and loops of the embedded family: no seam where windows meet, none where a loop does."""

import subprocess
import sys

import numpy as np
import pytest
import torch

import eidophone
from eidophone.core.errors import BadInput
from eidophone.core.values import Result
from eidophone.diffusion.windows import window_starts
from eidophone.media.spectrogram import log_mel
from eidophone.models.load import mel_spec_of
from eidophone.models.source import find
from eidophone.verbs.compose.options import ComposeOptions
from eidophone.verbs.compose.pipeline import open_run
from eidophone.verbs.shared.canvas import denoise
from eidophone.verbs.shared.context import Context

PROMPTS = ("castle towers, grayscale", "bell ringing")
#: A cell of the codec in pixels, a window, and a canvas of four and a half windows.
CELL, WINDOW, WIDTH = 8, 288, 1296
HOW = {
    "count": 1, "steps": 5, "guidance_stop_step": 5, "reuse_steps": 1, "threads": 1, "window_width": WINDOW,
    "offline": True,
}  # fmt: skip


@pytest.fixture(scope="module")
def long() -> Result:
    (made,) = eidophone.compose(*PROMPTS, width=WIDTH, **HOW)
    return made


@pytest.fixture(scope="module")
def loop() -> Result:
    (made,) = eidophone.compose(*PROMPTS, width=480, loop=True, **HOW)
    return made


def steps_between(gray: np.ndarray) -> np.ndarray:
    """Mean difference of neighbouring columns at the borders of cells, the last one across the loop point."""
    return np.abs(np.roll(gray, -1, 1) - gray).mean(0)[CELL - 1 :: CELL]


def flux(result: Result, spec) -> np.ndarray:
    """Spectral flux of the sound, played twice without a pause, at the borders of cells."""
    sound = torch.from_numpy(result.clip.samples[0])
    logs = log_mel(torch.cat([sound, sound]), spec)
    return logs.diff(dim=-1).abs().mean(0)[CELL - 1 :: CELL].numpy()


def rank(values: np.ndarray, of: np.ndarray | float) -> float:
    """Share of the values that are smaller; of several numbers, the mean."""
    return float(np.mean([(values < one).mean() for one in np.atleast_1d(of)]))


def borders() -> list[int]:
    """Where windows begin and end, in cells."""
    cells, wide = WIDTH // CELL, WINDOW // CELL
    starts = window_starts(cells, wide)
    return sorted({edge for start in starts for edge in (start, start + wide)} - {0, cells})


def test_no_seam_is_seen_or_heard_where_windows_meet(long: Result) -> None:
    """Differences at the borders are no larger than elsewhere; those of canvases side by side are."""
    spec, at = mel_spec_of(find("tiny", "audio")), np.array(borders())
    assert len(at) >= 8
    seen = steps_between(long.spectrogram)[:-1]
    heard = flux(long, spec)[: len(seen)]
    assert rank(seen, seen[at - 1]) < 0.6 and seen[at - 1].mean() < 1.15 * seen.mean()
    assert rank(heard, heard[at - 1]) < 0.6 and heard[at - 1].mean() < 1.15 * heard.mean()
    apart = eidophone.compose(*PROMPTS, width=WINDOW, **HOW | {"count": 3})
    control = steps_between(np.concatenate([one.spectrogram for one in apart], 1))[:-1]
    assert rank(control, control[[WINDOW // CELL - 1, 2 * WINDOW // CELL - 1]]) > 0.8


def test_a_loop_has_no_end(loop: Result) -> None:
    """Across the loop point picture, wave and spectrum change no more than elsewhere."""
    spec, gray = mel_spec_of(find("tiny", "audio")), loop.spectrogram
    apart = np.abs(gray[:, :240] - gray[:, 240:]).mean()  # what columns differ by that are not neighbours
    assert steps_between(gray)[-1] < 0.5 * apart
    seen, heard = steps_between(loop.spectrogram), flux(loop, spec)
    sound = loop.clip.samples[0].astype(float)
    end, last = len(sound), len(seen) - 1
    bends = np.abs(np.diff(np.concatenate([sound, sound]), 2))
    assert rank(seen[:last], seen[last]) < 0.99 and rank(heard[:last], heard[last]) < 0.99
    assert rank(bends[: end - 2], bends[end - 2 : end].max()) < 0.999


def test_a_loop_from_turned_noise_is_the_loop_turned() -> None:
    """So its end is a place like any other; without `loop` it is not."""
    turned = {}
    for loop in (True, False):
        told = HOW | {"width": 480, "loop": loop, "steps": 3}
        run = open_run([ComposeOptions.make(image_prompt="castle", audio_prompt="bells", **told)], Context())
        stride = window_starts(60, WINDOW // CELL, cyclic=True)[1]
        made = []
        for turn in (0, stride):
            scheduler, noise = run.scheduler(), run.noise(run.jobs).roll(turn, -1)
            latents = denoise(run.denoiser(scheduler, run.jobs), noise, scheduler, lambda _: None)
            with torch.inference_mode():
                made.append(run.decode(latents))
        turned[loop] = (made[1] - made[0].roll(stride * CELL, -1)).abs().max()
    assert turned[True] < 1e-3 and turned[False] > 0.1


def test_a_long_sample_is_remade_to_the_byte(tmp_path, loop: Result) -> None:
    how = HOW | {"scene": ("0-3: a castle / bells", "3-6: the sea / waves"), "fade": 0.5, "steps": 2}
    (made,) = eidophone.compose("", "", loop=True, out=tmp_path / "a", **how)
    again = eidophone.remake(made.folder, out=tmp_path / "b")
    for name in ("picture.png", "sound.wav"):
        assert (again.folder / name).read_bytes() == (made.folder / name).read_bytes()
    plain = made.recipe.options.plain()
    assert plain["scene"] == list(how["scene"]) and plain["loop"] and plain["window_width"] == WINDOW
    assert made.captions == ("a castle, the sea", "bells, waves")


def test_scenes_look_like_their_own_prompts(tmp_path) -> None:
    """Away from the fade, each half is what its prompt makes alone, as far as the windows reach."""
    told = HOW | {"steps": 4, "width": 864}
    scenes = ("0-5.01: castle towers / bell ringing", "5.01-10.03: the sea / waves")
    (both,) = eidophone.compose("", "", scene=scenes, **told)
    one, other = (
        eidophone.compose(*p, **told)[0] for p in (("castle towers", "bell ringing"), ("the sea", "waves"))
    )
    first, last = slice(0, 200), slice(664, 864)
    for part, same, different in ((first, one, other), (last, other, one)):
        near = np.abs(both.spectrogram[:, part] - same.spectrogram[:, part]).mean()
        far = np.abs(both.spectrogram[:, part] - different.spectrogram[:, part]).mean()
        assert near < 0.6 * far


def test_the_same_canvas_in_any_batch() -> None:
    (alone,) = eidophone.compose(*PROMPTS, width=432, index=1, **HOW | {"steps": 2})
    two = eidophone.compose(*PROMPTS, width=432, batch_size=2, **HOW | {"count": 2, "steps": 2})
    assert np.abs(alone.spectrogram - two[1].spectrogram).max() < 1e-3


def test_the_codec_in_windows_is_the_codec_as_a_whole() -> None:
    options = ComposeOptions.make(image_prompt="a", audio_prompt="b", width=864, **HOW)
    run = open_run([options], Context())
    latents = torch.randn(1, *run.image.latent_shape(128, 864), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.allclose(run.decode(latents), run.image.decode(latents), atol=2e-5)


def test_an_earlier_recipe_is_made_as_a_whole(long: Result) -> None:
    recorded = {
        k: v for k, v in long.recipe.options.plain().items() if k not in ("window_width", "loop", "scene")
    }
    assert ComposeOptions.from_recorded(recorded, {}).window_width == WIDTH


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"window_width": 100}, "multiple of 8"),
        ({"loop": True, "blend": "lighten"}, "--loop does not go with --blend lighten"),
        ({"scene": ("0-9: a / b",), "width": 448}, "the last scene ends at 9 s and the sound at 5.201 s"),
        (
            {"scene": ("0-6: a / b",), "view": "jigsaw", "width": 512},
            "--scene does not go with --view jigsaw",
        ),
    ],
)
def test_what_cannot_work_is_refused_in_one_sentence(more: dict, said: str) -> None:
    prompts = ("", "") if "scene" in more else PROMPTS
    with pytest.raises(BadInput, match=said):
        eidophone.compose(*prompts, count=1, steps=1, offline=True, **more)


_PEAK = """
import resource, sys, torch
from eidophone.verbs.compose.options import ComposeOptions
from eidophone.verbs.compose.pipeline import open_run
from eidophone.verbs.shared.canvas import denoise, play
from eidophone.verbs.shared.canvas import denoise
from eidophone.verbs.shared.context import Context
run = open_run([ComposeOptions.make(image_prompt="a castle", audio_prompt="bells", seconds=float(sys.argv[1]),
                                    steps=1, sampler="ddim", threads=1, offline=True)], Context())
scheduler, jobs = run.scheduler(), run.jobs[:1]
with torch.inference_mode():
    latents = denoise(run.denoiser(scheduler, jobs), run.noise(jobs), scheduler, lambda step: None)
    play(run.decode(latents).mean(1), run.loaded.vocoder, run.loaded.mel_spec)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_a_minute_takes_no_more_memory_than_ten_seconds() -> None:
    peaks = []
    for seconds in ("10", "60"):
        done = subprocess.run(
            [sys.executable, "-c", _PEAK, seconds], capture_output=True, text=True, check=True
        )
        peaks.append(int(done.stdout.split()[-1]))
    assert peaks[1] < 1.1 * peaks[0]
