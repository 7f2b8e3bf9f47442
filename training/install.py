"""Checks a trained family and copies it into the package: `python -m training.install --preset laptop`.

The family in the package is replaced as a whole or not at all. Git keeps the weights that were there before.
"""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import torch

from eidophone.core.errors import EidophoneError
from eidophone.models.captioners.nouns import TABLE
from eidophone.models.captioners.tagged import load_tagged
from eidophone.models.cards import package_folder
from eidophone.models.embedders.tiny import load_tiny
from eidophone.models.load import Loader, check_fit
from eidophone.models.synonyms import WORDS_FILE
from training.config import Run, TrainingError, claim, command_line, opened
from training.data.fetch import sha256
from training.data.nouns import NOUNS_FILE
from training.data.repainted import repainted
from training.data.textures import HEIGHT, WIDTH
from training.stages import is_done

PARTS = ("image", "audio", "pixel", "upscaler", "embedder", "tagger", "captioner")
#: What a smoke run cannot make, because it would need a dictionary.
WORDS = (f"image/{WORDS_FILE}", f"audio/{WORDS_FILE}")


def check(run: Run) -> None:
    """Refuses a family that is not whole or whose parts do not fit each other; a few seconds.

    Raises:
        TrainingError: what is wrong.
    """
    needed = [*PARTS, *(WORDS if run.packs else ())]
    if missing := [part for part in needed if not (run.family / part).exists()]:
        raise TrainingError(
            f"{run.family} is not whole: {missing[0]} is missing. Run the stage that makes it."
        )
    try:
        check_pair(run)
        check_embedder(run)
        check_others(run)
    except EidophoneError as error:
        raise TrainingError(f"{run.family}: {error}") from error


def check_pair(run: Run) -> None:
    """Image and audio model share latents and noise levels, and what both paint is finite and not flat."""
    device = torch.device("cpu")
    loader = Loader(device, torch.float32, offline=True)
    names = [str(run.family / role) for role in ("image", "audio")]
    check_fit(loader.model(names[0], "image"), loader.model(names[1], "audio"))
    drawn = np.zeros((1, HEIGHT, WIDTH), np.uint8)
    drawn[0, 30:100, 90:190] = 220
    for role in ("image", "audio"):
        if repainted(drawn, 0, device, role, run.family).std() < 1:
            raise TrainingError(f"{run.family / role} paints nothing: its picture has one tone only.")


def check_embedder(run: Run) -> None:
    """The embedder was trained with exactly this family's text encoder."""
    known = json.loads((run.family / "embedder" / "config.json").read_text(encoding="utf-8"))["text_encoder"]
    if known != sha256(run.family / "image" / "text_encoder" / "model.safetensors"):
        raise TrainingError(
            f"{run.family / 'embedder'} was trained with another text encoder than that of "
            f"{run.family / 'image'}. Run the stage embedder for this family."
        )
    embedder = load_tiny(run.family / "embedder", torch.device("cpu"))
    rows = (embedder.text(["a dog"]), embedder.picture(torch.rand(1, 3, HEIGHT, WIDTH)))
    if not all(bool(torch.isfinite(row).all()) for row in rows):
        raise TrainingError(f"{run.family / 'embedder'} gives numbers that are not finite.")


def check_others(run: Run) -> None:
    """The coloured pair, the tagger and the captioner load."""
    loader = Loader(torch.device("cpu"), torch.float32, offline=True)
    loader.pixel(str(run.family / "pixel"), {"prompt": "a red dog"})
    loader.upscaler(str(run.family / "upscaler"))
    load_tagged(run.family / "captioner")


def make_checked(run: Run) -> None:
    """The stage `check`."""
    check(run)
    print(f"{run.family} is whole, and its parts fit each other", flush=True)


def install(run: Run, package: Path) -> None:
    """Replaces the family in a package's models folder.

    Args:
        run: Its stage `check` is done.
        package: The folder that holds tiny/ and captioners/.

    Raises:
        TrainingError: the family was not checked, or comes from a smoke run.
    """
    if not run.packs:
        raise TrainingError("A smoke run makes networks of a few numbers: they are not installed.")
    if not is_done(run, "check"):
        raise TrainingError(
            f"{run.family} was not checked: run `python -m training.train check` before this."
        )
    check(run)
    goal = package / "tiny"
    draft, old = goal.with_name("tiny.part"), goal.with_name("tiny.old")
    for folder in (draft, old):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(run.family, draft)
    if goal.exists():
        goal.rename(old)
    draft.rename(goal)
    shutil.rmtree(old, ignore_errors=True)
    if (nouns := run.work / NOUNS_FILE).exists():
        shutil.copyfile(nouns, package / "captioners" / TABLE.name)
    print(f"{goal}: installed from {run.work}", flush=True)


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = command_line("python -m training.install", __doc__)
    given = parser.parse_args(arguments)
    try:
        run = opened(given)
        claim(run)
        install(run, package_folder("tiny").parent)
    except (TrainingError, EidophoneError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
