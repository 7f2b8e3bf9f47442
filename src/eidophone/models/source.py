"""From a name to files: card, local folder, single safetensors file, or hub id. Loads nothing."""

import errno
import functools
import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eidophone.errors import BadInput, WeightsAbsent
from eidophone.media.vocoder_files import read_json, vocoder_weights
from eidophone.models.cards import FACTS_FILE, Advice, Card, Role, card, cards, package_folder, quoted

PARTS = ("unet", "vae", "text_encoder", "tokenizer", "scheduler")
_LENT = ("vae", "text_encoder", "tokenizer")
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
# As diffusers, transformers and Auffusion name them; shards and variants in either order.
_WEIGHTS = re.compile(
    r"(?:diffusion_pytorch_model|pytorch_model|model)(?:\.(\w+))?(?:-\d+-of-\d+)?(?:\.(\w+))?"
    r"\.(?:safetensors|bin)|vocoder\.(?:safetensors|pt)"
)
_SETTINGS = (".json", ".txt")
_WHOLE_BYTES, _END_BYTES = 64 << 20, 1 << 20
_SECONDS_TO_ANSWER = 10


@dataclass(frozen=True)
class Source:
    """The files of one model in one role.

    Attributes:
        name: As the user wrote it.
        role: What it is used for.
        path: A folder in diffusers' layout. For a single file: the folder with its settings and tokenizer.
        single: The `.safetensors` file that holds the weights of all parts, if they lie in one.
        lender: Folder that holds the VAE, text encoder and tokenizer, if not `path`.
        revision: What was found: the commit on a hub, "package", or "local".
        licence: Of the weights; empty if unknown.
        advice: From the card, then from the folder's `eidophone.json`.
    """

    name: str
    role: Role
    path: Path
    single: Path | None
    lender: Path | None
    revision: str
    licence: str
    advice: Advice

    def part(self, name: str) -> Path:
        """The folder of one of `PARTS`."""
        return (self.lender or self.path if name in _LENT else self.path) / name

    @property
    def vocoder(self) -> Path | None:
        """The folder of a trained vocoder, if the model brings one."""
        folder = self.path / "vocoder"
        return folder if vocoder_weights(folder) else None

    @property
    def plays(self) -> bool:
        """Whether the files themselves say that this is an audio model."""
        return self.vocoder is not None or self.advice.mel_spec is not None

    @functools.cached_property
    def weights(self) -> str:
        """16 hexadecimal digits that change when a file changes that decides what the model computes.

        Taken from names, sizes and contents of the weights and settings of all parts, lent ones too; of
        files over 64 MB from the first and last MiB only.
        """
        digest = hashlib.sha256()
        for name, path in self._files():
            size = path.stat().st_size
            digest.update(f"{name}\0{size}\0".encode())
            with path.open("rb") as file:
                if size <= _WHOLE_BYTES:
                    digest.update(hashlib.file_digest(file, "sha256").digest())
                else:
                    digest.update(file.read(_END_BYTES))
                    file.seek(-_END_BYTES, os.SEEK_END)
                    digest.update(file.read(_END_BYTES))
        return digest.hexdigest()[:16]

    def _files(self) -> Iterator[tuple[str, Path]]:
        """The files that a loading reads, by their names in the model, in order of name."""
        folders = {part: self.part(part) for part in PARTS} | {"vocoder": self.path / "vocoder"}
        found = {
            f"{part}/{path.name}": path
            for part, folder in folders.items()
            if folder.is_dir()
            for path in folder.iterdir()
        }
        yield from ((name, found[name]) for name in wanted_files(found))
        if self.single:
            yield self.single.name, self.single

    def describe(self) -> dict[str, Any]:
        """For the record."""
        return {
            "name": self.name,
            "role": self.role,
            "revision": self.revision,
            "licence": self.licence,
            "weights": self.weights,
        }


