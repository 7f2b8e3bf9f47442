"""Loaded networks, kept for the next call."""

from typing import Any

import torch

from eidophone.models.load import Loader


class Registry:
    """Keeps one loader for each device and number format."""

    def __init__(self, memory_limit: int | None = None) -> None:
        self.memory_limit = memory_limit
        self._loaders: dict[Any, Loader] = {}

    def loader(self, device: torch.device, dtype: torch.dtype, offline: bool = False) -> Loader:
        """The loader for a device and a number format."""
        return self._loaders.setdefault((device, dtype, offline), Loader(device, dtype, offline))

    def clear(self) -> None:
        """Gives everything back."""
        self._loaders.clear()
