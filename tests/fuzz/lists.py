"""Settings files for `--config` and job files for `batch`, damaged."""

import csv
import io
import json
import random
from pathlib import Path
from typing import Any

from tests.fuzz.case import OUT
from tests.fuzz.damage import damaged_bytes, damaged_json
from tests.fuzz.materials import Materials

_KINDS = ("csv", "tsv", "jsonl", "toml", "parquet", "CSV", "txt", "")
_CELLS = (
    "", "x", "-1", "nan", "1e999", "9" * 5000, "[", "[1, 2]", "[]", "=1+1", "\x1b[31m", "a\nb", '"', "ü", "x" * 5000,
    "../bait/private.png", "/dev/zero", "paint", "true", "2024-01-01",
)  # fmt: skip
_TOML = (
    "nan",
    "inf",
    "1979-05-27",
    "[[1], [2]]",
    "{ a = 1 }",
    "0x10",
    "'''x'''",
    "[0.0, 1.0]",
    "[]",
    "true",
    "\x00",
)


def _rows(dice: random.Random, good: Materials) -> list[dict[str, Any]]:
    picture, sound, audio = str(good.pictures[1]), str(good.sounds[0]), str(good.audio)
    rows: list[dict[str, Any]] = [
        {"verb": "hear", "picture": picture, "audio_model": audio, "invert": True},
        {"verb": "see", "sound": sound, "audio_model": audio, "start_s": 0.1, "duration_s": 0.2},
        {
            "verb": "compose", "image_prompt": "frog", "audio_prompt": "rain", "steps": 1, "count": 1, "seed": 3,
            "image_model": str(good.image), "audio_model": audio, "preset": "draft", "offline": True,
        },
    ]  # fmt: skip
    return dice.sample(rows, dice.choice((1, 1, 2)))


def _toml(dice: random.Random, values: dict[str, Any]) -> str:
    text = json.loads(json.dumps(values))
    chosen = dice.choice(list(text))
    lines = [
        f"{name} = {dice.choice(_TOML) if name == chosen and dice.random() < 0.5 else json.dumps(value)}"
        for name, value in text.items()
    ]
    if dice.random() < 0.3:
        lines.append(
            dice.choice(("[table]", "[[jobs]]", "x = 1", lines[0], '"" = 2', "out = '../elsewhere'", "= 3"))
        )
    return "\n".join(lines) + "\n"


def damaged_settings(dice: random.Random, home: Path, good: Materials) -> list[str]:
    """A settings file: TOML, or a result."""
    row = _rows(dice, good)[0]
    verb = row.pop("verb")
    named = [row.pop(name) for name in ("picture", "sound", "image_prompt", "audio_prompt") if name in row]
    text = _toml(dice, row)
    if dice.random() < 0.3:
        text = text.replace(
            json.dumps(dice.choice(list(row.values()))), dice.choice(('"auffusion"', "[1, 2, 3]", "null"))
        )
    content = text.encode("utf-8", "surrogatepass")
    path = home / dice.choice(("run.toml", "run.toml", "run.toml", "run.TOML", "run.json"))
    path.write_bytes(damaged_bytes(dice, content) if dice.random() < 0.4 else content)
    if dice.random() < 0.2:
        path = dice.choice(list(good.results.values()))
        return [
            "compose",
            "--config",
            str(path),
            "--image-model",
            str(good.image),
            "--steps",
            "0",
            "--out",
            OUT,
        ]
    offline = ["--offline"] if b"auffusion" in content else []  # a settings file is the user's own
    return [verb, *named, "--config", str(path), *offline, "--out", OUT]


def damaged_jobs(dice: random.Random, home: Path, good: Materials) -> list[str]:
    """A job file of every kind; most are only checked."""
    rows, kind = _rows(dice, good), dice.choice(_KINDS)
    path = home / (f"jobs.{kind}" if kind else "jobs")
    if kind == "toml":
        content = ("[[jobs]]\n" + "[[jobs]]\n".join(_toml(dice, row) for row in rows)).encode(
            "utf-8", "surrogatepass"
        )
    elif kind == "jsonl":
        lines = [damaged_json(dice, row) if dice.random() < 0.7 else json.dumps(row) for row in rows]
        content = "\n".join(lines).encode("utf-8", "surrogatepass")
    elif kind == "parquet":
        content = _parquet(rows)
    else:
        content = _csv(dice, rows, "\t" if kind == "tsv" else ",").encode()
    path.write_bytes(damaged_bytes(dice, content) if dice.random() < 0.3 and content else content)
    more = dice.choice((["--check"], ["--check"], ["--check"], [], ["--shard", "2/2"], ["--json"]))
    return ["batch", str(path), "--out", OUT, *more]


def _csv(dice: random.Random, rows: list[dict[str, Any]], comma: str) -> str:
    names = sorted(
        {name for row in rows for name in row}
        | ({dice.choice(("x", "", "seed"))} if dice.random() < 0.3 else set())
    )
    text = io.StringIO()
    writer = csv.writer(text, delimiter=comma)
    cells = [names, *([str(row.get(name, "")) for name in names] for row in rows)]
    for _ in range(dice.choice((1, 1, 2))):
        line = dice.choice(cells)
        line[dice.randrange(len(line))] = dice.choice(_CELLS)
    if dice.random() < 0.2:
        cells.append(["x"] * dice.choice((1, 30)))
    writer.writerows(cells)
    return text.getvalue()


def _parquet(rows: list[dict[str, Any]]) -> bytes:
    import pyarrow
    from pyarrow import parquet

    file = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist(rows), file)
    return file.getvalue()
