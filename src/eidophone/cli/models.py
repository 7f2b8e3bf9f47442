"""`eidophone models list|check|pull`."""

import argparse
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eidophone.core.errors import BadInput, EidophoneError, UnknownModel
from eidophone.core.text import printable
from eidophone.models.cards import (
    DENOISING,
    DIFFUSION,
    Card,
    Role,
    cards,
    known,
    package_folder,
    unknown_model,
)
from eidophone.models.checkpoint import NetworkFiles, file_places, find_network
from eidophone.models.source import DiffusionFiles, drawing_role, find

if TYPE_CHECKING:  # torch is slow to import
    pass

#: A name in a role.
Part = tuple[str, Role]


def add_commands(commands: Any) -> None:
    """Adds `models` and its three verbs."""
    about = "list, check and download models"
    parser = commands.add_parser("models", help=about, description=about.capitalize() + ".")
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    listing = verbs.add_parser("list", help="all models: source, licence, and whether they are here")
    listing.add_argument("--json", action="store_true", help="print JSON")
    listing.set_defaults(command=show_list)
    checking = verbs.add_parser("check", help="load models and see whether they work and fit together")
    checking.add_argument(
        "names", nargs="*", metavar="MODEL", help="cards, folders or files (default: all here)"
    )
    checking.add_argument("--offline", action="store_true", help="download nothing; check never does")
    checking.set_defaults(command=check)
    pulling = verbs.add_parser("pull", help="fetch the weights of a card or hub id")
    pulling.add_argument("names", nargs="+", metavar="MODEL", help="cards or hub ids")
    pulling.set_defaults(command=pull)


def show_list(arguments: argparse.Namespace) -> int:
    """Prints all cards."""
    rows = [
        {
            "name": c.name,
            "role": c.role,
            "here": is_here(c),
            "licence": c.licence,
            "source": c.source,
            "about": c.about,
        }
        for c in cards().values()
    ]
    if arguments.json:
        print(json.dumps(rows, indent=2))
        return 0
    wide = max(len(str(row["name"])) for row in rows) + 2
    print(f"{'name':<{wide}}{'role':<11}{'here':<6}{'licence':<24}source")
    for row in rows:
        here = "yes" if row["here"] else "no"
        print(f"{row['name']:<{wide}}{row['role']:<11}{here:<6}{row['licence']:<24}{row['source']}")
    print("\nA folder in diffusers' layout, a .safetensors file or a hub id can stand for any name.")
    return 0


def is_here(given: Card) -> bool:
    """Whether a card's weights are in the package, in the hub's cache or kept by hand. Does not load."""
    if given.file:
        return any(place.is_file() for place in file_places(given.file))
    if given.folder:
        return given.folder.is_dir()
    diffusion = given.role in DENOISING
    if given.package:
        return (package_folder(given.package) / ("unet" if diffusion else "config.json")).exists()
    inside = "unet/*" if diffusion else "config.json"
    found = (f"models--{repo.replace('/', '--')}/snapshots/*/{inside}" for repo in given.hub)
    return any(any(hub_cache().glob(pattern)) for pattern in found)


def hub_cache() -> Path:
    """Where the hub's client keeps its downloads (the same rules, without importing it)."""
    home = os.environ.get("HF_HOME", Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "huggingface")
    return Path(os.environ.get("HF_HUB_CACHE", Path(home) / "hub")).expanduser()


def check(arguments: argparse.Namespace) -> int:
    """Loads models, says what they are and whether pairs fit; exit code 2 if something does not work."""
    names = arguments.names or known()
    parts: list[Part] = []
    networks: list[NetworkFiles] = []
    failed = 0
    for name, role in _parts_of(names, only_here=not arguments.names):
        try:
            found = _found(name, role, offline=True)
        except EidophoneError as error:
            failed += 1
            print(_line(name, error))
            continue
        if isinstance(found, DiffusionFiles):
            parts.append((name, found.role))
        else:
            networks.append(found)
    if not (parts or networks or failed):
        raise BadInput("No model is here; run `eidophone models pull NAME` or give a folder.")
    failed += sum(_check_group(group) for group in groups_of(parts))
    failed += sum(_check_group([(network.name, network.role)]) for network in networks)
    return 2 if failed else 0


def groups_of(parts: list[Part]) -> list[list[Part]]:
    """What is loaded together: the one image and the one audio model, both roles of a card, or one alone."""
    if sorted(role for _, role in parts) == sorted(DIFFUSION):
        return [sorted(parts, key=lambda part: DIFFUSION.index(part[1]))]
    groups: dict[str, list[Part]] = {}
    for name, role in parts:
        groups.setdefault(name, []).append((name, role))
    return list(groups.values())


def _parts_of(names: Iterable[str], *, only_here: bool = False) -> Iterator[tuple[str, Role | None]]:
    """Each name in the roles of its card; None where the files must tell."""
    for name in dict.fromkeys(names):
        roles = [c.role for c in cards().values() if c.name == name and (is_here(c) or not only_here)]
        yield from ((name, role) for role in roles)
        if name not in known():
            yield name, None


def _found(name: str, role: Role | None, *, offline: bool) -> DiffusionFiles | NetworkFiles:
    """A model's files in a role; in the one that the files tell, if None.

    Raises:
        EidophoneError: see `models.source.find`.
    """
    if role in DENOISING:
        return find(name, role, offline=offline)
    if role is not None:
        return find_network(name, role, offline=offline)
    if (Path(name) / "config.json").is_file():
        return _network_in(name)
    try:
        source = find(name, drawing_role(name), offline=offline)
    except UnknownModel:
        raise unknown_model(name) from None
    return replace(source, role="audio") if source.plays else source


def _network_in(folder: str) -> NetworkFiles:
    """The single network in a folder, in the role that its kind has; an embedder if nothing reads it."""
    from eidophone.models.captioners.load import KINDS

    found = find_network(folder, "embedder", offline=True)
    return replace(found, role="captioner") if found.kind in KINDS else found


def _line(model: str, error: EidophoneError) -> str:
    """What is wrong with a model; the model is named once."""
    said, _, _ = str(error).partition(": ")
    named = said.strip("'\"") in (model, model.partition(" (")[0])
    return printable(str(error) if named else f"{model}: {error}")


def _check_group(group: list[Part]) -> int:
    """Says whether these models work and fit together; returns how often something did not."""
    import torch

    from eidophone.models.check import check_model
    from eidophone.models.fit import check_fit
    from eidophone.models.load import Loader

    loader = Loader(torch.device("cpu"), torch.float32, offline=True)
    latent = []
    failed = 0
    for name, role in group:
        try:
            checked = check_model(name, role, loader)
        except EidophoneError as error:
            failed += 1
            print(_line(f"{name} ({role})", error))
            continue
        print(printable(f"{name} ({role}): works, {', '.join(checked.facts)}"))
        if role in DIFFUSION:
            latent.append(checked.model)
    if len(latent) == len(DIFFUSION):
        try:
            check_fit(latent[0], latent[1])
            both = " and ".join(dict.fromkeys(name for name, _ in group))
            print(printable(f"{both}: image and audio fit together"))
        except EidophoneError as error:
            failed += 1
            print(printable(str(error)))
    return failed


def pull(arguments: argparse.Namespace) -> int:
    """Fetches weights; says where they are."""
    for name, role in _parts_of(arguments.names):
        found = _found(name, role, offline=False)
        print(f"{printable(name)} ({found.role}): {found.path} ({found.revision})")
    return 0
