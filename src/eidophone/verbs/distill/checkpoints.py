"""Unfinished samples on disk: a run that was interrupted continues with the same numbers."""

import contextlib
import shutil
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from eidophone.core.errors import BadInput, CannotWrite
from eidophone.core.recipe import Recipe
from eidophone.core.values import Picture
from eidophone.media.files import write_atomically
from eidophone.media.picture import write_png
from eidophone.models.device import out_of_memory
from eidophone.results.recipe import RECORD_FILE
from eidophone.results.store import sample_name

_FILE, _PREVIEW = "checkpoint.pt", "preview.png"


@dataclass(frozen=True)
class Checkpoints:
    """The unfinished samples of a run, beside the finished ones.

    Attributes:
        root: The output folder; it has a folder `NAME-unfinished` for each unfinished sample.
        resume: Continue unfinished samples.
    """

    root: Path
    resume: bool = False

    def folder(self, index: int) -> Path:
        """The folder of an unfinished sample."""
        return self.root / f"{sample_name(index)}-unfinished"

    def finished(self, index: int) -> bool:
        """Whether a sample is already finished and can be skipped."""
        return self.resume and (self.root / sample_name(index) / RECORD_FILE).is_file()

    def read(self, index: int, recipe: Recipe) -> dict[str, Any] | None:
        """The state that `write` stored, if there is one.

        Raises:
            CannotWrite: there is one, but `resume` is off.
            BadInput: it belongs to another recipe, or cannot be read.
        """
        path = self.folder(index) / _FILE
        if not path.is_file():
            return None
        if not self.resume:
            raise CannotWrite(
                f"{self.root} holds an unfinished sample {sample_name(index)}; add --resume, or choose another --out."
            )
        with _damage(path):
            found = _loaded(path)
            begun, state = str(found["recipe"]), dict(found["state"])
        if begun != recipe.text():
            raise BadInput(
                f"{path}: this sample was started with other settings, models or versions; use those, or "
                "choose another --out."
            )
        return state

    def take_up(self, index: int, recipe: Recipe, continue_from: Callable[[dict[str, Any]], None]) -> None:
        """Continues an unfinished sample, if there is one.

        Raises:
            CannotWrite, BadInput: as `read`.
        """
        state = self.read(index, recipe)
        if state is not None:
            with _damage(self.folder(index) / _FILE):
                continue_from(state)

    def write(self, index: int, recipe: Recipe, state: dict[str, Any]) -> None:
        """Stores a state: tensors, numbers and texts in dictionaries and lists.

        Raises:
            CannotWrite: the disk is full, or the folder is not writable.
        """
        kept = {"recipe": recipe.text(), "state": state}
        write_atomically(self.folder(index) / _FILE, lambda draft: torch.save(kept, draft))

    def preview(self, index: int, picture: Picture) -> None:
        """Stores a preview of an unfinished sample.

        Raises:
            CannotWrite: as `write`.
        """
        write_png(self.folder(index) / _PREVIEW, picture)

    def drop(self, index: int) -> None:
        """Deletes the checkpoint of a sample that is finished and stored."""
        shutil.rmtree(self.folder(index), ignore_errors=True)


@contextlib.contextmanager
def _damage(path: Path) -> Iterator[None]:
    """Turns whatever a damaged checkpoint does to PyTorch into a sentence."""
    try:
        yield
    except Exception as error:
        if out_of_memory(error):
            raise
        raise BadInput(
            f"{path}: is damaged; delete the folder {path.parent.name} to begin this sample again."
        ) from error


def _loaded(path: Path) -> Any:
    """The content of a checkpoint, once its checksums are right: PyTorch does not compare them.

    Raises:
        BadZipFile: one is wrong.
    """
    with zipfile.ZipFile(path) as packed:
        if wrong := packed.testzip():
            raise zipfile.BadZipFile(f"{wrong} has another checksum")
    return torch.load(path, map_location="cpu", weights_only=True)
