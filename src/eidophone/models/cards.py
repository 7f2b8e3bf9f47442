"""Model cards: what is known by name. Pure data, no torch, so that `models list` is quick."""

import functools
import tomllib
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from eidophone.errors import BadInput, UnknownModel
from eidophone.media.mel import MelSpec

Role = Literal["image", "audio"]
ROLES: tuple[Role, ...] = ("image", "audio")

#: The file in a model's folder that says what diffusers' layout has no place for.
FACTS_FILE = "eidophone.json"


@dataclass(frozen=True)
class Advice:
    """What a model wants where the user says nothing. `None`: it has no opinion."""

    canvas: tuple[int, int] | None = None
    image_guidance: float | None = None
    audio_guidance: float | None = None
    audio_weight: float | None = None
    mel_spec: MelSpec | None = None

    @classmethod
    def from_dict(cls, given: dict[str, Any], where: str) -> "Advice":
        """Reads the part of a card's row, or of an `eidophone.json`, that is advice.

        Raises:
            BadInput: an impossible value; `where` says in which file.
        """
        canvas, mel = given.get("canvas"), given.get("mel_spec")
        if canvas is not None and not (
            len(canvas) == 2 and all(isinstance(n, int) and n > 0 for n in canvas)
        ):
            raise BadInput(f"{where}: canvas must be [height, width] in pixels; got {canvas!r}.")
        return cls(
            canvas=None if canvas is None else (canvas[0], canvas[1]),
            mel_spec=None if mel is None else MelSpec.from_dict(mel, where),
            **{name: given.get(name) for name in ("image_guidance", "audio_guidance", "audio_weight")},
        )

    def over(self, other: "Advice") -> "Advice":
        """This advice, and the other's where this has none."""
        mine = {k: v for k, v in vars(self).items() if v is not None}
        return Advice(**{**vars(other), **mine})


@dataclass(frozen=True)
class Card:
    """One model in one role.

    Attributes:
        name: As the user writes it.
        role: What it is used for.
        about: One line for people.
        licence: Of the weights, as SPDX writes it.
        more: Where its model card is.
        package: Folder inside this package, or None.
        hub: Hub ids, in the order in which they are tried.
        revision: Branch, tag or commit on the hub.
        borrows: Role of the same card that lends VAE, text encoder and tokenizer.
        advice: Settings.
    """

    name: str
    role: Role
    about: str
    licence: str
    more: str
    package: str | None = None
    hub: tuple[str, ...] = ()
    revision: str = "main"
    borrows: Role | None = None
    advice: Advice = field(default_factory=Advice)

    @property
    def source(self) -> str:
        """Where the weights come from, for people."""
        return "in this package" if self.package else f"hub: {self.hub[0]}"


@functools.cache
def cards() -> dict[tuple[str, Role], Card]:
    """All cards by name and role, in the order of `cards.toml`."""
    table = tomllib.loads((resources.files("eidophone.models") / "cards.toml").read_text(encoding="utf-8"))
    found = {}
    for name, row in table.items():
        for role in ROLES:
            if role in row:
                part = row[role]
                found[name, role] = Card(
                    name=name,
                    role=role,
                    about=row["about"],
                    licence=row["licence"],
                    more=row["card"],
                    package=part.get("package"),
                    hub=tuple(part.get("hub", ())),
                    revision=part.get("revision", "main"),
                    borrows=part.get("borrows"),
                    advice=Advice.from_dict(part, f"cards.toml, {name}"),
                )
    return found


def known(role: Role | None = None) -> list[str]:
    """The names of the cards that can take a role, or any role."""
    return list(dict.fromkeys(name for name, r in cards() if role in (None, r)))


def card(name: str, role: Role) -> Card:
    """The card of a name in a role.

    Raises:
        UnknownModel: there is none; the message lists those that there are.
    """
    try:
        return cards()[name, role]
    except KeyError:
        names = ", ".join(known(role))
        hint = f"it cannot take the {role} role" if name in known() else "neither card, folder nor hub id"
        raise UnknownModel(
            f"There is no {role} model {name!r} ({hint}); there are {names}, or give a folder, "
            "a .safetensors file or a hub id like owner/name."
        ) from None


def package_folder(part: str) -> Path:
    """A folder of shipped weights, by its path below `eidophone/models`."""
    return Path(str(resources.files("eidophone.models"))) / part
