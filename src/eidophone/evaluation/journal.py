"""What was found of each sample, a line each, so that an interrupted evaluation goes on."""

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from eidophone.core.errors import BadInput
from eidophone.core.values import Floats
from eidophone.media.files import write_atomically

FORMAT = 1
JOURNAL_FILE = "samples.jsonl"


@dataclass(frozen=True)
class Row:
    """One sample.

    Attributes:
        folder: Where it is.
        checksum: Of its record.
        method: How it was made: its verb, or "picture alone", "sound alone".
        image_prompt, audio_prompt: What was asked for.
        index, seed: Which sample of its run, and where it was drawn from; seed is None if nothing was drawn.
        numbers: What the judges say and what it cost, by name.
        failed: Judges that could not say anything, and why.
        features: Embeddings by "judge.sense", each of shape (dimensions,).
        broken: Why it could not be read; then all but the folder is empty.
    """

    folder: str
    checksum: str = ""
    method: str = ""
    image_prompt: str = ""
    audio_prompt: str = ""
    index: int = 0
    seed: int | None = None
    numbers: dict[str, float] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    features: dict[str, Floats] = field(default_factory=dict)
    broken: str = ""

    def to_line(self) -> str:
        """One line of JSON."""
        features = {name: base64.b64encode(x.tobytes()).decode() for name, x in self.features.items()}
        return json.dumps(asdict(self) | {"features": features}, ensure_ascii=False) + "\n"

    @classmethod
    def from_line(cls, line: str) -> "Row":
        """The inverse of `to_line`."""
        plain: dict[str, Any] = json.loads(line)
        features = {
            name: np.frombuffer(base64.b64decode(text), np.float32)
            for name, text in plain["features"].items()
        }
        return cls(**plain | {"features": features})


@dataclass(frozen=True)
class Journal:
    """The file of rows in an evaluation's folder; its first line says who judged.

    Attributes:
        path: The file.
        judges: Their names.
    """

    path: Path
    judges: str

    def open(self, current: Mapping[str, str]) -> set[str]:
        """Keeps what is still true of an older journal; returns the folders that need no judging.

        Args:
            current: The samples that are evaluated now: checksums of their records, by folder.

        Raises:
            BadInput: other judges wrote it.
            CannotWrite: it may not be written.
        """
        done: set[str] = set()

        def _write(draft: Path) -> None:
            with draft.open("w", encoding="utf-8") as file:
                file.write(json.dumps({"format": FORMAT, "judges": self.judges}) + "\n")
                for row in self.rows() if self.path.exists() else ():
                    if row.folder not in done and current.get(row.folder) == row.checksum and not row.broken:
                        done.add(row.folder)
                        file.write(row.to_line())

        write_atomically(self.path, _write)
        return done

    def append(self, row: Row) -> None:
        """Adds a line."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(row.to_line())

    def rows(self) -> Iterator[Row]:
        """All whole lines; one that was cut off when the program was killed is left out.

        Raises:
            BadInput: it is not a journal of these judges.
        """
        with self.path.open(encoding="utf-8", errors="replace") as file:
            head = _head(file.readline())
            if head.get("format") != FORMAT or head.get("judges") != self.judges:
                raise BadInput(
                    f"{self.path}: belongs to an evaluation by {head.get('judges')!r}; choose another --out."
                )
            for line in file:
                if line.endswith("\n"):
                    try:
                        yield Row.from_line(line)
                    except (ValueError, TypeError, KeyError):
                        continue


def _head(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
