"""What the package says about itself and what CI installs agree."""

import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts.constraints import lower_bounds, pinned

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
FILES = ("constraints.txt", "constraints-newest.txt", "constraints-oldest.txt")
#: Ray is left to its users: nothing here imports it in a test.
NOT_PINNED = {"ray"}


def requirements(lines: list[str]) -> Iterator[Requirement]:
    """The requirements, with extras of this package replaced by what they hold."""
    for line in lines:
        requirement = Requirement(line)
        if requirement.name == PROJECT["name"]:
            for extra in requirement.extras:
                yield from requirements(EXTRAS[extra])
        else:
            yield requirement


def pins(name: str) -> dict[str, str]:
    return {canonicalize_name(package): version for package, version in pinned(ROOT / name).items()}


@pytest.mark.parametrize("file", FILES)
def test_every_dependency_is_pinned_within_its_range(file: str) -> None:
    versions = pins(file)
    for requirement in requirements(PROJECT["dependencies"]):
        version = versions[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), f"{requirement} and {version}"


@pytest.mark.parametrize("extra", sorted(EXTRAS.keys() - NOT_PINNED))
def test_every_extra_is_pinned_within_its_range(extra: str) -> None:
    versions = pins("constraints.txt")
    for requirement in requirements(EXTRAS[extra]):
        assert requirement.specifier.contains(versions[canonicalize_name(requirement.name)]), requirement


def test_the_oldest_environment_holds_the_lower_bounds() -> None:
    versions = pins("constraints-oldest.txt")
    for name, bound in lower_bounds().items():
        if name != "torch":  # see the file's first lines
            assert Requirement(f"{name}=={bound}").specifier.contains(versions[canonicalize_name(name)]), name


def test_every_python_version_named_is_allowed() -> None:
    named = [c.rsplit(" ", 1)[1] for c in PROJECT["classifiers"] if c.startswith("Programming Language")]
    allowed = Requirement(f"python{PROJECT['requires-python']}").specifier
    versions = [version for version in named if version.replace(".", "").isdigit() and "." in version]
    assert versions and all(allowed.contains(version) for version in versions)
