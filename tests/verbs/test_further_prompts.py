"""Several prompts on one canvas, each with its view: how they are typed, what the result holds, what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import eidophone
from eidophone.cli import main
from eidophone.core.errors import BadInput
from eidophone.core.values import Clip, Picture
from eidophone.diffusion.views import VIEWS
from eidophone.media.audio import read_sound
from eidophone.media.picture import read_picture
from eidophone.scoring.contract import Subject, judged
from eidophone.scoring.judges import open_judges
from eidophone.verbs import verb_of
from eidophone.verbs.compose.options import ComposeOptions
from eidophone.verbs.compose.prompts import FurtherPrompt, further_prompt
from eidophone.verbs.settings_files import combinations, read_settings

PROMPTS = ("a castle", "bell ringing")
FILES = {
    "picture.png", "spectrogram.png", "sound.wav", "video.mp4", "view-1.png", "spectrogram-1.png", "sound-1.wav",
}  # fmt: skip
MORE = {"also_image": ["flip: a ship"], "also_audio": ["mirror @0.5: a dog barking"]}


def models(settings: dict) -> dict:
    return {name: settings[name] for name in ("image_model", "audio_model")}


def off(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a - b).max() / b.std())


# --- as they are typed ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("flip: a ship", FurtherPrompt(("flip",), "all", 1.0, "a ship")),
        ("flip@0.7:a ship", FurtherPrompt(("flip",), "all", 0.7, "a ship")),
        (" flip + mirror @ 2 : a ship", FurtherPrompt(("flip", "mirror"), "all", 2.0, "a ship")),
        ("a ship", FurtherPrompt((), "all", 1.0, "a ship")),
        ("@0.3: a ship", FurtherPrompt((), "all", 0.3, "a ship")),
        ("low-pass: a face", FurtherPrompt((), "low-pass", 1.0, "a face")),
        ("flip+high-pass @1: a face", FurtherPrompt(("flip",), "high-pass", 1.0, "a face")),
        ("identity: at sea: a ship @ 9", FurtherPrompt(("identity",), "all", 1.0, "at sea: a ship @ 9")),
    ],
)
def test_a_further_prompt_is_read(text: str, expected: FurtherPrompt) -> None:
    assert further_prompt(text) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("flop: a ship", "there is no view 'flop'; did you mean 'flip'?"),
        ("at sea: a ship", "write 'identity:'"),
        ("flip @0: a ship", "weight must be a number above 0"),
        ("flip @much: a ship", "weight must be a number above 0"),
        ("flip @nan: a ship", "weight must be a number above 0"),
        ("flip:", "holds no prompt"),
        ("flip a ship", "put a colon behind the view, as in 'flip: a ship'"),
    ],
)
def test_a_mistake_is_one_sentence_with_the_remedy(text: str, said: str) -> None:
    with pytest.raises(BadInput) as found:
        ComposeOptions.make(also_image=[text])
    assert str(found.value).startswith("--also-image: ") and said in str(found.value)


def test_one_prompt_may_be_text_and_a_recipe_gives_equal_options() -> None:
    made = ComposeOptions.make(also_image="flip: a ship; mirror @2: a cat", also_audio=("mirror: a dog",))
    assert made.also_image == ("flip: a ship", "mirror @2: a cat") and made.more_sounds[0].prompt == "a dog"
    assert ComposeOptions.make(**json.loads(json.dumps(made.plain()))) == made


def test_lists_in_files_are_prompts_and_no_sweep(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text('image-prompt = "a"\naudio-prompt = "b"\nalso-image = ["flip: c", "mirror: d"]\n')
    verb = verb_of("compose")
    (one,) = combinations(read_settings(file, verb, {}), verb.options)
    assert verb.options.make(**one).also_image == ("flip: c", "mirror: d")


def test_the_papers_crop_gives_way() -> None:
    assert ComposeOptions.make(preset="paper").crop
    assert not ComposeOptions.make(preset="paper", **MORE).crop
    with pytest.raises(BadInput, match="do not go with --crop"):
        ComposeOptions.make(crop=True, **MORE)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"also_image": ["rotate90: a ship"]}, "--also-image 'rotate90: a ship' needs a square canvas; use --width 32"),
        ({"also_audio": ["rows: a dog"]}, "--also-audio 'rows: a dog': shows the audio model 16 rows"),
        ({"view": "rows", "also_audio": ["flip: a dog"]}, "put rows\\+ before the view"),
        ({"also_image": ["patches: a ship"]}, "--height 32: --also-image 'patches: a ship' needs a multiple of 64"),
        ({**MORE, "blend": "lighten"}, "--blend lighten moves the drawing"),
        ({"also_image": ["low-pass: a ship"], "blend": "inlay"}, "--blend inlay has no low-pass"),
        ({"image_band": "high-pass", "audio_start_step": 2}, "No prompt decides the low-pass part"),
        ({"morph": True}, "--morph needs another view"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_before_the_first_step(given: dict, said: str, settings: dict) -> None:
    with pytest.raises(BadInput, match=said):
        eidophone.compose(*PROMPTS, count=1, steps=3, **given, **settings)


# --- what is made --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def turned(settings: dict, tmp_path_factory: pytest.TempPathFactory):
    out = tmp_path_factory.mktemp("turned")
    return eidophone.compose(*PROMPTS, count=3, steps=3, batch_size=2, out=out, **MORE, **settings)


def test_the_result_holds_what_each_view_shows_and_plays(turned: list) -> None:
    for result in turned:
        shown = read_picture(result.folder / "picture.png").pixels
        assert np.array_equal(read_picture(result.folder / "view-1.png").pixels, shown[::-1])
        heard = read_picture(result.folder / "spectrogram-1.png").gray()
        assert np.abs(heard - shown[:, ::-1].mean(2)).max() <= 1 / 255 + 1e-6
        sound = read_sound(result.folder / "sound-1.wav")
        assert sound.duration_s == result.clip.duration_s
        assert off(sound.samples, result.clip.samples) > 0.1
        record = json.loads((result.folder / "record.json").read_text())
        assert {"view-1.png", "spectrogram-1.png", "sound-1.wav"} <= set(record["files"])
        assert record["captions"][2:] == ["flip: a ship", "mirror @0.5: a dog barking"]


@pytest.mark.parametrize("morph", [False, True])
def test_it_is_made_again_to_the_same_bytes(
    morph: bool, settings: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TURN_S", "SHOWN_S"):
        monkeypatch.setattr(f"eidophone.media.morph.{name}", 0.1)
    given = {"count": 2, "batch_size": 2, "steps": 2, "morph": morph, **MORE, **settings}
    result = eidophone.compose(*PROMPTS, out=tmp_path / "a", **given)[1]
    again = eidophone.remake(result.folder / "sound-1.wav", out=tmp_path / "b", **models(settings))
    names = {path.name for path in result.folder.iterdir()} - {"record.json"}
    assert names == FILES | ({"morph.mp4"} if morph else set())
    for name in names:
        assert (again.folder / name).read_bytes() == (result.folder / name).read_bytes(), name


@pytest.mark.parametrize("index", range(3))
def test_a_sample_does_not_depend_on_its_batch(index: int, turned: list, settings: dict) -> None:
    (alone,) = eidophone.compose(*PROMPTS, count=1, index=index, steps=3, **MORE, **settings)
    assert off(alone.arrays["latents"], turned[index].arrays["latents"]) < 1e-4
    assert [turn.places for turn in alone.turns] == [None, None]


def test_each_further_prompt_costs_what_a_prompt_costs(turned: list) -> None:
    assert turned[0].facts["unet_evaluations"] == 2 * 3 * 4


def test_candidates_are_chosen_by_their_weakest_view(settings: dict) -> None:
    more = {"also_image": ["flip: a ship"], "also_audio": ["mirror: a dog barking"]}
    chosen = eidophone.compose(*PROMPTS, count=2, from_=3, steps=2, judges="tiny", **more, **settings)
    for result in chosen:
        numbers = result.score.numbers
        assert {"tiny.looks@view-1", "tiny.sounds@sound-1"} <= set(numbers)
        assert result.score.side("looks") == min(numbers["tiny.looks"], numbers["tiny.looks@view-1"])
        assert result.score.side("sounds") == min(numbers["tiny.sounds"], numbers["tiny.sounds@sound-1"])
    turned = chosen[0].extras["view-1"]
    (alone,) = {eidophone_score(turned, "a ship")}
    assert abs(alone - chosen[0].score.numbers["tiny.looks@view-1"]) < 1e-5


def eidophone_score(picture: Picture, prompt: str) -> float:
    """What the embedder says of a picture alone."""
    judges = open_judges("tiny", torch.device("cpu"), offline=True)
    silence = Clip(np.zeros((1, 8000), np.float32), 8000)
    return judged(Subject(picture, picture.gray(), silence, prompt), judges).numbers["tiny.looks"]


def made(settings: dict, prompts: tuple[str, str] = PROMPTS, **more: object) -> np.ndarray:
    (result,) = eidophone.compose(*prompts, count=1, steps=4, seed=3, **more, **settings)
    return result.arrays["latents"]


def test_equal_prompts_sum_their_weights(settings: dict) -> None:
    two = made(settings, also_image=["flip @0.25: a ship", "flip @0.5: a ship"])
    assert off(two, made(settings, also_image=["flip @0.75: a ship"])) < 1e-4
    assert off(two, made(settings, also_image=["flip @2: a ship"])) > 1e-3


def test_the_first_prompt_again_changes_nothing(settings: dict) -> None:
    again = made(settings, also_image=["@3: a castle"], also_audio=["identity @0.1: bell ringing"])
    assert off(again, made(settings)) < 1e-4


def test_a_sound_in_a_view_is_the_view_of_the_first_sound(settings: dict) -> None:
    """A heavy further prompt leaves the first one nothing, so it does what --view does."""
    heavy = made(settings, ("a castle", "rain"), also_audio=["mirror @100: bell ringing"], audio_weight=0.6)
    same = made(settings, view="mirror", audio_weight=0.6)
    assert off(heavy, same) < 0.1 < off(made(settings, audio_weight=0.6), same)


def test_both_bands_of_one_prompt_are_the_prompt(settings: dict) -> None:
    whole = made(settings)
    parts = made(settings, image_band="high-pass", also_image=["low-pass: a castle"])
    assert off(parts, whole) < 1e-3
    assert off(made(settings, image_band="high-pass", also_image=["low-pass: a ship"]), whole) > 1e-3


def test_a_picture_may_be_coarse_and_its_sound_fine(settings: dict) -> None:
    hybrid = made(settings, image_band="low-pass", audio_band="high-pass")
    assert off(hybrid, made(settings)) > 1e-3
    assert off(hybrid, made(settings, image_band="low-pass", audio_band="high-pass", audio_weight=0.9)) < 1e-5


def test_the_mean_is_what_visual_anagrams_says(settings: dict) -> None:
    """(1 - W) sum of wi v^-1(e_image(v(z))) + W sum of wa v^-1(e_audio(v(z))), weights of sum 1."""
    from eidophone.diffusion.canvas import start_noise
    from eidophone.diffusion.sampler import make_scheduler
    from eidophone.verbs.compose.pipeline import open_run
    from eidophone.verbs.compose.run import Job
    from eidophone.verbs.shared.context import Context

    options = ComposeOptions.make(
        image_prompt="a", audio_prompt="b", audio_weight=0.3, image_guidance=5, audio_guidance=2,
        also_image=["flip @0.5: c"], also_audio=["mirror @3: d"], **settings,
    )  # fmt: skip
    run = open_run([options], Context())
    scheduler = make_scheduler("ddim", run.image.schedule, 10)
    x, t = start_noise((1, 4, 4, 8), 0), torch.tensor(401)

    def of(model, role: str, text: str, scale: float, flip: tuple[int, ...] = ()):
        empty, wanted = (model.text.encode(words, "prompt") for words in ("", text))
        seen = x.flip(flip)
        e = [model.network(seen, t, condition).sample for condition in (wanted, empty)]
        return (e[1] + scale * (e[0] - e[1])).flip(flip)

    with torch.no_grad():
        ours = run.denoiser(scheduler, [Job(0, 0)])(x, t)
        image = (of(run.image, "image", "a", 5.0) + 0.5 * of(run.image, "image", "c", 5.0, (-2,))) / 1.5
        sound = (of(run.audio, "audio", "b", 2.0) + 3 * of(run.audio, "audio", "d", 2.0, (-1,))) / 4
    assert torch.allclose(ours, 0.7 * image + 0.3 * sound, atol=1e-5)


#: The small canvas has 4 rows of latent cells; the embedded family has more, below.
FITTING = [name for name in VIEWS.names() if name != "rows" and VIEWS[name].grid[0] <= 4]


@pytest.mark.parametrize("name", FITTING)
def test_every_view_makes_a_picture_and_a_sound(name: str, settings: dict) -> None:
    square = {"height": 32, "width": 32} if VIEWS[name].square else {"width": 64}
    (result,) = eidophone.compose(
        *PROMPTS,
        count=1,
        steps=1,
        also_image=[f"{name}: a ship"],
        also_audio=[f"{name}: rain"],
        **square,
        **settings,
    )
    pixels = torch.from_numpy(result.picture.pixels).permute(2, 0, 1)
    expected = VIEWS[name].seen(pixels)
    assert torch.equal(torch.from_numpy(result.extras["view-1"].pixels).permute(2, 0, 1), expected)
    assert np.abs(result.extras["spectrogram-1"].gray() - expected.mean(0).numpy()).max() < 1e-6
    assert result.sounds["sound-1"].duration_s == result.clip.duration_s


def test_the_embedded_family_makes_every_view_that_fits_it() -> None:
    """128 x 192 pixels: 16 x 24 latent cells."""
    names = [name for name in VIEWS.names() if not VIEWS[name].square]
    further = [f"{name}: three frogs" for name in names]
    heard = [f"{name}: rain" for name in names if name != "rows"]
    (result,) = eidophone.compose(
        "castle towers",
        "bell ringing",
        count=1,
        steps=1,
        width=192,
        also_image=further,
        also_audio=heard,
        threads=1,
    )
    assert len(result.extras) == len(further) + len(heard) and len(result.sounds) == len(heard)
    assert result.extras[f"view-{names.index('rows') + 1}"].pixels.shape == (64, 384, 3)


def test_the_command_takes_several(settings: dict, tmp_path: Path, capsys) -> None:
    flags = [f"--{side}-model={settings[f'{side}_model']}" for side in ("image", "audio")]
    typed = [
        "--also-image",
        "flip: a ship",
        "--also-image",
        "mirror @0.3: a whale",
        "--also-audio",
        "mirror: a dog",
    ]
    out = ["--out", str(tmp_path / "out"), "--count=1", "--steps=1", "--device=cpu", "--offline"]
    assert main(["compose", *PROMPTS, *typed, *flags, *out]) == 0
    folder = tmp_path / "out/0000"
    assert {"view-1.png", "view-2.png", "sound-1.wav"} <= {path.name for path in folder.iterdir()}
    assert main(["compose", *PROMPTS, "--also-image", "flop: a ship", *flags, *out]) == 2
    assert capsys.readouterr().err.count("did you mean 'flip'") == 1


def test_a_job_file_takes_several(tmp_path: Path) -> None:
    from eidophone.batch.jobs import read_tasks

    (tmp_path / "jobs.csv").write_text(
        "image_prompt,audio_prompt,also_image,also_audio\n"
        'a castle,bell,flip: a ship,"[""mirror: a dog"", ""flip: rain""]"\n'
    )
    (task,) = read_tasks(tmp_path / "jobs.csv")
    assert task.options.also_image == ("flip: a ship",)
    assert task.options.also_audio == ("mirror: a dog", "flip: rain")
