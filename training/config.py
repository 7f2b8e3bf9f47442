"""Settings of a training run, read from train.toml, the places its files lie in, and its command line."""

import argparse
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Run:
    """One preset, its work folder and its device.

    `packs` says whether pictures.npz and sounds.npz are to be used; without them everything is made up.
    `elder` is the folder of an exported family that this one begins from, or None.
    """

    name: str
    work: Path
    settings: dict[str, Any]
    device: torch.device
    packs: bool
    init_from: Path | None = None

    @classmethod
    def open(cls, name: str, work: Path, device: str = "auto", init_from: Path | None = None) -> "Run":
        """Reads a preset; `auto` is CUDA where there is one."""
        presets = tomllib.loads((HERE / "train.toml").read_text())
        if name not in presets:
            raise ValueError(f"no preset {name!r}; there are: {', '.join(presets)}")
        settings = merged(presets, name)
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        work.mkdir(parents=True, exist_ok=True)
        return cls(name, work, settings, torch.device(device), packs=name != "smoke", init_from=init_from)

    def __getitem__(self, section: str) -> Any:
        return self.settings[section]


def merged(presets: dict[str, Any], name: str) -> dict[str, Any]:
    """A preset's settings, over those of its `base`, table by table, where it names one."""
    settings = dict(presets[name])
    if "base" not in settings:
        return settings
    below = merged(presets, settings.pop("base"))
    tables = {key: below[key] | value for key, value in settings.items() if isinstance(below.get(key), dict)}
    return below | settings | tables


def command_line(prog: str, about: str | None) -> argparse.ArgumentParser:
    """What the command lines of all trainings share."""
    parser = argparse.ArgumentParser(prog=prog, description=about)
    parser.add_argument("--config", default="cpu", help="a preset: cpu, gpu or smoke")
    parser.add_argument(
        "--work", type=Path, default=HERE / "work", help="folder of packs, checkpoints and results"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--stop-after", type=int, help="stop after this step; a later call goes on")
    return parser


def opened(given: argparse.Namespace) -> Run:
    """The run that a command line asks for, with its threads set."""
    run = Run.open(given.config, given.work, given.device, getattr(given, "init_from", None))
    torch.set_num_threads(run["threads"])
    return run
