"""All samples as CSV and Parquet, written row by row."""

import csv
import json
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from eidophone.core.text import printable, without_formulas
from eidophone.evaluation.journal import Row
from eidophone.media.files import write_atomically

FACTS = ("folder", "method", "image_prompt", "audio_prompt", "index", "seed")
PROBLEMS = ("failed", "broken")
#: Rows in a batch.
AT_ONCE = 1000


def write_csv(path: Path, rows: Iterable[Row], names: Collection[str]) -> None:
    """One line for each sample; missing numbers are empty cells.

    Text that a spreadsheet would run as a formula gets a quote mark in front.

    Raises:
        CannotWrite: it may not be written.
    """

    def _write(draft: Path) -> None:
        with draft.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, [*FACTS, *names, *PROBLEMS])
            writer.writeheader()
            writer.writerows(without_formulas(_flat(row, names)) for row in rows)

    write_atomically(path, _write)


def write_parquet(path: Path, rows: Iterable[Row], names: Collection[str]) -> bool:
    """The same as Parquet, if pyarrow is installed; returns whether it is installed.

    Raises:
        CannotWrite: it may not be written.
    """
    try:
        import pyarrow as pa
        from pyarrow.parquet import ParquetWriter
    except ImportError:
        return False
    kinds = {name: pa.int64() if name in ("index", "seed") else pa.string() for name in FACTS}
    kinds |= dict.fromkeys(names, pa.float64()) | dict.fromkeys(PROBLEMS, pa.string())
    schema = pa.schema(list(kinds.items()))

    def _write(draft: Path) -> None:
        with ParquetWriter(draft, schema) as writer:
            for part in _parts(_flat(row, names) for row in rows):
                writer.write_table(pa.Table.from_pylist(part, schema))

    write_atomically(path, _write)
    return True


def _flat(row: Row, names: Collection[str]) -> dict[str, Any]:
    facts = {name: _text(getattr(row, name)) for name in FACTS}
    numbers = {name: row.numbers.get(name) for name in names}
    failed = _text(json.dumps(row.failed, ensure_ascii=False)) if row.failed else None
    return facts | numbers | {"failed": failed, "broken": _text(row.broken) or None}


def _text(value: Any) -> Any:
    return printable(value) if isinstance(value, str) else value


def _parts(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    part: list[dict[str, Any]] = []
    for row in rows:
        part.append(row)
        if len(part) == AT_ONCE:
            yield part
            part = []
    if part:
        yield part