def find(name: str, role: Role, *, offline: bool = False) -> Source:
    """Finds a model's files; asks a hub for what is not here unless `offline`.

    Raises:
        UnknownModel: no card, folder or hub id of that name.
        WeightsAbsent: known, but not here and not to be had now.
        BadInput: a folder or file of another layout, or one that cannot be read.
    """
    if (name, role) in cards():
        return _from_card(card(name, role), offline)
    try:
        path = Path(name).expanduser()
        if path.exists():
            return _from_path(name, role, path.resolve())
    except (OSError, RuntimeError) as error:  # too long, not permitted, a home that is nobody's
        why = getattr(error, "strerror", None) or str(error).rstrip(".")
        raise BadInput(
            f"{quoted(name)}: cannot be read as a path ({why}); give a card, a folder, "
            "a .safetensors file or a hub id."
        ) from error
    if _HUB_ID.fullmatch(name) and path.suffix != ".safetensors":
        given = Card(name, role, about="", licence="", more="", hub=(name,))
        return _from_hub(given, offline)
    if os.sep in name or path.suffix:
        raise BadInput(f"{quoted(name)}: there is no such model folder or file; check the path.")
    card(name, role)
    raise AssertionError("card() refuses unknown names")


def _from_card(given: Card, offline: bool) -> Source:
    if given.package is None:
        return _from_hub(given, offline)
    folder = package_folder(given.package)
    if not (folder / "model_index.json").exists():
        raise WeightsAbsent(
            f"The {given.role} model {given.name!r} is missing from this installation ({given.package}); "
            "reinstall the package, or make it with `python -m recipes.train`."
        )
    lender = cards()[given.name, given.borrows].package if given.borrows else None
    advice = _advice_of(folder).over(given.advice)
    borrowed = package_folder(lender) if lender else None
    return Source(given.name, given.role, folder, None, borrowed, "package", given.licence, advice)


def _from_path(name: str, role: Role, path: Path) -> Source:
    if path.is_file():
        if path.suffix != ".safetensors":
            raise BadInput(
                f"{quoted(name)}: a single-file model must be .safetensors (others can run code); convert it."
            )
        return Source(name, role, _layout_of(path), path, None, "local", "", Advice())
    if not (path / "unet").is_dir():
        raise BadInput(f"{quoted(name)}: not a model folder in diffusers' layout, there is no unet/ in it.")
    advice = _advice_of(path)
    lender = path.parent / "image" if not (path / "vae").is_dir() else None
    return Source(name, role, path, None, lender, "local", "", advice)


def _layout_of(single: Path) -> Path:
    """The folder of settings for a single file: one of the same name beside it, else Stable Diffusion 1.x."""
    beside = single.with_suffix("")
    return beside if (beside / "unet" / "config.json").exists() else package_folder("layouts/sd15")


def _advice_of(folder: Path) -> Advice:
    path = folder / FACTS_FILE
    return Advice.from_dict(read_json(path), str(path)) if path.exists() else Advice()


# --- which files a loading reads -----------------------------------------------------------------


def variant_of(name: str) -> str | None:
    """The variant that a file of weights is named after, "" for plain ones; None if it holds no weights.

    >>> [variant_of(f"model{end}") for end in (".bin", ".fp16.bin", ".fp16-00001-of-00002.bin", ".onnx")]
    ['', 'fp16', 'fp16', None]
    """
    match = _WEIGHTS.fullmatch(name)
    return None if match is None else match[1] or match[2] or ""


def chosen_weights(names: Iterable[str]) -> list[str]:
    """Of the files in one folder, the weights to load: safetensors before pickles, plain before variants.

    >>> chosen_weights(["model.bin", "model.safetensors", "model.fp16.safetensors", "openvino_model.bin"])
    ['model.safetensors']
    """
    variants = {name: variant for name in sorted(names) if (variant := variant_of(name)) is not None}
    safe = [name for name in variants if name.endswith(".safetensors")] or list(variants)
    if not safe:
        return []
    best = min((variants[name] for name in safe), key=lambda v: (v != "", v == "non_ema", v))
    return [name for name in safe if variants[name] == best]


