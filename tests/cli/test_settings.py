"""Options that do not come from flags: published examples, settings files, results, sweeps; lengths in seconds."""

import json
from pathlib import Path

import pytest

import eidophone
from eidophone.cli import main
from eidophone.core.errors import BadInput
from eidophone.core.recipe import Recipe
from eidophone.options.examples import examples
from eidophone.results.store import load, samples_below
from eidophone.verbs import verb_of
from eidophone.verbs.settings_files import combinations, read_settings

#: Of the publication's settings, by task.
PUBLISHED = {
    "compose": "bell corgi dog garden garden-v2 horse kitten pond race tiger train",
    "imprint": "bell dog garden kitten race tiger train",
    "distill": "bell dog garden kitten",
}


def flags(settings: dict) -> list[str]:
    models = (f"--{side}-model={settings[f'{side}_model']}" for side in ("image", "audio"))
    return [*models, "--device", "cpu", "--offline"]


# --- examples ------------------------------------------------------------------------------------------


def test_all_published_examples_are_there() -> None:
    assert len(examples()) == 22
    for verb, names in PUBLISHED.items():
        assert [one.name for one in examples() if one.verb == verb] == names.split()


@pytest.mark.parametrize("one", examples(), ids=lambda one: f"{one.verb}-{one.name}")
def test_an_example_stands_for_its_prompts_and_seed(one) -> None:
    kind = verb_of(one.verb).options
    typed = {"image_prompt": one.image_prompt, "audio_prompt": one.audio_prompt, "seed": one.seed}
    for preset in ("paper", "fast"):
        assert kind.make(example=one.name, preset=preset) == kind.make(**typed, preset=preset)


def test_the_bell_equals_what_the_paper_typed() -> None:
    typed = verb_of("compose").options.make(
        image_prompt="a painting of castle towers, grayscale", audio_prompt="bell ringing", seed=1234,
        sampler="ddim", steps=100, image_guidance=10, audio_guidance=10, image_start_step=10,
        audio_start_step=0, audio_weight=0.5, blend="average", crop=True, engine="torch",
    )  # fmt: skip
    made = verb_of("compose").options.make(example="bell", preset="paper")
    assert made.plain() == {**typed.plain(), "preset": "paper"}


def test_the_example_on_the_command_line_makes_what_typed_settings_make(settings, tmp_path) -> None:
    run = ["--count=1", "--steps=10", *flags(settings)]
    by_name = ["compose", "--example", "bell", "--preset", "paper", *run, "--out", str(tmp_path / "a")]
    by_hand = [
        "compose", "a painting of castle towers, grayscale", "bell ringing", "--seed", "1234", "--sampler", "ddim",
        "--image-guidance", "10", "--audio-guidance", "10", "--image-start-step", "1", "--audio-start-step", "0",
        "--audio-weight", "0.5", "--blend", "average", "--crop", *run, "--out", str(tmp_path / "b"),
    ]  # fmt: skip
    assert main(by_name) == main(by_hand) == 0
    one, other = (load(tmp_path / name / "0000") for name in "ab")
    assert (one.picture.pixels == other.picture.pixels).all()
    assert (one.clip.samples == other.clip.samples).all()
    assert one.recipe.options.plain() | {"preset": "fast"} == other.recipe.options.plain()


@pytest.mark.parametrize("one", examples(), ids=lambda one: f"{one.verb}-{one.name}")
def test_an_example_needs_no_network(one, monkeypatch) -> None:
    def _refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr("socket.socket.connect", _refuse)
    made = verb_of(one.verb).options.make(example=one.name, preset="paper", offline=True)
    assert (made.image_prompt, made.audio_prompt, made.seed) == (one.image_prompt, one.audio_prompt, one.seed)


def test_what_is_given_wins_over_the_example() -> None:
    kind = verb_of("compose").options
    made = kind.make(example="corgi", seed=7, audio_prompt="rain")
    assert (made.seed, made.audio_prompt) == (7, "rain")
    assert made.image_prompt == "a painting of corgis, grayscale, black background"


def test_a_file_replaces_the_prompt_of_an_example() -> None:
    made = verb_of("imprint").options.make(example="bell", sound=Path("rain.wav"))
    assert made.audio_prompt == "" and made.image_prompt == "a painting of castle towers, grayscale"


def test_an_unknown_example_is_refused_with_the_nearest() -> None:
    with pytest.raises(BadInput, match="did you mean bell"):
        eidophone.compose(example="bel")


