"""Judges by name."""

from collections.abc import Callable

import torch

from eidophone.errors import BadInput, UnknownModel
from eidophone.models.embedders.contract import Embedder
from eidophone.models.embedders.load import load_embedder
from eidophone.models.tagger import load_tagger
from eidophone.scoring.canvas import OneCanvas
from eidophone.scoring.cleanness import Cleanness
from eidophone.scoring.contract import Scorer
from eidophone.scoring.rehearing import Rehearing
from eidophone.scoring.similarity import Similarity
from eidophone.scoring.tagging import Tagging

#: Judges that are no embedders.
OWN: dict[str, Callable[[], Scorer]] = {
    "tagger": lambda: Tagging(load_tagger()),
    "rehearing": Rehearing,
    "clean": Cleanness,
    "canvas": lambda: OneCanvas(load_embedder("tiny", torch.device("cpu")), load_tagger()),
}


def open_judges(names: str, device: torch.device, *, offline: bool) -> list[Scorer]:
    """The judges of a list such as "clip-b16,clap,tagger", in that order; "none" is an empty list.

    Args:
        names: "tagger", "rehearing", "clean", "canvas", or names of embedders, with commas between.
        device: Of the embedders.
        offline: Never ask a hub for one.

    Raises:
        EidophoneError: one is not known, is not here, or is named twice.
    """
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    if wanted == ["none"]:
        return []
    if not wanted or len(set(wanted)) < len(wanted):
        raise BadInput(f"--judges {names!r}: name each judge once, with commas between them.")
    return [OWN[n]() if n in OWN else Similarity(_embedder(n, device, offline)) for n in wanted]


def _embedder(name: str, device: torch.device, offline: bool) -> Embedder:
    try:
        return load_embedder(name, device, offline=offline)
    except UnknownModel as error:
        raise UnknownModel(f"{str(error).rstrip('.')}; judges are {', '.join(OWN)}, too.") from error
