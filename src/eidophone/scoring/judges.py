"""Opens judges by name."""

import os
import warnings
from pathlib import Path

import torch

from eidophone.core.errors import BadInput, UnknownModel
from eidophone.models.embedders.contract import Embedder
from eidophone.models.embedders.load import load_embedder
from eidophone.models.registry import Registry
from eidophone.scoring.contract import Scorer
from eidophone.scoring.measures import Measure
from eidophone.scoring.scorers import FORMER_NAMES, SCORERS, scorer_spec
from eidophone.scoring.similarity import MEASURES, Similarity


def open_judges(
    names: str, device: torch.device, *, offline: bool, registry: Registry | None = None
) -> list[Scorer]:
    """The judges of a list such as "clip-b16,clap,tagger", in that order; "none" is an empty list.

    Args:
        names: Registered judges ("tagger", "roundtrip", "signal", ...) or embedders, separated by commas.
        device: Of the embedders.
        offline: Never ask a hub for an embedder.
        registry: Keeps loaded embedders for the next call.

    Raises:
        EidophoneError: one is not known, is not here, or is named twice.
    """
    wanted = judge_names(names)
    labels = shareable_names(wanted)
    return [
        scorer_spec(name).factory()
        if name in SCORERS
        else Similarity(_embedder(name, device, offline, registry), "" if label == name else label)
        for name, label in zip(wanted, labels, strict=True)
    ]


def judge_names(names: str) -> list[str]:
    """The names in a list of judges, with those of earlier versions replaced and a warning for each.

    Raises:
        BadInput: the list is empty or names a judge twice.
    """
    given = [name.strip() for name in names.split(",") if name.strip()]
    if given == ["none"]:
        return []
    for name in given:
        if name in FORMER_NAMES:
            warnings.warn(
                f"--judges: {name} is now {FORMER_NAMES[name]}; the old name goes with the next release.",
                DeprecationWarning,
                stacklevel=3,
            )
    wanted = [FORMER_NAMES.get(name, name) for name in given]
    if not wanted or len(set(wanted)) < len(wanted):
        raise BadInput(f"--judges {names!r}: name each judge once, separated by commas.")
    return wanted


def shareable_names(names: list[str]) -> list[str]:
    """Judges' names for files that are shared: a path is reduced to its last part, numbered if two are alike.

    >>> shareable_names(["tiny", "/home/alice/clap", "/home/bob/clap", "laion/clap"])
    ['tiny', 'clap', 'clap-2', 'laion/clap']
    """
    found: list[str] = []
    for name in names:
        label = Path(name).name if _is_path(name) else name
        number = 1
        while label in found:
            number += 1
            label = f"{Path(name).name}-{number}"
        found.append(label)
    return found


def measure_of(number: str) -> Measure | None:
    """What a number such as "tiny.looks" means; None if its judge does not say."""
    judge, _, what = number.rpartition(".")
    known = scorer_spec(judge).measures if judge in SCORERS else MEASURES
    return known.get(what)


def _is_path(name: str) -> bool:
    separators = {os.sep, os.altsep or os.sep}
    if not any(mark in name for mark in separators):
        return False
    if name.startswith((*separators, ".", "~")) or name.count("/") != 1:
        return True
    try:
        return Path(name).exists()
    except (OSError, ValueError):
        return True


def _embedder(name: str, device: torch.device, offline: bool, registry: Registry | None) -> Embedder:
    try:
        if registry is not None:
            return registry.loader(device, torch.float32, offline).embedder(name)
        return load_embedder(name, device, offline=offline)
    except UnknownModel as error:
        reason = str(error).rstrip(".")
        raise UnknownModel(f"{reason}; or name one of the judges {', '.join(SCORERS.names())}.") from error