def test_an_example_runs_without_prompts(settings, tmp_path, capsys) -> None:
    out = tmp_path / "out"
    assert (
        main(["compose", "--example", "pond", "--count=1", "--steps=1", "--out", str(out), *flags(settings)])
        == 0
    )
    recipe = load(out / "0000").recipe
    assert recipe.seed == 2024 and recipe.options.audio_prompt == "frog croaking"
    assert "example" not in recipe.options.plain()


def test_examples_are_listed(capsys) -> None:
    assert main(["examples"]) == 0
    assert "garden-v2" in capsys.readouterr().out
    assert main(["examples", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 22


# --- settings files ------------------------------------------------------------------------------------


def test_a_file_gives_options_and_flags_win(tmp_path) -> None:
    file = tmp_path / "run.toml"
    file.write_text('image-prompt = "castle"\naudio_prompt = "bell"\nsteps = 7\nfrom = 9\nwidth = 64\n')
    found = read_settings(file, verb_of("compose"), {"steps": "3", "seconds": "2"})
    assert found == {
        "image_prompt": "castle",
        "audio_prompt": "bell",
        "steps": "3",
        "from_": 9,
        "seconds": "2",
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("stepps = 3", "did you mean steps"),
        ("steps = ", "not valid TOML"),
        ("[compose]\nsteps = 3", "is a table"),
        ('verb = "imprint"', "run `eidophone imprint`"),
        ("steps = []", "--steps: the list is empty"),
        ("steps = 0", "--steps, denoising steps"),
        ("steps = 1", "compose needs image prompt and audio prompt"),
    ],
)
def test_a_wrong_file_is_refused_in_one_sentence(text, said, tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    prompts = "" if text == "steps = 1" or text[0] == "[" else 'image_prompt = "a"\naudio_prompt = "b"\n'
    Path("run.toml").write_text(prompts + text)
    assert main(["compose", "--config", "run.toml"]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["run.toml"]


@pytest.fixture(scope="module")
def made(settings, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("made")
    eidophone.compose("castle", "bell", count=2, steps=2, seed=5, width=64, out=out, **settings)
    return out / "0001"


@pytest.mark.parametrize("name", ["", "record.json", "picture.png", "sound.wav"])
def test_a_result_is_a_settings_file(name, made, settings, tmp_path) -> None:
    more = ["--config", str(made / name), "--out", str(tmp_path / "again"), *flags(settings)]
    assert main(["compose", *more]) == 0
    assert (tmp_path / "again/0001/picture.png").read_bytes() == (made / "picture.png").read_bytes()


def test_a_strangers_result_names_no_folder_of_models(made, capsys) -> None:
    assert main(["compose", "--config", str(made)]) == 2
    assert "not one of the cards; say with --image-model" in capsys.readouterr().err


def test_a_strangers_result_downloads_nothing(made, tmp_path, capsys, monkeypatch) -> None:
    record = json.loads((made / "record.json").read_text())
    record["recipe"]["options"]["audio_model"] = "auffusion"
    path = tmp_path / "record.json"
    path.write_text(json.dumps(record))

    tried = []

    def _connect(*address: object, **_: object) -> None:
        tried.append(address)
        raise OSError("no network")

    monkeypatch.setattr("socket.socket.connect", _connect)
    monkeypatch.setattr("socket.getaddrinfo", _connect)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    more = ["--image-model", "tiny", "--out", str(tmp_path / "out")]
    assert main(["compose", "--config", str(path), *more]) == 2
    assert "eidophone models pull auffusion" in capsys.readouterr().err
    assert not tried


def test_a_strangers_result_names_no_files(tmp_path) -> None:
    recipe = Recipe(
        format=1, verb="see", index=0, options={"sound": "/etc/passwd"}, models={}, vocoder="", mel_spec={},
        versions={}, inputs={},
    )  # fmt: skip
    record = {
        "format": 1, "verb": "see", "index": 0, "captions": [], "recipe": recipe.plain(), "facts": {}, "files": {},
    }  # fmt: skip
    path = tmp_path / "record.json"
    path.write_text(json.dumps(record))
    with pytest.raises(BadInput, match="say with SOUND"):
        read_settings(path, verb_of("see"), {})
    assert read_settings(path, verb_of("see"), {"sound": "mine.wav"})["sound"] == "mine.wav"


def test_flags_change_what_a_result_says(made, settings) -> None:
    given = {"image_model": "tiny", "audio_model": "tiny"}
    verb = verb_of("compose")
    file = read_settings(made, verb, given)
    assert (file["steps"], file["seed"], file["index"], file["width"]) == (2, 5, 1, 64)
    assert not {"device", "threads", "dtype"} & set(file)
    longer = read_settings(made, verb, {**given, "seconds": 2})
    assert "width" not in longer
    published = verb.options.make(**read_settings(made, verb, {**given, "preset": "paper"}))
    assert (published.steps, published.sampler, published.image_start_step) == (100, "ddim", 10)
    assert published.image_prompt == "castle"


def test_start_steps_of_a_result_keep_their_share(settings, tmp_path) -> None:
    more = {"count": 1, "width": 64, "out": tmp_path, **settings}
    (result,) = eidophone.compose("castle", "bell", steps=4, image_start_step=2, **more)
    given = {"image_model": "tiny", "audio_model": "tiny", "steps": "10"}
    assert read_settings(result.folder, verb_of("compose"), given)["image_start_step"] == 5


def test_a_file_says_where_results_go(settings, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("run.toml").write_text(
        'image_prompt = "castle"\naudio_prompt = "bell"\nsteps = 1\ncount = 1\nwidth = 64\nout = "there"\n'
        'format = "flac"\nrate = 48000\nkeep-arrays = true\n'
    )
    assert main(["compose", "--config", "run.toml", *flags(settings)]) == 0
    assert {"sound.flac", "arrays.npz"} <= {path.name for path in Path("there/0000").iterdir()}


# --- sweeps --------------------------------------------------------------------------------------------


def test_every_combination_runs_into_its_own_folder(settings, tmp_path, capsys) -> None:
    file = tmp_path / "run.toml"
    file.write_text('image_prompt = "castle"\naudio_prompt = ["bell", "rain"]\naudio_weight = [0.2, 0.8]\n')
    out = tmp_path / "out"
    more = [
        "--config",
        str(file),
        "--count=1",
        "--steps=1",
        "--width=64",
        "--out",
        str(out),
        *flags(settings),
    ]
    assert main(["compose", *more]) == 0
    assert "audio-prompt-rain--audio-weight-0.8/0000" in capsys.readouterr().out
    found = {folder.parent.name: load(folder).recipe.options for folder in samples_below(out)}
    assert {name: (o.audio_prompt, o.audio_weight) for name, o in found.items()} == {
        f"audio-prompt-{sound}--audio-weight-{weight}": (sound, weight)
        for sound in ("bell", "rain")
        for weight in (0.2, 0.8)
    }


def test_combinations_leave_one_run_alone() -> None:
    assert combinations({"steps": 3}, verb_of("compose").options) == [{"steps": 3}]


# --- seconds -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("crop", [False, True])
@pytest.mark.parametrize("verb", ["compose", "imprint"])
def test_the_sound_lasts_as_long_as_asked(verb, crop, settings) -> None:
    steps = {"steps": 1} if verb == "compose" else {"image_steps": 1, "audio_steps": 1}
    (result,) = getattr(eidophone, verb)(
        "castle", "bell", count=1, seconds=1.6, crop=crop, **steps, **settings
    )
    block_s = 8 * result.recipe.mel_spec["hop_length"] / result.recipe.mel_spec["rate_hz"]
    assert abs(result.clip.duration_s - 1.6) <= block_s / 2
    recorded = result.recipe.options.plain()
    assert "seconds" not in recorded and recorded["width"] == result.picture.pixels.shape[1] + 32 * crop


def test_two_rows_play_one_after_the_other(settings) -> None:
    (result,) = eidophone.compose("castle", "bell", count=1, steps=1, seconds=2, view="rows", **settings)
    block_s = 16 * result.recipe.mel_spec["hop_length"] / result.recipe.mel_spec["rate_hz"]
    assert abs(result.clip.duration_s - 2) <= block_s / 2


def test_the_exact_length_is_said(settings) -> None:
    with pytest.warns(UserWarning, match="the sound will last"):
        eidophone.compose("castle", "bell", count=1, steps=1, seconds=1.003, **settings)


@pytest.mark.parametrize("verb", PUBLISHED)
def test_seconds_and_width_contradict_each_other(verb) -> None:
    with pytest.raises(BadInput, match="--seconds and --width"):
        verb_of(verb).options.make(image_prompt="a", audio_prompt="b", seconds=3, width=64)
