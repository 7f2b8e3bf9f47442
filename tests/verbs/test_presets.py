"""What the presets of compose stand for: of the embedded models, of others, of another sampler, in old recipes."""

from pathlib import Path

import pytest

import eidophone
from eidophone.studio.exports import commands_of
from eidophone.verbs import verb_of
from eidophone.verbs.compose.options import ComposeOptions
from eidophone.verbs.settings_files import read_settings

PROMPTS = {"image_prompt": "a castle", "audio_prompt": "a bell"}


def facts(options: ComposeOptions) -> tuple[str, int, int | None, int]:
    return options.sampler, options.steps, options.guidance_stop_step, options.reuse_steps


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, ("dpm++2m", 12, 8, 2)),
        ({"steps": 24}, ("dpm++2m", 24, 16, 2)),
        ({"steps": 1}, ("dpm++2m", 1, 1, 2)),
        ({"reuse_steps": 1, "guidance_stop_step": 12}, ("dpm++2m", 12, 12, 1)),
        ({"guidance_stop_step": None}, ("dpm++2m", 12, None, 2)),
        # searched for the embedded models: others are guided to the end of more steps
        ({"image_model": "sd15", "audio_model": "auffusion"}, ("dpm++2m", 24, None, 2)),
        ({"audio_model": "auffusion"}, ("dpm++2m", 24, None, 2)),
        ({"image_model": "sd15", "steps": 10}, ("dpm++2m", 10, None, 2)),
        # another sampler takes steps of another kind
        ({"sampler": "ddim"}, ("ddim", 24, None, 1)),
        ({"sampler": "lcm", "steps": 4}, ("lcm", 4, None, 1)),
        ({"preset": "draft"}, ("dpm++2m", 8, 5, 2)),
        ({"preset": "draft", "steps": 16}, ("dpm++2m", 16, 10, 2)),
        ({"preset": "draft", "image_model": "sd15"}, ("dpm++2m", 12, None, 2)),
        ({"preset": "draft", "sampler": "unipc"}, ("unipc", 12, None, 1)),
        ({"preset": "paper"}, ("ddim", 100, None, 1)),
    ],
)
def test_what_fast_stands_for(given: dict, wanted: tuple) -> None:
    assert facts(ComposeOptions.make(**PROMPTS, **given)) == wanted


OLD = {**PROMPTS, "preset": "fast", "solver": "dpm++2m", "steps": 25}


def test_a_recipe_from_before_is_read_as_it_was_made() -> None:
    for recorded in (OLD, OLD | {"guidance_stop_step": None}):
        found = ComposeOptions.from_recorded(recorded, {})
        # to the end of all steps, nothing reused
        assert facts(found) == ("dpm++2m", 25, 25, 1)
    assert facts(ComposeOptions.from_recorded(OLD | {"guidance_stop_step": 9, "reuse_steps": 3}, {})) == (
        "dpm++2m", 25, 9, 3,
    )  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> eidophone.Result:
    """As `fast` was before: all steps guided, nothing reused."""
    told = {"count": 1, "steps": 3, "guidance_stop_step": None, "reuse_steps": 1, "threads": 1}
    (result,) = eidophone.compose(*PROMPTS.values(), **told, out=tmp_path_factory.mktemp("old"))
    return result


def test_settings_from_a_result_keep_its_guidance(made: eidophone.Result) -> None:
    given = read_settings(made.folder, verb_of("compose"), {})
    assert facts(ComposeOptions.make(**given)) == ("dpm++2m", 3, 3, 1)
    other = read_settings(made.folder, verb_of("compose"), {"preset": "fast"})
    assert facts(ComposeOptions.make(**other | {"preset": "fast"})) == ("dpm++2m", 12, 8, 2)


def test_a_command_for_a_result_says_where_its_preset_differs(made: eidophone.Result) -> None:
    command = commands_of(made.recipe)["command"]
    assert "--steps 3" in command and "--guidance-stop-step 3" in command and "--reuse-steps 1" in command


def test_it_is_remade_to_the_byte(made: eidophone.Result, tmp_path: Path) -> None:
    again = eidophone.remake(made.folder, out=tmp_path)
    for name in ("picture.png", "sound.wav"):
        assert (again.folder / name).read_bytes() == (made.folder / name).read_bytes()


@pytest.mark.parametrize(
    ("verb", "then"),
    [("paint", {"sources": False, "colors": False}), ("imprint", {"fit": "cover", "levels": False}),
     ("compose", {"reuse_steps": 1})],
)  # fmt: skip
def test_settings_from_an_old_result_do_what_its_version_did(verb: str, then: dict[str, object]) -> None:
    """`--config` and `remake` both read old options by `upgraded`."""
    options = verb_of(verb).options
    assert then.items() <= options.upgraded({}).items()
    assert "from_recorded" not in vars(options)
