"""Which files of a model a loading reads, in diffusers' layout and in transformers', and their digest."""

import hashlib
import os
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from eidophone.models.cards import FACTS_FILE, Role
from eidophone.models.identity import FileId, file_id

#: The file that says which pipeline a folder in diffusers' layout belongs to.
INDEX_FILE = "model_index.json"
#: Folders of a model over latents, and of stages I and II of a model over pixels: stage II hears the text
#: encoder of stage I.
PARTS = ("unet", "transformer", "vae", "text_encoder", "tokenizer", "scheduler")
#: Folders of the denoising network; a model has one of them.
DENOISERS = ("unet", "transformer")
_STAGE_1 = ("unet", "text_encoder", "tokenizer", "scheduler")
_STAGE_2 = ("unet", "scheduler", "image_noising_scheduler")
# As diffusers, transformers and Auffusion name them; shards and variants in either order.
_WEIGHTS = re.compile(
    r"(?:diffusion_pytorch_model|pytorch_model|model)(?:\.(\w+))?(?:-\d+-of-\d+)?(?:\.(\w+))?"
    r"\.(?:safetensors|bin)|vocoder\.(?:safetensors|pt)"
)
_SETTINGS = (".json", ".txt", "spiece.model")
_WHOLE_BYTES, _END_BYTES = 64 << 20, 1 << 20
_TICK_NS = 2_000_000_000


@dataclass(frozen=True)
class Layout:
    """How a repository of weights is laid out.

    Attributes:
        wanted: Of all files in it, those that one loading reads.
        whole: Whether a folder holds all that a loading needs.
    """

    wanted: Callable[[Iterable[str]], list[str]]
    whole: Callable[[Path], bool]


def variant_of(name: str) -> str | None:
    """The variant that a file of weights is named after, "" for plain ones; None if it holds no weights.

    >>> [variant_of(f"model{end}") for end in (".bin", ".fp16.bin", ".fp16-00001-of-00002.bin", ".onnx")]
    ['', 'fp16', 'fp16', None]
    """
    match = _WEIGHTS.fullmatch(name)
    return None if match is None else match[1] or match[2] or ""


def chosen_weights(names: Iterable[str], *, half: bool = False) -> list[str]:
    """Of the files in one folder, the weights to load: safetensors before pickles, plain before variants.

    Args:
        names: Of the files.
        half: Half precision before plain.

    >>> chosen_weights(["model.bin", "model.safetensors", "model.fp16.safetensors", "openvino_model.bin"])
    ['model.safetensors']
    """
    variants = {name: variant for name in sorted(names) if (variant := variant_of(name)) is not None}
    safe = [name for name in variants if name.endswith(".safetensors")] or list(variants)
    if not safe:
        return []
    best = min(
        (variants[name] for name in safe), key=lambda v: (half and v != "fp16", v != "", v == "non_ema", v)
    )
    return [name for name in safe if variants[name] == best]


def wanted_files(
    listed: Iterable[str], parts: Sequence[str] = (*PARTS, "vocoder"), *, half: bool = False
) -> list[str]:
    """Of all files in a model's folder, those that one loading reads: no second copy of any weights.

    Args:
        listed: All files.
        parts: The folders that are read.
        half: Half precision before plain.

    >>> wanted_files(["unet/model.bin", "unet/model.safetensors", "x.ckpt", "unet/config.json"])
    ['unet/config.json', 'unet/model.safetensors']
    """
    kept: list[str] = []
    by_part: dict[str, list[str]] = {}
    for name in listed:
        part, _, rest = name.rpartition("/")
        if name in (INDEX_FILE, FACTS_FILE):
            kept.append(name)
        elif part in parts:
            by_part.setdefault(part, []).append(rest)
    for part, names in by_part.items():
        kept += [f"{part}/{name}" for name in _in_one_folder(names, half)]
    return sorted(kept)


def wanted_beside(listed: Iterable[str]) -> list[str]:
    """The same for a single network with its settings beside it, as transformers stores one.

    >>> wanted_beside(["config.json", "pytorch_model.bin", "model.safetensors", "onnx/model.onnx", "a.md"])
    ['config.json', 'model.safetensors']
    """
    return sorted(_in_one_folder([name for name in listed if "/" not in name]))


