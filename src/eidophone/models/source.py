"""From a name to files: card, local folder, single safetensors file, or hub id. Loads nothing."""

import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eidophone.errors import BadInput, WeightsAbsent
from eidophone.media.vocoder_files import vocoder_weights
from eidophone.models.cards import FACTS_FILE, Advice, Card, Role, card, cards, package_folder

PARTS = ("unet", "vae", "text_encoder", "tokenizer", "scheduler")
_LENT = ("vae", "text_encoder", "tokenizer")
_HUB_ID = re.compile(r"^[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*$")
_WEIGHTS = (".safetensors", ".bin", ".pt")


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

    def describe(self) -> dict[str, Any]:
        """For the record."""
        return {"name": self.name, "role": self.role, "revision": self.revision, "licence": self.licence}


def find(name: str, role: Role, *, offline: bool = False) -> Source:
    """Finds a model's files; asks a hub for what is not here unless `offline`.

    Raises:
        UnknownModel: no card, folder or hub id of that name.
        WeightsAbsent: known, but not here and not to be had now.
        BadInput: a folder or file of another layout.
    """
    if (name, role) in cards():
        return _from_card(card(name, role), offline)
    path = Path(name).expanduser()
    if path.exists():
        return _from_path(name, role, path.resolve())
    if _HUB_ID.match(name) and path.suffix != ".safetensors":
        given = Card(name, role, about="", licence="", more="", hub=(name,))
        return _from_hub(given, offline)
    if os.sep in name or path.suffix:
        raise BadInput(f"{name}: there is no such model folder or file; check the path.")
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
                f"{name}: a single-file model must be .safetensors (others can run code); convert it."
            )
        return Source(name, role, _layout_of(path), path, None, "local", "", Advice())
    if not (path / "unet").is_dir():
        raise BadInput(f"{name}: not a model folder in diffusers' layout, there is no unet/ in it.")
    advice = _advice_of(path)
    lender = path.parent / "image" if not (path / "vae").is_dir() else None
    return Source(name, role, path, None, lender, "local", "", advice)


def _layout_of(single: Path) -> Path:
    """The folder of settings for a single file: one of the same name beside it, else Stable Diffusion 1.x."""
    beside = single.with_suffix("")
    return beside if (beside / "unet" / "config.json").exists() else package_folder("layouts/sd15")


def _advice_of(folder: Path) -> Advice:
    path = folder / FACTS_FILE
    if not path.exists():
        return Advice()
    try:
        facts = json.loads(path.read_text())
    except ValueError as error:
        raise BadInput(f"{path}: not readable as JSON ({error}).") from error
    return Advice.from_dict(facts, str(path))


# --- hub -----------------------------------------------------------------------------------------


def wanted_files(listed: Iterable[str]) -> list[str]:
    """Of all files in a hub's repository, those that one loading reads: no second copy of any weights.

    >>> wanted_files(["unet/a.bin", "unet/a.safetensors", "x.ckpt", "unet/config.json"])
    ['unet/a.safetensors', 'unet/config.json']
    """
    kept: list[str] = []
    by_part: dict[str, list[str]] = {}
    for name in sorted(listed):
        part, _, rest = name.rpartition("/")
        if part not in (*PARTS, "vocoder") and name not in ("model_index.json", FACTS_FILE):
            continue
        if rest.endswith(_WEIGHTS):
            by_part.setdefault(part, []).append(name)
        else:
            kept.append(name)
    for names in by_part.values():
        safe = [n for n in names if n.endswith(".safetensors")] or names
        plain = [n for n in safe if not re.search(r"\.(fp16|bf16|non_ema)\b", n)]
        kept.extend(plain or safe)
    return sorted(kept)


def _from_hub(given: Card, offline: bool) -> Source:
    failures = []
    for repo in given.hub:
        try:
            folder = Path(_snapshot(repo, given.revision, offline))
        except Exception as error:  # the hub client raises many kinds; each means: not from this one
            failures.append(f"{repo}: {_short(error)}")
            continue
        advice = given.advice.over(_advice_of(folder))
        return Source(given.name, given.role, folder, None, None, folder.name, given.licence, advice)
    pull = f"`eidophone models pull {given.name}`" if given.more else "the same command"
    raise WeightsAbsent(
        f"The weights of {given.name!r} are not here and could not be fetched ({'; '.join(failures)}); "
        f"run {pull} where there is a network, or give a local folder instead of the name."
    )


def _snapshot(repo: str, revision: str, offline: bool) -> str:
    from huggingface_hub import HfApi, constants, snapshot_download

    if offline or constants.HF_HUB_OFFLINE:
        return snapshot_download(repo, revision=revision, local_files_only=True)
    info = HfApi().model_info(repo, revision=revision, timeout=10)
    files = wanted_files(f.rfilename for f in info.siblings or ())
    return snapshot_download(repo, revision=info.sha, allow_patterns=files)


def _short(error: Exception) -> str:
    name = type(error).__name__
    return {
        "LocalEntryNotFoundError": "not downloaded yet, and the network may not be asked",
        "RepositoryNotFoundError": "no such repository, or it asks for a login",
        "GatedRepoError": "its licence must be accepted on its page first",
    }.get(name, f"the hub cannot be reached ({name})")
