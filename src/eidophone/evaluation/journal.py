"""The findings of an evaluation, one line for each sample, so that an interrupted evaluation can continue."""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from eidophone.core.errors import BadInput, CannotWrite
from eidophone.core.values import Floats
from eidophone.media.files import cannot_write, write_atomically

FORMAT = 2
JOURNAL_FILE = "samples.jsonl"


@dataclass(frozen=True)
class Row:
    """One sample.

    Attributes:
        folder: Its name in this evaluation, see `samples.found_below`.
        checksum: Of its record.
        method: How it was made: its verb, or "picture alone", "sound alone".
        image_prompt, audio_prompt: Empty if there is none.
        index, seed: Which sample of its run, and what it was drawn from; seed is None if nothing was drawn.
        numbers: Numbers of the judges, and what the sample cost, by name.
        failed: Judges that failed, and why.
        features: Embeddings by "judge.sense", each of shape (dimensions,).
        broken: Why it could not be read; then only `folder` and `checksum` are set besides.
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
        """One line of JSON, in ASCII."""
        features = {name: base64.b64encode(x.tobytes()).decode() for name, x in self.features.items()}
        return json.dumps(asdict(self) | {"features": features}) + "\n"

    @classmethod
    def from_line(cls, line: str) -> "Row":
        """The inverse of `to_line`.

        Raises:
            ValueError: a field is missing or has another type; nothing in the line is trusted.
        """
        checked = _Line.model_validate_json(line)
        features = {name: _vector(text) for name, text in checked.features.items()}
        # not model_dump(), which copies every value: an evaluation reads its lines several times
        return cls(**{**vars(checked), "features": features})


def _vector(text: str) -> Floats:
    try:
        found: Floats = np.frombuffer(base64.b64decode(text, validate=True), np.float32)
    except ValueError as error:
        raise ValueError("not base64 of float32 numbers") from error
    if found.size == 0 or not np.isfinite(found).all():
        raise ValueError("not a vector of finite numbers")
    return found


def _encoded(text: str) -> str:
    _vector(text)
    return text


_Finite = Annotated[float, Field(allow_inf_nan=False)]


class _Line(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    folder: str
    checksum: str
    method: str
    image_prompt: str
    audio_prompt: str
    index: Annotated[int, Field(ge=0)]
    seed: Annotated[int, Field(ge=0)] | None
    numbers: dict[str, _Finite]
    failed: dict[str, str]
    features: dict[str, Annotated[str, AfterValidator(_encoded)]]
    broken: str


class _Head(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)

    format: int
    judges: str
    digest: str = ""


@dataclass(frozen=True)
class Journal:
    """The file of rows in an evaluation's folder. Its first line names the judges.

    Attributes:
        path: The file.
        judges: Their names, separated by commas.
        digest: Tells judges apart whose names in the file are alike.
    """

    path: Path
    judges: str
    digest: str = ""

    def open(self, current: Mapping[str, str]) -> set[str]:
        """Keeps the rows that are still valid; returns the samples that need no judging.

        Args:
            current: Checksums of the records of all samples of this evaluation, by name.

        Raises:
            BadInput: other judges wrote the journal.
            CannotWrite: it may not be written.
        """
        done: set[str] = set()

        def _write(draft: Path) -> None:
            with draft.open("w", encoding="utf-8") as file:
                head = {"format": FORMAT, "judges": self.judges, "digest": self.digest}
                file.write(json.dumps(head) + "\n")
                for row, line in self._lines() if self.path.exists() else ():
                    if current.get(row.folder) == row.checksum and not row.broken:
                        done.add(row.folder)
                        file.write(line)

        write_atomically(self.path, _write)
        return done

    def append(self, row: Row) -> None:
        """Adds a line.

        Raises:
            CannotWrite: the disk is full, or the file may not be written.
        """
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(row.to_line())
        except OSError as error:
            failure: CannotWrite = cannot_write(self.path, error)
            raise failure from error

    def arrange(self, names: Iterable[str]) -> None:
        """Puts the rows of these samples into their order, and drops all others; memory holds their places only.

        Raises:
            CannotWrite: it may not be written.
        """
        places: dict[str, int] = {}

        def _write(draft: Path) -> None:
            with self.path.open("rb") as file, draft.open("wb") as sorted_file:
                sorted_file.write(file.readline())
                place = file.tell()
                while line := file.readline():
                    row = _row(line.decode("utf-8", "replace"))
                    if row is not None:
                        places.setdefault(row.folder, place)
                    place = file.tell()
                for name in names:
                    if name in places:
                        file.seek(places[name])
                        sorted_file.write(file.readline())

        write_atomically(self.path, _write)

    def rows(self) -> Iterator[Row]:
        """All valid lines, one for each sample.

        A line that was cut off or damaged is skipped, so its sample is judged again.

        Raises:
            BadInput: it is not a journal of these judges.
        """
        return (row for row, _ in self._lines())

    def _lines(self) -> Iterator[tuple[Row, str]]:
        seen: set[str] = set()
        with self.path.open(encoding="utf-8", errors="replace") as file:
            self._check_head(file.readline())
            for line in file:
                row = _row(line)
                if row is not None and row.folder not in seen:
                    seen.add(row.folder)
                    yield row, line

    def _check_head(self, line: str) -> None:
        try:
            head = _Head.model_validate_json(line)
        except ValidationError:
            raise BadInput(f"{self.path}: is not a journal of an evaluation; choose another --out.") from None
        if head.format != FORMAT:
            raise BadInput(
                f"{self.path}: was written by another version of Eidophone; choose another --out, or delete it "
                "to judge all samples again."
            )
        if (head.judges, head.digest) != (self.judges, self.digest):
            raise BadInput(
                f"{self.path}: belongs to an evaluation by {head.judges!r}; choose another --out, or name "
                "these judges."
            )


def _row(line: str) -> Row | None:
    if not line.endswith("\n"):
        return None
    try:
        return Row.from_line(line)
    except ValueError:  # pydantic's errors too
        return None
