"""A training run: its settings from presets.toml, the folders it works in, and its command line options."""

import argparse
import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from eidophone.models.cards import package_folder

HERE = Path(__file__).parent
#: Recordings that no package registry has: esc10/ and ambient/ (see docs/training.md).
RECORDINGS = HERE.parent.parent / "shared" / "data"
#: What a work folder was made with; written by `claim`.
RUN_FILE = "run.json"


class TrainingError(Exception):
    """A run cannot go on; the message says what to do."""


@dataclass(frozen=True)
class Run:
    """One preset with its folders and its device.

    Attributes:
        name: Name of the preset.
        work: Folder of packs, checkpoints and results. One work folder makes one family.
        settings: The preset's tables.
        device: Where networks are trained.
        packs: Whether the packs of drawings and sounds are used. A smoke run has none: everything it learns
            from is generated.
        init_from: Folder of an exported family to go on from, or None to start from nothing.
        recordings: Folder that holds esc10/ and ambient/.
    """

    name: str
    work: Path
    settings: dict[str, Any]
    device: torch.device
    packs: bool
    init_from: Path | None = None
    recordings: Path = RECORDINGS

    @classmethod
    def open(
        cls, name: str, work: Path, device: str = "auto", init_from: Path | None = None,
        recordings: Path = RECORDINGS,
    ) -> "Run":  # fmt: skip
        """Reads a preset; device `auto` is CUDA where there is one.

        Raises:
            TrainingError: no preset of that name.
        """
        presets = tomllib.loads((HERE / "presets.toml").read_text(encoding="utf-8"))
        if name not in presets:
            raise TrainingError(f"There is no preset {name!r}; choose one of: {', '.join(presets)}.")
        settings = merged(presets, name)
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        work.mkdir(parents=True, exist_ok=True)
        return cls(name, work, settings, torch.device(device), name != "smoke", init_from, recordings)

    def __getitem__(self, section: str) -> Any:
        return self.settings[section]

    @property
    def family(self) -> Path:
        """Where this run exports its family: image/, audio/, embedder/ and so on."""
        return self.work / "tiny"

    def earlier(self, part: str) -> Path:
        """A part of the family that this run goes on from; of the package's where it starts from nothing."""
        return (self.init_from or package_folder("tiny")) / part


def merged(presets: dict[str, Any], name: str) -> dict[str, Any]:
    """A preset's settings. Where it names a `base`, they are laid over those of the base, table by table."""
    settings = dict(presets[name])
    if "base" not in settings:
        return settings
    below = merged(presets, settings.pop("base"))
    tables = {key: below[key] | value for key, value in settings.items() if isinstance(below.get(key), dict)}
    return below | settings | tables


def differences(before: dict[str, Any], now: dict[str, Any], where: str = "") -> list[str]:
    """What differs between two nested tables, each as "image.steps: 10, now 20".

    >>> differences({"a": {"b": 1}, "c": 2}, {"a": {"b": 3}, "c": 2})
    ['a.b: 1, now 3']
    """
    found = []
    for key in sorted(before.keys() | now.keys()):
        old, new, name = before.get(key), now.get(key), f"{where}{key}"
        if isinstance(old, dict) and isinstance(new, dict):
            found += differences(old, new, f"{name}.")
        elif old != new:
            found.append(f"{name}: {old}, now {new}")
    return found


def claim(run: Run) -> None:
    """Notes in the work folder what it is made with, so that two runs never mix in one folder.

    Raises:
        TrainingError: the folder was made with other settings.
    """
    file = run.work / RUN_FILE
    init_from = str(run.init_from.resolve()) if run.init_from else None
    facts = {"preset": run.name, "init_from": init_from, "settings": run.settings}
    if not file.exists():
        file.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
        return
    if different := differences(json.loads(file.read_text(encoding="utf-8")), facts):
        raise TrainingError(
            f"{run.work} was made with other settings ({'; '.join(different[:3])}). Choose another "
            f"--work. If you want to keep what is there, delete {file} and run again."
        )


def command_line(prog: str, about: str | None) -> argparse.ArgumentParser:
    """The options that all training commands share."""
    parser = argparse.ArgumentParser(prog=prog, description=about)
    parser.add_argument("--preset", default="laptop", help="laptop, gpu, smoke or further (presets.toml)")
    parser.add_argument(
        "--work", type=Path, help="folder of packs, checkpoints and results (default: training/work/PRESET)"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument(
        "--recordings", type=Path, default=RECORDINGS, help="folder that holds esc10/ and ambient/"
    )
    parser.add_argument("--init-from", type=Path, help="folder of an exported family to go on from")
    return parser


def opened(given: argparse.Namespace) -> Run:
    """The run that a command line asks for, with its number of threads set."""
    work = given.work or HERE / "work" / given.preset
    run = Run.open(given.preset, work, given.device, given.init_from, given.recordings)
    torch.set_num_threads(run["threads"])
    return run
