"""Things by name: built in, registered by a program, or brought by an installed package.

Samplers, blends, views, verbs, scorers and the like are found through catalogs, so that adding one is one
file: here, or in another package that names it in an entry point. Imports nothing heavy: a value may be given
as "module:name" and is imported when it is used.
"""

import difflib
import pkgutil
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
from typing import Generic, TypeVar

from eidophone.core.errors import BadInput

T = TypeVar("T")


class Catalog(Generic[T]):
    """Values of one kind, by name.

    Args:
        kind: What they are, in the singular, such as "sampler".
        package: A package of modules that each define one value called `attribute`; the module's name is the
            value's name. None: there is no such package.
        attribute: See `package`.
        plural: Of `kind`, where an "s" does not make it.

    The entry point group is "eidophone.KINDs", such as "eidophone.samplers".

    >>> colours: Catalog[str] = Catalog("colour")
    >>> colours.register("red", "#f00")
    >>> colours["red"], colours.names()
    ('#f00', ('red',))
    """

    def __init__(self, kind: str, package: str | None = None, attribute: str = "", plural: str = "") -> None:
        self.kind = kind
        self._group = f"eidophone.{plural or kind + 's'}"
        self._values: dict[str, T | str] = {}
        self._package, self._attribute = package, attribute
        self._searched = False

    def register(self, name: str, value: T | str) -> None:
        """Adds a value, or replaces the one of that name; a string "module:name" is imported when it is used."""
        self._values[name] = value

    def names(self) -> tuple[str, ...]:
        """All names: built in first, then registered, then those of installed packages."""
        self._search()
        return tuple(self._values)

    def __contains__(self, name: object) -> bool:
        return name in self.names()

    def __getitem__(self, name: str) -> T:
        value = self._values[self.known(name)]
        if isinstance(value, str) and ":" in value:
            module, _, attribute = value.partition(":")
            value = getattr(import_module(module), attribute)
            self._values[name] = value
        found: T = value  # type: ignore[assignment]
        return found

    def known(self, name: str) -> str:
        """The name, if it is in the catalog.

        Raises:
            ValueError: it is not; the message suggests the nearest one.
        """
        if name in self._values or name in self.names():
            return name
        raise ValueError(unknown(self.kind, name, self.names()))

    def _search(self) -> None:
        if self._searched:
            return
        self._searched = True
        if self._package is not None:
            for module in pkgutil.iter_modules(import_module(self._package).__path__):
                self._values.setdefault(module.name, f"{self._package}.{module.name}:{self._attribute}")
        for point in entry_points(group=self._group):
            self._values.setdefault(point.name, point.value)


def unknown(kind: str, name: str, names: tuple[str, ...]) -> str:
    """The sentence about a name that is not known.

    >>> unknown("sampler", "dimm", ("ddim", "plms"))
    "there is no sampler 'dimm'; did you mean 'ddim'? Known are ddim, plms."
    """
    near = difflib.get_close_matches(name, names, 1)
    hint = f"; did you mean {near[0]!r}? Known" if near else "; known"
    return f"there is no {kind} {name!r}{hint} are {', '.join(names)}."


def checked(lookup: Callable[[], T]) -> T:
    """Calls a lookup; an unknown name becomes a `BadInput`."""
    try:
        return lookup()
    except ValueError as error:
        raise BadInput(str(error)) from None
