"""Job files as plain rows: CSV, TSV, JSON Lines, Parquet, TOML."""

import csv
import io
import json
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eidophone.core.errors import BadInput
from eidophone.media.files import read_limited

MOST_BYTES = 1 << 30


@dataclass(frozen=True)
class RawRow:
    """One row, not checked yet.

    Attributes:
        number: As a spreadsheet or an editor counts: the first row below a CSV header is 2; JSON Lines count lines;
            Parquet rows and TOML jobs count from 1.
        cells: Values by column; columns without a value are left out.
        problem: Why the row cannot be read; empty if it can.
    """

    number: int
    cells: dict[str, Any]
    problem: str = ""


def read_rows(path: Path) -> list[RawRow]:
    """Reads a job file; the suffix says which kind it is.

    Raises:
        BadInput: not there, not of a known kind, damaged as a whole, or without any row.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise BadInput(f"{path}: a job file ends in {', '.join(READERS)}; rename or convert it.")
    rows = list(reader(path, read_limited(path, "a job file", MOST_BYTES)))
    if not rows:
        raise BadInput(f"{path}: has no rows; add at least one.")
    return rows


def _text(path: Path, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: is not UTF-8 text (byte {error.start}); save it as UTF-8.") from error


def _csv(path: Path, content: bytes) -> Iterator[RawRow]:
    text = _text(path, content)
    header = text.partition("\n")[0]
    delimiter = "\t" if path.suffix.lower() == ".tsv" else max(",;", key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        names = [name.strip() for name in next(reader, [])]
        twice = {name for name in names if name and names.count(name) > 1}
        if twice:
            raise BadInput(f"{path}: has two columns named {min(twice)!r}; remove one.")
        for number, cells in enumerate(reader, 2):
            if any(cell.strip() for cell in cells):
                yield _csv_row(number, names, cells)
    except csv.Error as error:
        raise BadInput(f"{path}: line {reader.line_num} is not CSV ({error}); check its quotes.") from error


def _csv_row(number: int, names: list[str], cells: list[str]) -> RawRow:
    if any(cell.strip() for cell in cells[len(names) :]):
        return RawRow(number, {}, f"has {len(cells)} cells, but the header has {len(names)}; quote commas.")
    pairs = zip(names, cells, strict=False)
    return RawRow(number, {name: _cell(cell) for name, cell in pairs if cell.strip()})


def _cell(text: str) -> Any:
    """
    >>> _cell("[1, 2]"), _cell("12"), _cell("[a")
    ([1, 2], '12', '[a')
    """
    if text.lstrip().startswith("["):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def _jsonl(path: Path, content: bytes) -> Iterator[RawRow]:
    # not splitlines(), which also breaks at characters that JSON strings may hold
    for number, line in enumerate(_text(path, content).split("\n"), 1):
        if line.strip():
            try:
                given = json.loads(line)
            except (ValueError, RecursionError):
                yield RawRow(number, {}, "is not JSON; each line holds one object.")
                continue
            yield _object(number, given)


def _object(number: int, given: Any) -> RawRow:
    if not isinstance(given, dict):
        return RawRow(number, {}, "is not an object; write {\"option\": value, ...}.")  # fmt: skip
    return RawRow(number, {name: value for name, value in given.items() if value is not None})


def _parquet(path: Path, _content: bytes) -> Iterator[RawRow]:
    try:
        import pyarrow.parquet as parquet
    except ImportError:
        raise BadInput(f"{path}: Parquet needs pyarrow; run: pip install 'eidophone[batch]'.") from None
    try:
        given = parquet.read_table(path).to_pylist()
    except Exception as error:  # pyarrow raises several kinds
        raise BadInput(f"{path}: is not a Parquet file ({_line(error)}); write it again.") from error
    for number, row in enumerate(given, 1):
        yield _object(number, row)


def _toml(path: Path, content: bytes) -> Iterator[RawRow]:
    try:
        given = tomllib.loads(_text(path, content))
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path}: is not TOML ({_line(error)}); correct that place.") from error
    defaults, jobs = given.pop("defaults", {}), given.pop("jobs", [])
    if given or not isinstance(jobs, list) or not isinstance(defaults, dict):
        raise BadInput(
            f"{path}: a TOML job file has [[jobs]] tables, and [defaults] if you like; nothing else."
        )
    for number, job in enumerate(jobs, 1):
        yield _object(number, {**defaults, **job} if isinstance(job, dict) else job)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]


READERS: dict[str, Callable[[Path, bytes], Iterator[RawRow]]] = {
    ".csv": _csv,
    ".tsv": _csv,
    ".jsonl": _jsonl,
    ".parquet": _parquet,
    ".toml": _toml,
}