def _in_one_folder(names: list[str], half: bool = False) -> list[str]:
    return [*(name for name in names if name.endswith(_SETTINGS)), *chosen_weights(names, half=half)]


def _whole_pipeline(folder: Path, parts: Sequence[str] = PARTS) -> bool:
    """Whether every part of a model is there; a vocoder too, once there are settings of one."""
    heavy = (*DENOISERS, "vae", "text_encoder", "vocoder")
    needed = [part for part in (*parts, "vocoder") if part in heavy and (folder / part).is_dir()]
    here = any((folder / part).is_dir() for part in DENOISERS)
    return (
        here
        and all((folder / part).is_dir() for part in parts if part not in DENOISERS)
        and all(chosen_weights(p.name for p in (folder / part).iterdir()) for part in needed)
    )


def _whole_network(folder: Path) -> bool:
    names = {path.name for path in folder.iterdir()}
    return "config.json" in names and bool(chosen_weights(names))


def _stage(parts: Sequence[str]) -> Layout:
    """Of a cascade over pixels; in half precision, because its T5 alone has 19 GB of plain weights."""
    return Layout(partial(wanted_files, parts=parts, half=True), partial(_whole_pipeline, parts=parts))


PIPELINES: dict[Role, Layout] = {
    "image": Layout(wanted_files, _whole_pipeline),
    "audio": Layout(wanted_files, _whole_pipeline),
    "pixel": _stage(_STAGE_1),
    "upscaler": _stage(_STAGE_2),
}
NETWORK = Layout(wanted_beside, _whole_network)


def digest_of(files: Iterable[tuple[str, Path]]) -> str:
    """16 hexadecimal digits that change when one of these files, given with their names, changes.

    They depend on names, sizes and contents; of files over 64 MB only the first and last MiB are read. Files
    that have not changed since they were read last are not read again.

    Raises:
        BadInput: one is missing, cannot be read, or is no plain file.
    """
    found = tuple((name, file_id(path)) for name, path in files)
    newest = max((facts.changed_ns for _, facts in found), default=0)
    # a file may change twice within one tick of its clock
    settled = time.time_ns() - newest > _TICK_NS
    return _kept_digest(found) if settled else _digest(found)


@lru_cache(maxsize=256)
def _kept_digest(files: tuple[tuple[str, FileId], ...]) -> str:
    return _digest(files)


def _digest(files: tuple[tuple[str, FileId], ...]) -> str:
    digest = hashlib.sha256()
    for name, file_facts in files:
        path, size = Path(file_facts.path), file_facts.size
        digest.update(f"{name}\0{size}\0".encode())
        with path.open("rb") as file:
            if size <= _WHOLE_BYTES:
                digest.update(hashlib.file_digest(file, "sha256").digest())
            else:
                digest.update(file.read(_END_BYTES))
                file.seek(-_END_BYTES, os.SEEK_END)
                digest.update(file.read(_END_BYTES))
    return digest.hexdigest()[:16]


class ModelFiles(ABC):
    """What the files of every kind of model have in common.

    Attributes:
        name: As the user wrote it.
        role: What it is used for.
        revision: The commit on a hub, "package", or "local".
        licence: Of the weights; empty if unknown.
    """

    name: str
    role: Role
    revision: str
    licence: str

    @abstractmethod
    def files(self) -> Iterator[tuple[str, Path]]:
        """The files that a loading reads, by their names in the model, in order of name."""

    @property
    def weights(self) -> str:
        """The digest of the files that decide what the model computes."""
        return digest_of(self.files())

    @property
    def shared_name(self) -> str:
        """A name that says nothing of this machine: a card's, a hub id, or the bare name of a folder or file."""
        return Path(self.name).expanduser().resolve().name if self.revision == "local" else self.name

    def describe(self) -> dict[str, Any]:
        """What a recipe says of the model: names and digests, never a path of this machine."""
        return {
            "name": self.shared_name,
            "role": self.role,
            "revision": self.revision,
            "licence": self.licence,
            "weights": self.weights,
        }
