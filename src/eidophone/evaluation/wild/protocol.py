"""The protocol as a whole: data sets, paintings, rows, findings."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from eidophone.core.errors import BadInput
from eidophone.core.events import Progress
from eidophone.evaluation.journal import Row
from eidophone.evaluation.wild.datasets import Choice, recordings_of
from eidophone.evaluation.wild.findings import Findings, findings_of
from eidophone.evaluation.wild.judging import WildJudging, words
from eidophone.evaluation.wild.paintings import Painter, key_of
from eidophone.media.files import write_text
from eidophone.options.commands import EvaluateOptions

IN_THE_WILD = "in-the-wild"
#: Folder of the mixtures in that of the evaluation.
MIXED_FOLDER = "mixtures"


#: Keeps the settings that decide how paintings are made.
SETTINGS_FILE = "protocol.json"
SETTINGS = ("preset", "image_model", "audio_model", "captioner", "embedder", "text_embedder", "fold")


@dataclass(frozen=True)
class Wild:
    """An evaluation in the wild.

    Attributes:
        painter: Makes the paintings.
        judging: Makes their rows.
    """

    painter: Painter
    judging: WildJudging

    def findings(self, rows: Iterable[Row]) -> Findings:
        """Paired differences, and how good the captions are."""
        return findings_of(rows, self.judging.recordings)

    def wanted(self) -> set[Path]:
        """The folders of the paintings that this evaluation is about; others may lie beside them."""
        return {folder.absolute() for _, _, folder in self.painter.folders()}


def open_wild(options: EvaluateOptions, out: Path, root: Path, progress: Progress) -> Wild:
    """Finds the recordings.

    Args:
        options: Of the evaluation.
        out: Its folder.
        root: The folder of the paintings.
        progress: Called while mixtures are made.

    Raises:
        BadInput: data sets are missing, unknown or damaged, or `out` has paintings of other settings.
    """
    if options.data is None:
        raise BadInput(f"--protocol {IN_THE_WILD} needs --data, the folder that holds the data sets.")
    _check_settings(options, out / SETTINGS_FILE)
    names = tuple(dict.fromkeys(name.strip() for name in options.datasets.split(",") if name.strip()))
    choice = Choice(options.data, names, options.recordings, options.fold)
    found = recordings_of(choice, out / MIXED_FOLDER, progress)
    recordings = {name: chosen.recordings for name, chosen in found.items()}
    keyed = {(name, key_of(one)): one for name, many in recordings.items() for one in many}
    labels = {name: tuple(map(words, chosen.labels)) for name, chosen in found.items()}
    return Wild(Painter(options, recordings, root), WildJudging(keyed, labels))


def _check_settings(options: EvaluateOptions, path: Path) -> None:
    """Refuses to go on with other settings than those of the paintings that are there."""
    settings = options.model_dump(include=set(SETTINGS))
    if not path.is_file():
        write_text(path, json.dumps(settings, indent=2, sort_keys=True) + "\n")
        return
    try:
        before = json.loads(path.read_bytes())
        differ = [name for name in SETTINGS if before[name] != settings[name]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{path}: cannot be read ({error}); choose another --out.") from error
    if differ:
        raise BadInput(
            f"{path.parent}: its paintings were made with {differ[0]} {before[differ[0]]!r}, not "
            f"{settings[differ[0]]!r}; choose another --out."
        )
