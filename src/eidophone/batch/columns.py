"""Columns of a job file: which option each one sets, and what its cells may hold. New options need nothing here."""

import types
import typing
from pathlib import Path
from typing import Any

from eidophone.options.kinds import Options


def option_of(column: str) -> str:
    """The option that a column names.

    >>> option_of("image-prompt"), option_of("--from"), option_of("Steps")
    ('image_prompt', 'from_', 'steps')
    """
    name = column.strip().lstrip("-").lower().replace("-", "_").replace(" ", "_")
    return "from_" if name == "from" else name


def files_of(kind: type[Options]) -> tuple[str, ...]:
    """The options that name an input file."""
    return tuple(name for name, field in kind.model_fields.items() if Path in _choices(field.annotation))


def swept_values(kind: type[Options], name: str, value: Any) -> list[Any] | None:
    """The values that a cell gives in turn; None if it gives one.

    A list gives one value after another. An option that takes a list itself, such as one whose flag may be
    repeated, gives its lists in turn where the cell holds lists.
    """
    if not isinstance(value, list):
        return None
    if takes_list(kind, name) and not (value and all(isinstance(one, list) for one in value)):
        return None
    return value


def cell_value(kind: type[Options], name: str, value: Any) -> Any:
    """What an option gets: a single value of an option that takes a list becomes a list of one."""
    return [value] if takes_list(kind, name) and not isinstance(value, list) else value


def takes_list(kind: type[Options], name: str) -> bool:
    """Whether an option holds several values at once."""
    field = kind.model_fields.get(name)
    return field is not None and any(
        typing.get_origin(choice) in (tuple, list) for choice in _choices(field.annotation)
    )


def _choices(annotation: Any) -> tuple[Any, ...]:
    """The types of a union, or the one type."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return typing.get_args(annotation)
    return (annotation,)
