"""Captioners, embedders and separators by name: which code reads which kind of checkpoint, and networks without one.

A kind is a module in `captioners/kinds` that defines `CAPTIONER`, and likewise for embedders and separators. Its
name is the `model_type` of the checkpoints that it reads, or the kind in a model card. Another package can bring one
by an entry point in the group "eidophone.captioners", "eidophone.embedders" or "eidophone.separators", which names a
`NetworkKind` or a factory. Importing this module imports no torch.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from eidophone.core.catalog import Catalog

if TYPE_CHECKING:
    import torch

T = TypeVar("T")
# The contracts `Captioner` and `Embedder` are not named in types here: their packages import this module.


@dataclass(frozen=True)
class NetworkKind(Generic[T]):
    """One kind of captioner, embedder or separator.

    Attributes:
        read: Makes the network from its files, on a device.
        help: One phrase for lists.
        code: The file that makes the network without any checkpoint, found by its registered name; None: it reads
            checkpoints.
    """

    read: "Callable[[Any, torch.device], T]"
    help: str = ""
    code: Path | None = None

    @classmethod
    def made_by(cls, factory: "Callable[[torch.device], T]", help: str = "") -> "NetworkKind[T]":
        """A kind without checkpoints: `factory(device)` makes the network."""
        code = inspect.getsourcefile(inspect.unwrap(factory)) or __file__
        about = help or next(iter((factory.__doc__ or "").strip().splitlines()), "")
        return cls(lambda _, device: factory(device), about, Path(code))


CAPTIONERS: "Catalog[NetworkKind[Any] | Callable[[torch.device], Any]]" = Catalog(
    "captioner", package="eidophone.models.captioners.kinds", attribute="CAPTIONER"
)
EMBEDDERS: "Catalog[NetworkKind[Any] | Callable[[torch.device], Any]]" = Catalog(
    "embedder", package="eidophone.models.embedders.kinds", attribute="EMBEDDER"
)
SEPARATORS: "Catalog[NetworkKind[Any] | Callable[[torch.device], Any]]" = Catalog(
    "separator", package="eidophone.models.separators.kinds", attribute="SEPARATOR"
)
_BY_ROLE: dict[str, Catalog[Any]] = {
    "captioner": CAPTIONERS,
    "embedder": EMBEDDERS,
    "separator": SEPARATORS,
}


def network_kind(catalog: "Catalog[Any]", name: str) -> NetworkKind[Any]:
    """A kind by its name.

    Raises:
        ValueError: there is none.
    """
    found = catalog[name]
    return found if isinstance(found, NetworkKind) else NetworkKind.made_by(found)


def registered_code(name: str, role: str) -> Path | None:
    """The code of a registered network that needs no checkpoint; None if there is none of that name."""
    catalog = _BY_ROLE.get(role)
    if catalog is None or name not in catalog:
        return None
    return network_kind(catalog, name).code


def register_captioner(name: str, factory: "Callable[[torch.device], Any]", help: str = "") -> None:
    """Adds a captioner that `--captioner` finds by its name.

    Args:
        name: On the command line and in recipes.
        factory: Makes the captioner, see `captioners.contract.Captioner`.
        help: One phrase for lists.
    """
    CAPTIONERS.register(name, NetworkKind.made_by(factory, help))


def register_embedder(name: str, factory: "Callable[[torch.device], Any]", help: str = "") -> None:
    """Adds an embedder that `--embedder` and `--judges` find by its name.

    Args:
        name: On the command line and in recipes.
        factory: Makes the embedder, see `embedders.contract.Embedder`.
        help: One phrase for lists.
    """
    EMBEDDERS.register(name, NetworkKind.made_by(factory, help))


def register_separator(name: str, factory: "Callable[[torch.device], Any]", help: str = "") -> None:
    """Adds a separator that `--separator` finds by its name.

    Args:
        name: On the command line and in recipes.
        factory: Makes the separator, see `separators.contract.Separator`.
        help: One phrase for lists.
    """
    SEPARATORS.register(name, NetworkKind.made_by(factory, help))
