"""`eidophone models list|check|pull`."""

import argparse
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from eidophone.errors import BadInput, EidophoneError
from eidophone.models.cards import ROLES, Card, Role, cards, known, package_folder


def add_commands(commands: Any) -> None:
    """Adds `models` and its three verbs."""
    about = "what there is, from where, under which licence, and whether it is here"
    parser = commands.add_parser("models", help=about, description=about.capitalize() + ".")
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    listing = verbs.add_parser("list", help="all model cards")
    listing.add_argument("--json", action="store_true", help="print JSON")
    listing.set_defaults(command=show_list)
    checking = verbs.add_parser("check", help="load models and see whether they work and fit together")
    checking.add_argument(
        "names", nargs="*", metavar="MODEL", help="cards, folders or files (default: all here)"
    )
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
    print(f"{'name':<12}{'role':<7}{'here':<6}{'licence':<24}source")
    for row in rows:
        here = "yes" if row["here"] else "no"
        print(f"{row['name']:<12}{row['role']:<7}{here:<6}{row['licence']:<24}{row['source']}")
    print("\nA folder in diffusers' layout, a .safetensors file or a hub id can stand for any name.")
    return 0


def is_here(given: Card) -> bool:
    """Whether a card's weights are in the package or in the hub's cache. Looks, does not load."""
    if given.package:
        return (package_folder(given.package) / "unet").is_dir()
    return any(any(hub_cache().glob(f"models--{repo.replace('/', '--')}/snapshots/*")) for repo in given.hub)


def hub_cache() -> Path:
    """Where the hub's client keeps its downloads (the same rules, without importing it)."""
    home = os.environ.get("HF_HOME", Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "huggingface")
    return Path(os.environ.get("HF_HUB_CACHE", Path(home) / "hub")).expanduser()


def check(arguments: argparse.Namespace) -> int:
    """Loads each model that is here and says what it is; exit code 2 if one does not work."""
    names = arguments.names or list(dict.fromkeys(c.name for c in cards().values() if is_here(c)))
    if not names:
        raise BadInput("No model is here; run `eidophone models pull NAME` or give a folder.")
    failed = 0
    for name in names:
        for role in roles_of(name):
            try:
                print(f"{name} ({role}): {_facts(name, role)}")
            except EidophoneError as error:
                failed += 1
                print(f"{name} ({role}): {error}")
    return 2 if failed else 0


def roles_of(name: str) -> Iterable[Role]:
    """The roles of a card; for a folder the one its facts tell."""
    if name in known():
        return [role for role in ROLES if (name, role) in cards()]
    facts = Path(name) / "eidophone.json"
    plays = (Path(name) / "vocoder").exists() or (facts.exists() and "mel_spec" in facts.read_text())
    return ["audio" if plays else "image"]


def _facts(name: str, role: Role) -> str:
    import torch

    from eidophone.models.load import Loader, load_vocoder, mel_spec_of

    model = Loader(torch.device("cpu"), torch.float32, offline=True).model(name, role)
    size = sum(p.numel() for p in model.unet.parameters()) / 1e6
    facts = [f"works, U-Net of {size:.1f} M parameters", model.schedule.get("prediction_type", "epsilon")]
    if role == "audio":
        spec = mel_spec_of(model.source)
        facts.append(f"{spec.bands} mels at {spec.rate_hz} Hz, {load_vocoder(model.source).name}")
    return ", ".join(facts)


def pull(arguments: argparse.Namespace) -> int:
    """Fetches weights; says where they are."""
    from eidophone.models.source import find

    for name in arguments.names:
        for role in roles_of(name):
            source = find(name, role)
            print(f"{name} ({role}): {source.path} ({source.revision})")
    return 0
