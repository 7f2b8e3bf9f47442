"""Paints every recording with every method, and says which painting belongs to which recording."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eidophone.api import default_session
from eidophone.core.errors import BadInput
from eidophone.core.events import Progress
from eidophone.data.recordings import Recording
from eidophone.media.audio import read_sound
from eidophone.media.files import slug
from eidophone.options.commands import EvaluateOptions
from eidophone.options.kinds import Attention
from eidophone.results.recipe import RECORD_FILE
from eidophone.results.store import sample_name
from eidophone.running import Output
from eidophone.verbs.paint.options import PaintOptions

SEED = 1234
#: The captioner and AudioCLIP hear ten seconds, and the clips of AudioCaps last as long.
LONGEST_S = 10.0
#: Pictures of an optimised painting, where the preset optimises nothing.
TRIALS = 6
OPTIMISED = "-optimised"
TERMS: tuple[Attention, ...] = ("none", "audio", "sentence", "both")
METHODS: dict[str, tuple[Attention, bool]] = {
    f"{terms}{ending}": (terms, bool(ending)) for ending in ("", OPTIMISED) for terms in TERMS
}


@dataclass(frozen=True)
class Place:
    """Where a painting belongs, from its folder ROOT/SET/METHOD/RECORDING/INDEX.

    Attributes:
        dataset, method: By name.
        recording: See `key_of`.
        index: Which painting of the recording.
    """

    dataset: str
    method: str
    recording: str
    index: int

    @classmethod
    def of(cls, path: Path | str) -> "Place":
        """From a folder or the name of a sample."""
        dataset, method, recording, index = Path(path).parts[-4:]
        return cls(dataset, method, recording, int(index))


def key_of(recording: Recording) -> str:
    """A folder name of its own for a recording: its name, and the start of a checksum of it and its folder's name."""
    parts = "/".join(recording.path.parts[-2:])
    return f"{slug(recording.path.stem)}-{hashlib.sha256(parts.encode()).hexdigest()[:8]}"


@dataclass
class Painter:
    """Makes the missing paintings.

    Attributes:
        options: Of the evaluation.
        recordings: By data set.
        root: The folder of the paintings.
        unreadable: Recordings that cannot be read, and why, once `make` has met them.
    """

    options: EvaluateOptions
    recordings: dict[str, list[Recording]]
    root: Path
    unreadable: dict[str, str] = field(default_factory=dict)

    def make(self, progress: Progress) -> None:
        """Paints what is missing; a recording that cannot be read is skipped and noted.

        Raises:
            EidophoneError: see `Session.run`; also an unknown method.
        """
        jobs = list(self._missing())
        session = default_session()
        for done, (run, folder) in enumerate(jobs):
            progress("painting", done, len(jobs))
            if self._readable(run.sound):
                for _ in session.run(run, Output(folder)):
                    pass

    def folders(self) -> Iterator[tuple[Recording, str, Path]]:
        """Recording, method and folder of every painting; data sets and methods take turns."""
        methods = methods_of(self.options.methods)
        for number in range(max(map(len, self.recordings.values()))):
            for name, recordings in self.recordings.items():
                for recording in recordings[number : number + 1]:
                    for method in methods:
                        yield recording, method, self.root / name / method / key_of(recording)

    def _missing(self) -> Iterator[tuple[PaintOptions, Path]]:
        samples = self.options.samples or 1
        for recording, method, folder in self.folders():
            here = [i for i in range(samples) if (folder / sample_name(i) / RECORD_FILE).is_file()]
            first = next((i for i in range(samples) if i not in here), samples)
            if first < samples:  # paintings are made in order, so all later ones are missing too
                given = self._settings(method) | {"index": first, "count": samples - first}
                yield PaintOptions.make(sound=recording.path, start_s=recording.start_s, **given), folder

    def _settings(self, method: str) -> dict[str, Any]:
        attention, optimised = METHODS[method]
        options = self.options
        wanted = {"image_model", "audio_model", "device", "threads", "captioner", "embedder", "text_embedder"}
        given = options.model_dump(include=wanted & options.model_fields_set)
        preset = PaintOptions.PRESETS[options.preset]
        return given | {
            "preset": options.preset,
            "attention": attention,
            "optimise": (preset["optimise"] or TRIALS) if optimised else 0,
            "seed": SEED,
            "duration_s": LONGEST_S,
            "colors": False,  # as published: the image model decides
            "offline": options.offline,
        }

    def _readable(self, sound: Path) -> bool:
        name = "/".join(sound.parts[-2:])
        if name not in self.unreadable:
            try:
                read_sound(sound, duration_s=LONGEST_S)
            except BadInput as error:
                self.unreadable[name] = str(error).replace(str(sound), name)
        return name not in self.unreadable


def methods_of(names: str) -> list[str]:
    """The methods of a list; all, if it is empty.

    Raises:
        BadInput: one is unknown.
    """
    wanted = [name.strip() for name in names.split(",") if name.strip()] or list(METHODS)
    if unknown := [name for name in wanted if name not in METHODS]:
        raise BadInput(f"--methods: there is no {', '.join(unknown)}; name some of {', '.join(METHODS)}.")
    return wanted
