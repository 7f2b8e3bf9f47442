"""The data sets of the protocol: where to get each one, how it must lie, and which recordings are used."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from eidophone.core.errors import BadInput
from eidophone.core.events import Progress
from eidophone.data.mixtures import MANIFEST, draw, read_mixtures, write_mixtures
from eidophone.data.recordings import Recording, read_audiocaps, read_clotho, read_esc

#: Seed of the first mixture, and how many are made where nobody says so.
MIXTURE_SEED, MIXTURES = 1000, 100


@dataclass(frozen=True)
class DataSet:
    """A data set by name.

    Attributes:
        title: Its name in tables.
        source: Where it can be fetched.
        layout: What has to lie in its folder.
        read: From its folder to its recordings.
        mixed_from: The set that its mixtures are drawn from, where it has no folder; empty if it must have one.
    """

    title: str
    source: str
    layout: str
    read: Callable[[Path], list[Recording]]
    mixed_from: str = ""


DATASETS = {
    "clotho": DataSet(
        "Clotho",
        "https://zenodo.org/records/4783391 (version 2.1)",
        "clotho_captions_evaluation.csv and the sounds in evaluation/",
        read_clotho,
    ),
    "audiocaps": DataSet(
        "AudioCaps",
        "https://github.com/cdjkim/audiocaps (the table; its clips are on YouTube)",
        "test.csv and the ten-second clips, named by YouTube id",
        read_audiocaps,
    ),
    "esc50": DataSet(
        "ESC-50", "https://github.com/karolpiczak/ESC-50", "meta/esc50.csv and audio/", read_esc
    ),
    "esc10": DataSet(
        "ESC-10",
        "https://github.com/karolpiczak/ESC-10",
        "a folder of sounds for each class, named FOLD-ID-TAKE",
        read_esc,
    ),
    "multi-esc50": DataSet(
        "Multi-ESC50", "`eidophone data mix`", f"the mixtures and {MANIFEST}", read_mixtures, "esc50"
    ),
    "multi-esc10": DataSet(
        "Multi-ESC10", "`eidophone data mix`", f"the mixtures and {MANIFEST}", read_mixtures, "esc10"
    ),
}


@dataclass(frozen=True)
class Choice:
    """Which recordings are used.

    Attributes:
        root: The folder that holds the data sets.
        names: Data sets; empty: all that are in the folder, and mixtures of those.
        most: Recordings of each; None: all.
        fold: Of ESC-50 and ESC-10; None: all.
    """

    root: Path
    names: tuple[str, ...] = ()
    most: int | None = None
    fold: int | None = None


@dataclass(frozen=True)
class Chosen:
    """The recordings of a data set that are used.

    Attributes:
        recordings: In order.
        labels: All labels of the data set, sorted, whether they occur in these recordings or not.
    """

    recordings: list[Recording]
    labels: tuple[str, ...]

    @classmethod
    def among(cls, recordings: list[Recording], every: list[Recording]) -> "Chosen":
        """These recordings of all."""
        return cls(recordings, tuple(sorted({label for one in every for label in one.labels})))


def recordings_of(choice: Choice, made: Path, progress: Progress) -> dict[str, Chosen]:
    """What is used of each data set, by its name.

    Args:
        choice: Which.
        made: Where mixtures are written; mixture i is the same, however many there are.
        progress: Called for each mixture.

    Raises:
        BadInput: a data set is unknown, is not there or is damaged; the message says where to get it.
    """
    if unknown := [name for name in choice.names if name not in DATASETS]:
        raise BadInput(f"--datasets: there is no {', '.join(unknown)}; there are {', '.join(DATASETS)}.")
    found = {}
    for name in choice.names or _present(choice.root):
        one = DATASETS[name]
        if one.mixed_from and not (choice.root / name).is_dir():
            count = choice.most or MIXTURES
            pool = _of_fold(_read(one.mixed_from, choice.root), choice)
            found[name] = Chosen.among(_mixed(pool, count, made / str(count) / name, progress), pool)
        else:
            pool = _of_fold(_read(name, choice.root), choice)
            found[name] = Chosen.among(spread(pool, choice.most), pool)
    return found


def spread(recordings: list[Recording], most: int | None) -> list[Recording]:
    """At most this many recordings, evenly from the whole list, so that sorted classes get equal shares.

    >>> [r.path.name for r in spread([Recording(Path(c)) for c in "abcdef"], 3)]
    ['a', 'c', 'e']
    """
    if most is None or most >= len(recordings):
        return recordings
    return [recordings[number * len(recordings) // most] for number in range(most)]


def _present(root: Path) -> tuple[str, ...]:
    """All data sets whose folder is there, or whose mixtures can be drawn."""
    try:
        here = {name for name in DATASETS if (root / name).is_dir()}
    except (OSError, ValueError) as error:
        raise BadInput(f"--data {root}: cannot be read; check the path and its permissions.") from error
    names = tuple(name for name, one in DATASETS.items() if name in here or one.mixed_from in here)
    if not names:
        known = ", ".join(DATASETS)
        raise BadInput(f"--data {root}: holds no data set; it needs a folder of one of the names {known}.")
    return names


def _read(name: str, root: Path) -> list[Recording]:
    one, folder = DATASETS[name], root / name
    try:
        return one.read(folder)
    except BadInput as error:
        if folder.is_dir() and any(folder.iterdir()):
            raise BadInput(f"{str(error).rstrip('.')} (expected in {folder}: {one.layout}).") from error
        raise BadInput(
            f"{one.title} is not in {root}; get it from {one.source}, and put {one.layout} into {folder}."
        ) from error


def _of_fold(recordings: list[Recording], choice: Choice) -> list[Recording]:
    found = [r for r in recordings if choice.fold is None or r.fold in (0, choice.fold)]
    if not found:
        raise BadInput(f"--fold {choice.fold}: has no recordings in {choice.root}; choose another fold.")
    return found


def _mixed(pool: list[Recording], count: int, folder: Path, progress: Progress) -> list[Recording]:
    if not (folder / MANIFEST).is_file():
        drawn = draw(pool, count, MIXTURE_SEED)
        for done, _ in enumerate(write_mixtures(drawn, folder), 1):
            progress("mixing recordings", done, count)
    return read_mixtures(folder)
