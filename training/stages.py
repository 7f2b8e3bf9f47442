"""The stages of a training run, in order: what each makes and which stages it needs."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from training.config import Run, TrainingError


@dataclass(frozen=True)
class Stage:
    """One stage.

    Attributes:
        name: As the command line has it.
        about: What it makes, in one line.
        code: "module:function" in this package; called with the run and, for networks, `stop_after`.
        needs: Stages that must be done before. One of several that do the same is written "a|b".
        network: Whether it trains a network, which can stop and go on within the stage.
    """

    name: str
    about: str
    code: str
    needs: tuple[str, ...] = ()
    network: bool = False

    def load(self) -> Callable[..., object]:
        """The function that runs the stage. Only this imports its module."""
        module, _, function = self.code.partition(":")
        found: Callable[..., object] = getattr(import_module(f"training.{module}"), function)
        return found


def _network(name: str, about: str, code: str, *needs: str) -> Stage:
    return Stage(name, about, code, needs, network=True)


STAGES: dict[str, Stage] = {
    stage.name: stage
    for stage in (
        Stage("requirements", "checks that the programs and recordings are there", "requirements:check"),
        # what the networks learn from
        Stage("pictures", "pack of drawings", "data.pictures:make"),
        Stage("drawings", "pack of drawings that only embedder and judge see", "data.drawings:make"),
        Stage("tagger", "YAMNet, converted", "networks.tagger:make"),
        Stage(
            "sounds", "pack of sounds in which the tagger hears the concept", "data.sounds:make", ("tagger",)
        ),
        Stage(
            "import-weights",
            "text encoder and codec of the family that --init-from names",
            "networks.import_weights:import_weights",
        ),
        Stage(
            "self-training",
            "sounds that the earlier audio model made and the tagger recognizes",
            "self_training:make",
            ("sounds", "tagger"),
        ),
        Stage(
            "canvases",
            "captioned pictures, drawn from the pack",
            "data.examples:make",
            ("pictures", "sounds"),
        ),
        # the pair that `compose` uses
        _network("text", "text encoder", "networks.text:train", "canvases"),
        _network("codec", "codec from pictures to latents", "networks.codec:train", "canvases"),
        _network(
            "image",
            "U-Net that draws",
            "networks.unet:train_image",
            "canvases",
            "text|import-weights",
            "codec|import-weights",
        ),
        _network("audio", "U-Net that draws spectrograms", "networks.unet:train_audio", "image"),
        # the coloured pair
        _network(
            "pixel",
            "U-Net that draws small pictures in colour",
            "networks.pixels:train_pixel",
            "text|import-weights",
        ),
        _network(
            "upscaler", "U-Net that enlarges them", "networks.pixels:train_upscaler", "text|import-weights"
        ),
        Stage("export", "the family in diffusers' layout", "networks.export:make", ("image", "audio")),
        # what listens, compares and reads
        Stage(
            "synonyms", "words that no caption had, with the nearest known word", "synonyms:make", ("export",)
        ),
        Stage("nouns", "how often a word is a noun", "data.nouns:make"),
        Stage("captioner", "head that names sounds", "networks.captioner:make", ("sounds",)),
        _network(
            "embedder",
            "joint space of pictures, sounds and text",
            "networks.embedder:make",
            "drawings",
            "export",
        ),
        _network(
            "judge",
            "judge of pictures for benchmarks; does not ship",
            "networks.judge:make",
            "drawings",
            "export",
        ),
        Stage("check", "refuses a family whose parts do not fit", "install:make_checked", ("export",)),
    )
}


def mark(run: Run, name: str) -> Path:
    """The file that says that a stage is done."""
    return run.work / "done" / name


def is_done(run: Run, name: str) -> bool:
    """Whether a stage is done; of "a|b", whether one of the two is."""
    return any(mark(run, one).exists() for one in name.split("|"))


def perform(run: Run, name: str, stop_after: int | None = None) -> None:
    """Runs a stage unless it is done already.

    Args:
        run: The run.
        name: A name in STAGES.
        stop_after: Stops a network after this step, with a checkpoint; the stage is not done then.

    Raises:
        TrainingError: a stage that it needs is not done.
    """
    stage = STAGES[name]
    if is_done(run, name):
        print(f"{name}: done already", flush=True)
        return
    if missing := [need for need in stage.needs if not is_done(run, need)]:
        first = missing[0].replace("|", " or ")
        raise TrainingError(
            f"The stage {name} needs {first}: run `python -m training.train {first}` before it."
        )
    print(f"{name}: {stage.about}", flush=True)
    if stage.network:
        stage.load()(run, stop_after)
    else:
        stage.load()(run)
    if stop_after is None or not stage.network:
        mark(run, name).parent.mkdir(exist_ok=True)
        mark(run, name).touch()
