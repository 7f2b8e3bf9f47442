"""A network's settings as they are in its `config.json`, completed and checked."""

from collections.abc import Mapping
from typing import Any

from eidophone.core.settings import Settings


def completed(given: Mapping[str, Any], defaults: Mapping[str, Any]) -> Settings:
    """Settings with defaults for what is missing; lists become tuples."""
    return Settings({k: tuple(v) if isinstance(v, list) else v for k, v in {**defaults, **given}.items()})


def fits(given: Mapping[str, Any], supported: Mapping[str, Any]) -> bool:
    """Whether all these settings are missing, or have the one value that is supported."""
    return all(given.get(name, value) == value for name, value in supported.items())
