"""From what the user wrote to a card or a path. Looks, does not load."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eidophone.errors import BadInput
from eidophone.models.cards import Card, Role, card, cards, quoted

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
_SINGLE_FILES = (".safetensors", ".pt", ".pth")


@contextmanager
def readable(name: str) -> Iterator[None]:
    """Turns what a system says against a path into a sentence.

    Raises:
        BadInput: it is too long, not permitted, or in a home that is nobody's.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:
        why = getattr(error, "strerror", None) or str(error).rstrip(".")
        raise BadInput(
            f"{quoted(name)}: cannot be read as a path ({why}); give a card, a folder, a file or a hub id."
        ) from error


def resolved(name: str, role: Role) -> Card | Path:
    """The card of a name in a role, else the path of that name, else a card made of a hub id.

    Raises:
        UnknownModel: no card, folder or hub id of that name.
        BadInput: a path that is not there or cannot be read.
    """
    if (name, role) in cards():
        return card(name, role)
    with readable(name):
        path = Path(name).expanduser()
        if path.exists():
            return path.resolve()
    if _HUB_ID.fullmatch(name) and path.suffix not in _SINGLE_FILES:
        return Card(name, role, about="", licence="", more="", hub=(name,))
    if os.sep in name or path.suffix:
        raise BadInput(f"{quoted(name)}: there is no such model folder or file; check the path.")
    return card(name, role)
