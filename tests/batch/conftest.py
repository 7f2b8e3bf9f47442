"""Job files of the toy pair, and what a folder of results holds."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PROMPTS = ("castle", "frog", "dog", "boat")


@pytest.fixture
def jobs(settings: dict[str, Any], tmp_path: Path) -> Callable[..., Path]:
    """Writes a job file: a row for each prompt, with two samples of one step."""

    def _write(rows: int = 3, count: int = 2, **more: Any) -> Path:
        path = tmp_path / "jobs.jsonl"
        lines = [
            {
                "image_prompt": PROMPTS[n % 4],
                "audio_prompt": "bell",
                "seed": 7 + n // 4,
                "count": count,
                "steps": 1,
            }
            | settings
            | more
            for n in range(rows)
        ]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return path

    return _write


def digests(root: Path) -> dict[str, str]:
    """The checksum of each file of each sample; records apart, which hold times."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.glob("*/*/*"))
        if path.name != "record.json" and path.parent.name.isdecimal()
    }


def samples(root: Path) -> set[tuple[str, str]]:
    """(key, index) of each finished sample."""
    return {(p.parent.parent.name, p.parent.name) for p in root.glob("*/*/record.json")}
