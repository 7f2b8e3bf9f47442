"""A network's settings as they are in its `config.json`, completed and checked."""

from collections.abc import Mapping
from typing import Any

from eidophone.core.errors import BadInput
from eidophone.core.settings import Settings

MOST_LAYERS, MOST_SIDE = 1_000, 4_096


def check_layers(given: object, place: str) -> None:
    """Refuses settings with more layers than any network has, before hours go into building them.

    Raises:
        BadInput: a number of layers is above `MOST_LAYERS`; `place` says where.
    """
    for name, value in given.items() if isinstance(given, Mapping) else ():
        if isinstance(value, Mapping):
            check_layers(value, place)
        elif ("layer" in name or "depth" in name) and _largest(value) > MOST_LAYERS:
            raise BadInput(
                f"{place}: {name} is above {MOST_LAYERS:,}, more than any network has; fetch the model again."
            )


def _largest(value: object) -> int:
    if isinstance(value, list | tuple):
        return max(map(_largest, value), default=0)
    return value if isinstance(value, int) else 0


def completed(given: Mapping[str, Any], defaults: Mapping[str, Any]) -> Settings:
    """Settings with defaults for what is missing; lists become tuples."""
    return Settings({k: tuple(v) if isinstance(v, list) else v for k, v in {**defaults, **given}.items()})


def fits(given: Mapping[str, Any], supported: Mapping[str, Any]) -> bool:
    """Whether all these settings are missing, or have the one value that is supported."""
    return all(given.get(name, value) == value for name, value in supported.items())


def sample_size_of(config: Any, name: str, usual: int) -> tuple[int, int]:
    """(height, width) of what a network was trained on, from its `sample_size`: a number or a pair, or `usual`.

    Raises:
        BadInput: it is neither; `name` says which model.
    """
    size = config.sample_size or usual
    pair = (size, size) if isinstance(size, int) else size
    two = isinstance(pair, list | tuple) and len(pair) == 2
    if not (two and all(isinstance(n, int) and 0 < n <= MOST_SIDE for n in pair)):
        raise BadInput(
            f"{name}: sample_size must be a whole number from 1 to {MOST_SIDE:,} or two of them; got {size!r}; "
            "fetch the model again."
        )
    return pair[0], pair[1]
