"""Options that are lists: one line of the form, separated by semicolons, and back."""

import shlex

import pytest

from eidophone.cli import main
from eidophone.cli.program import build_parser
from eidophone.core.recipe import Recipe
from eidophone.studio.exports import commands_of
from eidophone.studio.requests import settings_of
from eidophone.verbs import verb_of

KIND = verb_of("compose").options


@pytest.mark.parametrize(
    "given",
    [
        {"also_image": ["flip: a ship", "mirror @0.5: a whale"], "also_audio": ["mirror: a dog"]},
        {"scene": ["0-2: a castle / bells", "2-4: a ship / waves"]},
        {},
    ],
)
def test_a_list_comes_back_as_one_line_that_gives_the_same_options(given: dict) -> None:
    made = KIND.make(image_prompt="" if "scene" in given else "a castle", **given)
    recorded = {name: value for name, value in made.plain().items() if name not in made.NOT_IN_RECIPE}
    recipe = Recipe(
        format=1, verb="compose", index=0, options=recorded, models={}, vocoder="", mel_spec={}, versions={}
    )
    options = settings_of(recipe)["options"]
    assert not any(isinstance(value, list | tuple) for value in options.values())
    again = KIND.make(**options)
    for name in ("also_image", "also_audio", "scene"):
        assert getattr(again, name) == getattr(made, name) == tuple(given.get(name, ()))


def test_the_copied_command_of_scenes_names_no_prompts() -> None:
    scenes = ["0-2: a castle / bells", "2-4: a ship / waves"]
    made = KIND.make(image_prompt="", scene=scenes)
    recorded = {name: value for name, value in made.plain().items() if name not in made.NOT_IN_RECIPE}
    recipe = Recipe(
        format=1, verb="compose", index=0, options=recorded, models={}, vocoder="", mel_spec={}, versions={}
    )
    program, *words = shlex.split(commands_of(recipe)["command"])
    arguments = build_parser().parse_args(words)
    assert (program, arguments.verb, arguments.values, arguments.scene) == (
        "eidophone",
        "compose",
        [],
        scenes,
    )


def test_the_command_takes_scenes_without_prompts(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compose", "--scene", "0-2: a castle / bells", "--steps", "0"]) == 2
    assert "--steps" in capsys.readouterr().err
