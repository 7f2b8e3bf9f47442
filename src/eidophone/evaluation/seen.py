"""Reads a sample for judging, whoever wrote it: a result of this program, or of the published code."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from eidophone.core.errors import BadInput
from eidophone.core.values import Result
from eidophone.evaluation.published_folders import METHOD, PICTURE, SPECTROGRAM, is_published, read_published
from eidophone.media.files import is_plain_file
from eidophone.results.recipe import RECORD_FILE
from eidophone.results.store import load
from eidophone.scoring.contract import Subject, subject_of

PICTURES = ("picture.png", "spectrogram.png", PICTURE, SPECTROGRAM)
#: Sizes that this program can make.
SMALLEST_SIDE, LARGEST_SIDE = 8, 65_536


@dataclass(frozen=True)
class Seen:
    """A sample as an evaluation sees it.

    Attributes:
        subject: What judges get.
        method: How it was made: its verb, or "picture alone", "sound alone", "published code".
        index, seed: Which sample of its run, and what it was drawn from; seed is None if that is not known.
        facts: What its record says besides.
    """

    subject: Subject
    method: str
    index: int = 0
    seed: int | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


def seen_as(folder: Path) -> Seen:
    """Reads a sample.

    Raises:
        BadInput: it is missing, damaged, or has pictures that no sample has.
    """
    _check_sizes(folder)
    if not (folder / RECORD_FILE).exists() and is_published(folder):
        found = read_published(folder)
        return Seen(found.subject, METHOD, found.index, found.seed)
    result = load(folder)
    return Seen(subject_of(result), method_of(result), result.index, result.recipe.seed, result.facts)


def method_of(result: Result) -> str:
    """How a result was made; a compose run with all weight on one model is "picture alone" or "sound alone"."""
    if result.verb != "compose":
        return result.verb
    alone = {0.0: "picture alone", 1.0: "sound alone"}
    weight = result.recipe.options.audio_weight
    return alone.get(0.5 if weight is None else weight, result.verb)


def _check_sizes(folder: Path) -> None:
    """Refuses pictures that no result has, before they fill the memory."""
    for name in PICTURES:
        path = folder / name
        if path.is_symlink() or not is_plain_file(path):
            continue  # a link could lead anywhere, and a pipe would wait; reading it says so
        try:
            with Image.open(path, formats=("PNG",)) as picture:
                width, height = picture.size
        except (OSError, ValueError, Image.DecompressionBombError):
            continue  # missing or damaged: reading it says so
        if min(width, height) < SMALLEST_SIDE or max(width, height) > LARGEST_SIDE:
            raise BadInput(
                f"{path}: has {width} x {height} pixels; pictures of results have {SMALLEST_SIDE} to "
                f"{LARGEST_SIDE} pixels a side. Make the result again."
            )
