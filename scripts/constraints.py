"""Looks up the newest and the oldest dependencies that `pyproject.toml` allows.

    make constraints

Writes `constraints-newest.txt` and `constraints-oldest.txt`, which `.ci/wheel` installs. torch keeps the
version of `constraints.txt`: other builds are several gigabytes.
"""

import datetime
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
_HEADS = {
    "newest": "# The newest versions on {day}, as `pip install eidophone` took them that day.",
    "oldest": "# The oldest versions that pyproject.toml allows, on {day}, with what they need in turn.",
}
_ABOUT_TORCH = "# torch is the build that CI has. `make constraints` writes this file."
#: What only torch's CUDA builds need.
_CUDA = ("cuda-", "nvidia-", "triton")


def lower_bounds() -> dict[str, str]:
    """The lower bound of each dependency in `pyproject.toml`, by name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = {}
    for line in project["dependencies"]:
        requirement = Requirement(line)
        (found[requirement.name],) = (s.version for s in requirement.specifier if s.operator == ">=")
    return found


def pinned(file: Path) -> dict[str, str]:
    """The versions in a constraints file, by name."""
    lines = (line for line in file.read_text(encoding="utf-8").splitlines() if line[:1].isalpha())
    return dict(line.split("==", 1) for line in lines)


def resolve(kind: str, torch: str) -> list[str]:
    """Pins of every package that the `newest` or the `oldest` environment holds."""
    bounds = lower_bounds() if kind == "oldest" else {}
    wanted = [f"{name}=={version}" for name, version in bounds.items() if name != "torch"]
    with tempfile.TemporaryDirectory() as folder:
        constraints, override = Path(folder, "constraints.txt"), Path(folder, "override.txt")
        constraints.write_text("\n".join(wanted), encoding="utf-8")
        override.write_text(f"torch=={torch}", encoding="utf-8")
        command = [
            *(
                sys.executable,
                "-m",
                "uv",
                "pip",
                "compile",
                "--quiet",
                "--no-annotate",
                "--no-header",
                "--no-build",
            ),
            *("--python-version", "3.11", "--constraint", str(constraints), "--override", str(override)),
            str(ROOT / "pyproject.toml"),
        ]
        lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    return [line.replace("+cpu", "") for line in lines if not line.startswith(_CUDA)]


def main() -> int:
    """Writes both files; returns the exit code."""
    torch = pinned(ROOT / "constraints.txt")["torch"]
    for kind, head in _HEADS.items():
        day = datetime.datetime.now(datetime.UTC).date()
        text = "\n".join([head.format(day=day), _ABOUT_TORCH, *resolve(kind, torch)])
        (ROOT / f"constraints-{kind}.txt").write_text(f"{text}\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
