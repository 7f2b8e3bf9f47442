"""A long sample on its way: kept on disk, so that it goes on after any interruption with the same numbers."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from eidophone.core.errors import BadInput, CannotWrite
from eidophone.core.recipe import Recipe
from eidophone.core.values import Picture
from eidophone.media.files import write_atomically
from eidophone.media.picture import write_png
from eidophone.models.components import checked
from eidophone.results.recipe import RECORD_FILE
from eidophone.results.store import sample_name

_FILE, _PREVIEW = "checkpoint.pt", "preview.png"


@dataclass(frozen=True)
class Checkpoints:
    """Where the unfinished samples of a run are kept, beside the finished ones.

    Attributes:
        root: The output folder; each unfinished sample has a folder `NAME-unfinished` in it.
        resume: Go on from what is there.
    """

    root: Path
    resume: bool = False

    def folder(self, index: int) -> Path:
        """Where a sample is kept until it is finished."""
        return self.root / f"{sample_name(index)}-unfinished"

    def finished(self, index: int) -> bool:
        """Whether a sample need not be made any more."""
        return self.resume and (self.root / sample_name(index) / RECORD_FILE).is_file()

    def read(self, index: int, recipe: Recipe) -> dict[str, Any] | None:
        """What `write` wrote, if anything.

        Raises:
            CannotWrite: somebody began this sample, and nobody said to go on.
            BadInput: it was begun by another recipe, or cannot be read.
        """
        path = self.folder(index) / _FILE
        if not path.is_file():
            return None
        if not self.resume:
            raise CannotWrite(
                f"{self.root} holds an unfinished sample {sample_name(index)}; add --resume, or choose another --out."
            )
        found = checked(path, lambda: torch.load(path, map_location="cpu", weights_only=True))
        if found["recipe"] != recipe.text():
            raise BadInput(
                f"{path}: was begun with other settings, models or versions; give the same, "
                "or choose another --out."
            )
        state: dict[str, Any] = found["state"]
        return state

    def write(self, index: int, recipe: Recipe, state: dict[str, Any]) -> None:
        """Keeps a state: tensors, numbers and texts in dictionaries and lists.

        Raises:
            CannotWrite: the disk is full, or the folder may not be written.
        """
        kept = {"recipe": recipe.text(), "state": state}
        write_atomically(self.folder(index) / _FILE, lambda draft: torch.save(kept, draft))

    def preview(self, index: int, picture: Picture) -> None:
        """Shows how far a sample is.

        Raises:
            CannotWrite: as `write`.
        """
        write_png(self.folder(index) / _PREVIEW, picture)

    def drop(self, index: int) -> None:
        """Forgets a sample that is finished and stored."""
        shutil.rmtree(self.folder(index), ignore_errors=True)
