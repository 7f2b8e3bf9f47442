"""The manifest: one row for each finished sample, read from the results alone."""

import contextlib
import csv
import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from eidophone.batch.places import Place, records_of
from eidophone.core.errors import BadInput
from eidophone.core.text import without_formulas
from eidophone.results.store import sample_name

PARQUET, CSV = "manifest.parquet", "manifest.csv"
#: Columns and their types, in the words of Arrow.
COLUMNS = {
    "key": "string",
    "index": "int64",
    "folder": "string",
    "verb": "string",
    "image_prompt": "string",
    "audio_prompt": "string",
    "seed": "int64",
    "image_model": "string",
    "audio_model": "string",
    "seconds": "double",
    "unet_evaluations": "int64",
    "made": "string",
    "record_sha256": "string",
    "picture_sha256": "string",
    "sound_sha256": "string",
    "options": "string",
}
_JSON = json.JSONEncoder(sort_keys=True, ensure_ascii=False)
#: Rows in memory at once.
AT_ONCE = 2000
#: What a manifest may say: names and numbers that cannot lead out of its folder.
_KEY, _CHECKSUM = re.compile(r"[A-Za-z0-9_-]{1,100}"), re.compile(r"[0-9a-f]{64}")
MOST_SAMPLES = 1 << 32


@dataclass
class Totals:
    """What a manifest says in numbers.

    Attributes:
        samples: Finished ones.
        seconds: Their computing time.
        evaluations: Their denoiser evaluations.
        verbs: Samples by verb.
        damaged: Samples whose record cannot be read, KEY/INDEX.
    """

    samples: int = 0
    seconds: float = 0.0
    evaluations: int = 0
    verbs: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    damaged: list[str] = field(default_factory=list)

    def add(self, row: dict[str, Any]) -> None:
        """One more sample."""
        self.samples += 1
        self.seconds += row["seconds"] or 0.0
        self.evaluations += row["unet_evaluations"] or 0
        self.verbs[row["verb"]] += 1


def write_manifest(place: Place) -> tuple[str, Totals]:
    """Writes the manifest of all samples in a place; returns its name and what it counted.

    Parquet, or CSV where pyarrow is not installed. Memory stays flat.

    Raises:
        CannotWrite: it cannot be written.
    """
    totals = Totals()
    with TemporaryDirectory(prefix="eidophone-manifest-") as folder:
        name = PARQUET if _has_arrow() else CSV
        write = _write_parquet if name == PARQUET else _write_csv
        write(Path(folder, name), _rows(place, totals))
        place.put_file(name, Path(folder, name))
    return name, totals


@dataclass(frozen=True)
class Entry:
    """A sample that a manifest lists.

    Attributes:
        key, index: Which one; KEY/INDEX is its folder.
        checksum: Of its record.
    """

    key: str
    index: int
    checksum: str


def read_manifest(path: Path, name: str) -> Iterator[Entry]:
    """The samples that a manifest lists. It may come from a stranger: a key is one plain name.

    Args:
        path: The file.
        name: How messages name it.

    Raises:
        BadInput: it is missing, damaged, or no manifest.
    """
    rows = _parquet_rows if path.suffix == ".parquet" else _csv_rows
    try:
        yield from map(_entry, rows(path))
    except ImportError:
        raise BadInput(f"{name}: Parquet needs pyarrow; run: pip install 'eidophone[batch]'.") from None
    except Exception as error:  # pyarrow raises several kinds
        why = " ".join(str(error).split())[:200].replace(str(path), name)
        raise BadInput(
            f"{name}: is not the manifest of a batch ({why}); run `eidophone batch --rebuild`."
        ) from error


def _parquet_rows(path: Path) -> Iterator[dict[str, Any]]:
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        for part in file.iter_batches(AT_ONCE, columns=["key", "index", "record_sha256"]):
            yield from part.to_pylist()


def _csv_rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(newline="", encoding="utf-8") as lines:
        yield from csv.DictReader(lines)


def _entry(row: dict[str, Any]) -> Entry:
    """
    Raises:
        ValueError: a field cannot be what a batch writes.
    """
    key, index, checksum = str(row["key"]), int(row["index"]), str(row["record_sha256"])
    if not (_KEY.fullmatch(key) and 0 <= index < MOST_SAMPLES and _CHECKSUM.fullmatch(checksum)):
        raise ValueError(f"it lists {key[:100]!r}, {index}, {checksum[:100]!r}")
    return Entry(key, index, checksum)


def _has_arrow() -> bool:
    with contextlib.suppress(ImportError):
        import pyarrow.parquet  # noqa: F401

        return True
    return False


def _rows(place: Place, totals: Totals) -> Iterator[dict[str, Any]]:
    for (key, index), content in records_of(place):
        row = None if isinstance(content, Exception) else _row(key, index, content)
        if row is None:
            totals.damaged.append(f"{key}/{sample_name(index)}")
            continue
        totals.add(row)
        yield row


def _row(key: str, index: int, content: bytes) -> dict[str, Any] | None:
    try:
        return _checked_row(key, index, content)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None


def _checked_row(key: str, index: int, content: bytes) -> dict[str, Any]:
    record = json.loads(content)
    recipe, facts, files = record["recipe"], record["facts"], record["files"]
    options = recipe["options"]
    models = recipe["models"]
    return {
        "key": key,
        "index": index,
        "folder": f"{key}/{sample_name(index)}",
        "verb": _text(record["verb"]),
        "image_prompt": _text(options.get("image_prompt", "")),
        "audio_prompt": _text(options.get("audio_prompt", "")),
        "seed": _whole(recipe.get("seed")),
        "image_model": _text(models.get("image", {}).get("name", "")),
        "audio_model": _text(models.get("audio", {}).get("name", "")),
        "seconds": None if facts.get("seconds") is None else float(facts["seconds"]),
        "unet_evaluations": _whole(facts.get("unet_evaluations")),
        "made": _text(record.get("made", "")),
        "record_sha256": hashlib.sha256(content).hexdigest(),
        "picture_sha256": _text(files.get("picture.png", "")),
        "sound_sha256": _text(files.get("sound.wav", "")),
        "options": _text(_JSON.encode(options)),
    }


def _text(given: Any) -> str:
    """What can be written as UTF-8.

    Raises:
        ValueError: it holds half of a character.
    """
    text = str(given)
    text.encode()
    return text


def _whole(given: Any) -> int | None:
    """A number that a column of 64-bit integers can hold.

    Raises:
        ValueError: it is another thing.
    """
    if given is not None and (type(given) is not int or not -(2**63) <= given < 2**63):
        raise ValueError(given)
    return given


def _write_parquet(path: Path, rows: Iterator[dict[str, Any]]) -> None:
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    schema = pa.schema([(name, pa.type_for_alias(kind)) for name, kind in COLUMNS.items()])
    with ParquetWriter(path, schema, compression="zstd") as writer:
        while part := list(islice(rows, AT_ONCE)):
            # by columns: from_pylist looks every name of every row up again
            columns = {name: [row[name] for row in part] for name in COLUMNS}
            writer.write_table(pa.Table.from_pydict(columns, schema))


def _write_csv(path: Path, rows: Iterator[dict[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(COLUMNS))
        writer.writeheader()
        writer.writerows(map(without_formulas, rows))
