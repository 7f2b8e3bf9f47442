"""Settings from a file, read as attributes."""

from typing import Any


class Settings(dict[str, Any]):
    """Settings that can be read as attributes, as those of diffusers can.

    >>> Settings({"in_channels": 4}).in_channels
    4
    """

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None
