"""What a run needs from the machine, checked before the work starts (the stage `requirements`)."""

import shutil

from training.config import Run, TrainingError
from training.data.sounds import concepts

#: Programs, and the Debian packages that have them.
PROGRAMS = {
    "npm": "npm",
    "apt-get": "apt",
    "dpkg": "dpkg",
    "rsvg-convert": "librsvg2-bin",
    "fluidsynth": "fluidsynth",
}
#: Only for the captioner, which `further` does not train.
SPEECH = {"espeak-ng": "espeak-ng"}


def check(run: Run) -> None:
    """The stage `requirements`: programs and recordings. A smoke run needs none.

    Raises:
        TrainingError: all that is missing, with where to get it.
    """
    if not run.packs:
        print("requirements: a smoke run needs no programs and no recordings")
        return
    wanted = PROGRAMS if run.init_from else PROGRAMS | SPEECH
    if absent := {program: package for program, package in wanted.items() if shutil.which(program) is None}:
        raise TrainingError(
            f"Training needs {', '.join(absent)}. Install it: apt-get install {' '.join(absent.values())}"
        )
    if missing := missing_recordings(run):
        raise TrainingError(
            f"{len(missing)} recordings are missing from {run.recordings}, such as {missing[0]}. Give the folder "
            "that holds esc10/ and ambient/ with --recordings; docs/training.md says where they are."
        )


def missing_recordings(run: Run) -> list[str]:
    """Recordings and folders that sounds.toml names and that are not there."""
    names = [f"esc10/{folder}" for concept in concepts().values() for folder in concept.esc10]
    names += [f"ambient/{name}.ogg" for concept in concepts().values() for name in concept.ambient]
    return [name for name in dict.fromkeys(names) if not (run.recordings / name).exists()]
