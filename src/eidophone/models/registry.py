"""Loaded networks that several calls share: of a session, a web server, a batch."""

from collections import Counter
from collections.abc import Hashable

import torch

from eidophone.models.checkpoint import NetworkFiles
from eidophone.models.files import DiffusionFiles
from eidophone.models.load import Loader
from eidophone.models.parts import PartStore


class Registry:
    """Keeps every network once for its files, device and number format. Threads may share it.

    Args:
        memory_limit: Bytes that the weights in memory may take. The least recently used ones that no call is
            using are given back beyond it. None: they are given back when a new one would not fit.
    """

    def __init__(self, memory_limit: int | None = None) -> None:
        self._parts = PartStore(memory_limit)
        self._found: dict[bool, dict[Hashable, DiffusionFiles | NetworkFiles]] = {True: {}, False: {}}

    def loader(
        self, device: torch.device, dtype: torch.dtype, offline: bool = False, quantize: bool = False
    ) -> Loader:
        """A loader for one call; the networks that it takes stay in memory while it or its models live.

        Args:
            device, dtype: Of the networks.
            offline: Never connect to a hub.
            quantize: Keep the weights of large networks in int8.
        """
        return Loader(device, dtype, offline, self._parts, self._found[offline], quantize)

    def forget(self, network: object) -> None:
        """Gives back whatever holds a network; it is read again when it is needed again."""
        self._parts.forget(network)

    @property
    def loads(self) -> "Counter[tuple[str, str]]":
        """How often each network was read from disk, by part and NAME.ROLE: ("unet", "tiny.image")."""
        return self._parts.loads

    @property
    def used_bytes(self) -> int:
        """Bytes of the weights in memory."""
        return self._parts.used_bytes

    @property
    def memory_limit(self) -> int | None:
        """Bytes that the weights in memory may take."""
        return self._parts.memory_limit

    @memory_limit.setter
    def memory_limit(self, limit: int | None) -> None:
        self._parts.memory_limit = limit

    def clear(self) -> None:
        """Gives everything back; what a running call still uses stays until that call ends."""
        self._parts.clear()
        for found in self._found.values():
            found.clear()