def wanted_files(listed: Iterable[str]) -> list[str]:
    """Of all files in a model's folder, those that one loading reads: no second copy of any weights.

    >>> wanted_files(["unet/model.bin", "unet/model.safetensors", "x.ckpt", "unet/config.json"])
    ['unet/config.json', 'unet/model.safetensors']
    """
    kept: list[str] = []
    by_part: dict[str, list[str]] = {}
    for name in listed:
        part, _, rest = name.rpartition("/")
        if name in ("model_index.json", FACTS_FILE):
            kept.append(name)
        elif part in (*PARTS, "vocoder"):
            by_part.setdefault(part, []).append(rest)
    for part, names in by_part.items():
        settings = [name for name in names if name.endswith(_SETTINGS)]
        kept += [f"{part}/{name}" for name in (*settings, *chosen_weights(names))]
    return sorted(kept)


# --- hub -----------------------------------------------------------------------------------------


def _from_hub(given: Card, offline: bool) -> Source:
    failures = []
    for repo in given.hub:
        try:
            folder = Path(_snapshot(repo, given.revision, offline))
        except Exception as error:  # as in `_snapshot`
            failures.append(f"{repo}: {_short(error)}")
            continue
        advice = given.advice.over(_advice_of(folder))
        return Source(given.name, given.role, folder, None, None, folder.name, given.licence, advice)
    pull = f"`eidophone models pull {given.name}`" if given.more else "the same command"
    raise WeightsAbsent(
        f"The weights of {quoted(given.name)} are not here and could not be fetched ({'; '.join(failures)}); "
        f"run {pull} where there is a network, or give a local folder instead of the name."
    )


def _snapshot(repo: str, revision: str, offline: bool) -> str:
    """The folder of a repository: what the hub has now, else what was fetched before."""
    from huggingface_hub import constants

    if offline or constants.HF_HUB_OFFLINE:
        return _cached(repo, revision)
    try:
        return _fetched(repo, revision)
    except Exception as error:  # the hub's client raises many kinds; each means: not from there
        try:
            return _cached(repo, revision)
        except FileNotFoundError:
            raise error from None


def _fetched(repo: str, revision: str) -> str:
    from huggingface_hub import HfApi, snapshot_download

    info = HfApi().model_info(repo, revision=revision, timeout=_SECONDS_TO_ANSWER)
    files = wanted_files(f.rfilename for f in info.siblings or ())
    # by the name of the revision, not its commit, so that the cache knows it without a network
    return snapshot_download(repo, revision=revision, allow_patterns=files)


def _cached(repo: str, revision: str) -> str:
    """A folder fetched before.

    Raises:
        FileNotFoundError: there is none, or the fetching was broken off.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        found = Path(snapshot_download(repo, revision=revision, local_files_only=True))
    except LocalEntryNotFoundError as error:
        # the client counts every file of the repository; only those that a loading reads were fetched
        if (partial := getattr(error, "snapshot_path", None)) is None:
            raise
        found = Path(partial)
    if not _whole(found):
        raise FileNotFoundError(f"{found}: broken off")
    return str(found)


def _whole(folder: Path) -> bool:
    """Whether every part of a model is there; a vocoder too, once there are settings of one."""
    needed = [part for part in ("unet", "vae", "text_encoder", "vocoder") if (folder / part).is_dir()]
    return all((folder / part).is_dir() for part in PARTS) and all(
        chosen_weights(p.name for p in (folder / part).iterdir()) for part in needed
    )


def _short(error: Exception) -> str:
    name = type(error).__name__
    reasons = {
        "LocalEntryNotFoundError": "not downloaded yet, and the network may not be asked",
        "FileNotFoundError": "only a part was downloaded",
        "RepositoryNotFoundError": "no such repository, or it asks for a login",
        "RevisionNotFoundError": "no such revision",
        "GatedRepoError": "its licence must be accepted on its page first",
        "HFValidationError": "not a name of a repository",
    }
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full"
    if isinstance(error, PermissionError):
        return "the folder of downloads may not be written"
    return reasons.get(name, f"the hub cannot be reached ({name})")
