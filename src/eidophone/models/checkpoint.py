"""The files of a single network that listens or compares: embedder, captioner, tagger. Loads nothing."""

import os
from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path

from eidophone.core.errors import BadInput, WeightsAbsent
from eidophone.media.vocoder_files import read_json
from eidophone.models.cards import (
    Card,
    Role,
    existing,
    known,
    package_folder,
    quoted,
    readable,
    resolved,
    shipped,
)
from eidophone.models.hub import fetched
from eidophone.models.identity import file_ids
from eidophone.models.kinds import registered_code
from eidophone.models.weights import NETWORK, ModelFiles, wanted_beside

#: The kind that a bare file of weights has in a role: no other kind is published as one.
_KIND_OF_FILE: dict[Role, str] = {
    "embedder": "audioclip",
    "captioner": "act",
    "separator": "conv_tasnet",
    "preview": "taesd",
}


@dataclass(frozen=True)
class NetworkFiles(ModelFiles):
    """The files of one network in one role.

    Attributes:
        kind: Which code reads it: that of the card, else what `config.json` calls its `model_type`.
        path: A folder with `config.json` and weights in transformers' layout, or a file of weights.
    """

    name: str
    role: Role
    kind: str
    path: Path
    revision: str
    licence: str

    def files(self) -> Iterator[tuple[str, Path]]:
        """Weights and settings."""
        if self.path.is_file():
            yield self.path.name, self.path
        else:
            names = wanted_beside(path.name for path in self.path.iterdir())
            yield from ((name, self.path / name) for name in names)


def find_network(name: str, role: Role, *, offline: bool = False) -> NetworkFiles:
    """Finds a network's files; asks a hub for what is not here unless `offline`.

    Raises:
        UnknownModel: no card, folder, file or hub id of that name.
        WeightsAbsent: known, but not here and not to be had now; the message says where it is published.
        BadInput: a folder or file of another layout, or one that cannot be read.
    """
    code = registered_code(name, role)
    if code is not None:
        return NetworkFiles(name, role, name, code, "registered", "")
    with readable(name):
        files = _find(name, role, offline)
        file_ids(path for _, path in files.files())  # plain files only: a pipe would block for ever
    return files


def _find(name: str, role: Role, offline: bool) -> NetworkFiles:
    found = resolved(name, role)
    if isinstance(found, Path):
        return NetworkFiles(name, role, _kind_of(found, role), found, "local", "")
    if found.file:
        path, revision = _kept_file(found, found.file), "local"
    elif found.folder:
        path, revision = existing(found, found.folder), "local"
    elif found.package:
        what = f"The {found.role} {found.name!r}"
        path, revision = shipped(what, package_folder(found.package), "config.json"), "package"
    else:
        path = fetched(found, NETWORK, offline=offline)
        revision = path.name
    return NetworkFiles(name, role, found.kind or _kind_of(path, role), path, revision, found.licence)


def reader_of(found: NetworkFiles, kinds: Container[str]) -> str:
    """The kind of these files, if it is one of those that are known.

    Raises:
        BadInput: it is not.
    """
    if found.kind not in kinds:
        raise BadInput(
            f"{quoted(found.name)}: holds {found.kind!r}, which is not a known kind of {found.role}; "
            f"known models are {', '.join(known(found.role))}."
        )
    return found.kind


def file_places(name: str) -> list[Path]:
    """Where a file of weights that no hub has is looked for: the current folder, then the user's cache."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    return [Path.cwd() / name, home / "eidophone" / name]


def _kept_file(given: Card, name: str) -> Path:
    here = next((place for place in file_places(name) if place.is_file()), None)
    if here is None:
        raise WeightsAbsent(
            f"The weights of {quoted(given.name)} are not here; fetch {name} from {given.more} and put it "
            f"under that name into {file_places(name)[1].parent}, or give its path instead of the name."
        )
    return here


def _kind_of(path: Path, role: Role) -> str:
    if path.is_file():
        if role not in _KIND_OF_FILE:
            raise BadInput(f"{path}: the {role} must be a folder with config.json and weights.")
        return _KIND_OF_FILE[role]
    if role == "preview":
        return _KIND_OF_FILE[role]
    settings = path / "config.json"
    facts = read_json(settings) if settings.is_file() else None
    kind = facts.get("model_type") if isinstance(facts, dict) else None
    if not isinstance(kind, str):
        raise BadInput(
            f"{path}: not a model folder in transformers' layout, config.json names no model_type."
        )
    return kind
