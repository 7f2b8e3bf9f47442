"""From the folder of a result to a row of numbers."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eidophone.batch.manifest import CSV, PARQUET, read_manifest
from eidophone.core.errors import BadInput, EidophoneError
from eidophone.core.text import printable
from eidophone.core.values import Floats
from eidophone.evaluation.journal import Row
from eidophone.evaluation.published_folders import checksum_of, is_published, published_below
from eidophone.evaluation.replay import replayed
from eidophone.evaluation.seen import seen_as
from eidophone.media.files import check_no_link, sha256
from eidophone.results.recipe import RECORD_FILE
from eidophone.results.store import samples_below
from eidophone.scoring.contract import Scorer, Subject, judged
from eidophone.scoring.similarity import Similarity

COSTS = ("seconds", "unet_evaluations", "unet_evaluations_of_all")


@dataclass(frozen=True)
class Found:
    """A sample on disk.

    Attributes:
        path: Its folder.
        checksum: Of its record; empty if that cannot be read.
    """

    path: Path
    checksum: str


def found_below(folders: Sequence[Path], out: Path) -> dict[str, Found]:
    """The samples in and below folders, and of batches' manifests, each once, by a name that may be shared.

    A name is the path from `out`, if that shows nothing outside the folders' common place; otherwise it starts
    with the last part of the folder that was named.

    Raises:
        BadInput: there is no such folder, or it cannot be read.
    """
    found: dict[str, Found] = {}
    seen: set[Path] = set()
    for folder in folders:
        whole_folder = os.path.isdir(folder)  # noqa: PTH112 - False where it may not be read; _samples says why
        base = folder.absolute() if whole_folder else folder.absolute().parent
        for place in _samples(folder):
            whole = place.absolute()
            if whole not in seen:
                seen.add(whole)
                name = _unused(shareable_name(whole, base, out.absolute()), found)
                found[name] = Found(place, _checksum(place))
    return found


def shareable_name(place: Path, folder: Path, out: Path) -> str:
    """A sample's name without the path to the user's files.

    Args:
        place: The sample; absolute.
        folder: The folder that the user named, which holds it; absolute.
        out: The evaluation's folder; absolute.

    >>> shareable_name(Path("/home/al/art/frog/0001"), Path("/home/al/art/frog"), Path("/home/al/art/eval"))
    '../frog/0001'
    >>> shareable_name(Path("/home/al/frog/0001"), Path("/home/al/frog"), Path("/tmp/eval"))
    'frog/0001'
    """
    place, folder, out = (Path(os.path.normpath(path)) for path in (place, folder, out))
    try:
        common = Path(os.path.commonpath([place, out]))
        name = os.path.relpath(place, out)
    except ValueError:  # on two drives
        common, name = Path(place.anchor), ""
    home = Path(os.path.expanduser("~"))  # noqa: PTH111
    hidden = place.is_relative_to(home) and not common.is_relative_to(home)
    if hidden or len(common.parts) < 3:
        name = str(Path(folder.name) / place.relative_to(folder))
    return printable(Path(name).as_posix())


def _unused(name: str, found: dict[str, Found]) -> str:
    number, free = 1, name
    while free in found:
        number += 1
        first, slash, rest = name.partition("/")
        free = f"{first}-{number}{slash}{rest}"
    return free


def _samples(folder: Path) -> Iterable[Path]:
    if folder.name in (PARQUET, CSV):
        for row in read_manifest(folder):
            yield folder.parent / row["folder"]
        return
    try:
        yield from samples_below(folder)
        yield from published_below(folder)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise BadInput(f"{folder}: cannot be read ({why}); check the path and its permissions.") from error


def _checksum(place: Path) -> str:
    try:
        if (place / RECORD_FILE).exists() or not is_published(place):
            check_no_link(place / RECORD_FILE)
            return sha256(place / RECORD_FILE)
        return checksum_of(place)
    except EidophoneError:  # the reason shows when the sample is read
        return ""


#: A sample as judges should see it, from the sample as it is and the facts of its record.
AsSeen = Callable[[Subject, Mapping[str, Any]], Subject]


def row_of(name: str, found: Found, judges: Iterable[Scorer]) -> Row:
    """Judges one sample. One that cannot be read becomes a row with the reason."""
    return judged_row(name, found, judges, lambda subject, _: subject)


def replayed_row_of(name: str, found: Found, judges: Iterable[Scorer]) -> Row:
    """As `row_of`, for the sound that Griffin-Lim makes of the spectrogram."""
    return judged_row(name, found, judges, lambda subject, _: replayed(subject))


def judged_row(name: str, found: Found, judges: Iterable[Scorer], seen: AsSeen) -> Row:
    """As `row_of`, for a protocol in which judges see something else than what the record says."""
    try:
        sample = seen_as(found.path)
        subject = seen(sample.subject, sample.facts)
    except (EidophoneError, OSError, ValueError) as error:  # a name that a library cannot open, for one
        return Row(name, found.checksum, broken=_without_path(error, found.path, name))
    asked = [_Remembering(judge) if isinstance(judge, Similarity) else judge for judge in judges]
    score = judged(subject, asked)
    features = {
        f"{judge.name}.{sense}": feature
        for judge in asked
        if isinstance(judge, _Remembering)
        for sense, feature in judge.features.items()
    }
    costs = {what: float(cost) for what in COSTS if (cost := sample.facts.get(what)) is not None}
    return Row(
        folder=name,
        checksum=found.checksum,
        method=sample.method,
        image_prompt=subject.image_prompt,
        audio_prompt=subject.audio_prompt,
        index=sample.index,
        seed=sample.seed,
        numbers=score.numbers | costs,
        failed={judge: _without_path(reason, found.path, name) for judge, reason in score.failed.items()},
        features=features,
    )


def _without_path(reason: object, path: Path, name: str) -> str:
    """A reason on one line, with the sample's name in place of its path."""
    text = str(reason)
    for full in sorted({str(path), str(path.absolute())}, key=len, reverse=True):
        text = text.replace(full, name)
    return printable(" ".join(text.split()))


@dataclass
class _Remembering:
    """A judge of similarity that keeps the features of what it judged, so that they are computed once."""

    judge: Similarity
    features: dict[str, Floats] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The judge's name."""
        return self.judge.name

    def __call__(self, subject: Subject) -> dict[str, float]:
        """See `Scorer`."""
        self.features = {}
        self.features = self.judge.features(subject)
        return self.judge.numbers(subject, self.features)
