"""Keeps loaded networks, so that the next call finds them in memory.

Knows nothing of models: a part is anything that holds torch networks, made from files.
"""

import copy
import gc
import threading
import weakref
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from torch import nn

from eidophone.models.device import free_bytes
from eidophone.models.identity import FileId

Part = TypeVar("Part")
_MOST_DEPTH = 3


@dataclass(frozen=True)
class PartKey:
    """What decides a part, besides the contents of its files.

    Attributes:
        part: Such as "unet" or "vocoder".
        paths: Of its files.
        device, dtype: Where and in which number format it runs.
        more: Anything else that decides it.
    """

    part: str
    paths: tuple[str, ...]
    device: torch.device
    dtype: torch.dtype
    more: Hashable = None


@dataclass
class _Kept:
    value: Any
    files: tuple[FileId, ...]
    size: int
    users: list["weakref.ref[Any]"] = field(default_factory=list)

    @property
    def in_use(self) -> bool:
        self.users = [user for user in self.users if user() is not None]
        return bool(self.users)


class PartStore:
    """Parts by the files they came from; the least recently used ones are given back when memory runs short.

    A part is in use while one of the objects lives that it was lent to. Such a part is never given back,
    because that would free nothing.

    Args:
        memory_limit: Bytes that all parts together may take. None: parts are given back only when the
            device has too little free memory for the next one.

    Attributes:
        loads: How often each part was read from its files, by part and name.
    """

    def __init__(self, memory_limit: int | None = None) -> None:
        self.memory_limit = memory_limit
        self.loads: Counter[tuple[str, str]] = Counter()
        self._kept: OrderedDict[PartKey, _Kept] = OrderedDict()
        self._lock = threading.RLock()

    @property
    def used_bytes(self) -> int:
        """Memory that the kept parts take; a part that several keys share counts once."""
        with self._lock:
            return sum({id(kept.value): kept.size for kept in self._kept.values()}.values())

    def get(
        self,
        key: PartKey,
        name: str,
        files: Iterable[FileId],
        load: Callable[[], Part],
        users: Iterable[object],
        same: Callable[[Part, Part], bool] | None = None,
    ) -> Part:
        """The part that these files hold. It is loaded if it is new, or if the files have changed.

        Args:
            key: What decides the part.
            name: Of the model, for `loads`.
            files: Their names, sizes and times; see `models.identity`.
            load: Reads the part.
            users: Objects that the part is lent to, each until it is collected.
            same: Whether two parts are equal. If so, the new one is dropped and the old one returned.
        """
        files = tuple(files)
        with self._lock:
            kept = self._kept.get(key)
            if kept is None or kept.files != files:
                self._kept.pop(key, None)
                kept = self._load(key, name, files, load, same)
                self._kept[key] = kept
            for other in [k for k, v in self._kept.items() if v.value is kept.value]:
                self._kept.move_to_end(other)
            kept.users += [weakref.ref(user) for user in users]
            self._keep_within_limit(but=kept)
            value: Part = kept.value
            return value

    def copy_of(self, key: PartKey, name: str, files: Iterable[FileId], load: Callable[[], Part]) -> Part:
        """A shallow copy of a part: it shares the networks, and the part is in use while it lives."""
        with self._lock:
            lent = copy.copy(self.get(key, name, files, load, ()))
            self._kept[key].users.append(weakref.ref(lent))
            return lent

    def lend(self, user: object, *values: object) -> None:
        """Marks parts that were got before as in use while `user` lives."""
        with self._lock:
            for kept in self._kept.values():
                if any(kept.value is value for value in values):
                    kept.users.append(weakref.ref(user))

    def forget(self, network: object) -> None:
        """Gives back the parts that hold a network. What else holds it keeps it in memory."""
        with self._lock:
            for key in [k for k, v in self._kept.items() if any(n is network for n in networks_in(v.value))]:
                del self._kept[key]

    def clear(self) -> None:
        """Gives all parts back. Those in use stay in memory until their users are gone."""
        with self._lock:
            self._kept.clear()
            _release()

    def _load(
        self,
        key: PartKey,
        name: str,
        files: tuple[FileId, ...],
        load: Callable[[], Part],
        same: Callable[[Part, Part], bool] | None,
    ) -> _Kept:
        self._make_room(sum(file.size for file in files), key, may_be_dropped=same is not None)
        new = load()
        self.loads[key.part, name] += 1
        for other, kept in self._kept.items():
            alike = (other.part, other.device, other.dtype) == (key.part, key.device, key.dtype)
            if same and alike and same(kept.value, new):
                return _Kept(kept.value, files, kept.size, kept.users)
        return _Kept(new, files, size_of(new))

    def _make_room(self, size: int, key: PartKey, *, may_be_dropped: bool) -> None:
        """Gives parts back until there is room for a new one, whose files have `size` bytes."""

        def short() -> bool:
            if self.memory_limit is not None:
                return not may_be_dropped and self.used_bytes + size > self.memory_limit
            # stored in half precision, a network doubles when it is loaded; it also needs room to run
            return free_bytes(key.device) < 3 * size

        while short() and self._give_back(key.device):
            pass

    def _keep_within_limit(self, but: _Kept) -> None:
        limit = self.memory_limit
        while limit is not None and self.used_bytes > limit and self._give_back(None, but):
            pass

    def _give_back(self, device: torch.device | None, but: _Kept | None = None) -> bool:
        """Drops the least recently used part that is not in use; False if there is none."""
        for kept in self._kept.values():
            here = device is None or any(
                k.device.type == device.type for k, v in self._kept.items() if v.value is kept.value
            )
            shared = [k for k, v in self._kept.items() if v.value is kept.value]
            busy = any(self._kept[k].in_use for k in shared)
            if here and not busy and (but is None or kept.value is not but.value):
                for k in shared:
                    del self._kept[k]
                del kept
                _release()
                return True
        return False


def _release() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def size_of(part: object) -> int:
    """Bytes of all weights and buffers in a part."""
    tensors = (t for net in networks_in(part) for t in (*net.parameters(), *net.buffers()))
    stores = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors}
    return sum(stores.values())


def networks_in(part: object, depth: int = 0) -> list[nn.Module]:
    """The networks in an object, its attributes and their items."""
    if isinstance(part, nn.Module):
        return [part]
    if depth > _MOST_DEPTH or isinstance(part, str | bytes | torch.Tensor | type):
        return []
    if isinstance(part, dict):
        inside = list(part.values())
    elif isinstance(part, list | tuple):
        inside = list(part)
    else:
        inside = list(getattr(part, "__dict__", {}).values())
    return [network for item in inside for network in networks_in(item, depth + 1)]
