"""Progress: a function that is told how far something is."""

from collections.abc import Callable

#: Called as (what is being done, steps done, steps in all).
Progress = Callable[[str, int, int], None]


def silent(_what: str, _done: int, _total: int) -> None:
    """Progress that nobody watches."""
