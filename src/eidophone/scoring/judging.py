"""Judges of results and of files, with their networks loaded once."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from eidophone.core.values import Score
from eidophone.media.audio import read_sound
from eidophone.media.picture import read_picture
from eidophone.models.device import choose_device
from eidophone.models.registry import Registry
from eidophone.options.commands import ScoreOptions
from eidophone.results.store import load
from eidophone.scoring.contract import Subject, judged, subject_of
from eidophone.scoring.judges import open_judges


def judge_with(options: ScoreOptions, registry: Registry) -> Callable[[Path, Path | None], Score]:
    """Loads the judges once; returns a function that judges a result's folder, or a picture and a sound.

    Raises:
        EidophoneError: a judge is not known or not here.
    """
    device = choose_device(options.device)
    judges = open_judges(options.judges, device, offline=options.offline, registry=registry)

    def _judge(path: Path, sound: Path | None) -> Score:
        if sound is None:
            subject = subject_of(load(path))
        else:
            picture = read_picture(path)
            subject = Subject(picture, picture.gray(), read_sound(sound))
        asked = replace(
            subject,
            image_prompt=options.image_prompt or subject.image_prompt,
            audio_prompt=options.audio_prompt or subject.audio_prompt,
        )
        return judged(asked, judges)

    return _judge
