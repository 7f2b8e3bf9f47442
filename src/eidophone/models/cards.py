"""Model cards: what is known by name. Pure data, no torch, so that `models list` is quick."""

import functools
import tomllib
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from eidophone.errors import UnknownModel, WeightsAbsent
from eidophone.media.mel import MelSpec
from eidophone.media.vocoder_files import settings_of
from eidophone.options import BlendMode

Role = Literal["image", "audio", "pixel", "upscaler", "embedder", "captioner", "tagger"]
ROLES: tuple[Role, ...] = get_args(Role)
#: The roles of diffusion models over latents, and over pixels (text to small ones, small ones to large
#: ones); the others are of single networks that listen or compare.
DIFFUSION: tuple[Role, ...] = ("image", "audio")
PIXEL: tuple[Role, ...] = ("pixel", "upscaler")
DENOISING: tuple[Role, ...] = (*DIFFUSION, *PIXEL)

#: The file in a model's folder that says what diffusers' layout has no place for.
FACTS_FILE = "eidophone.json"

_Pixels = Annotated[int, Field(ge=8, le=65_536)]
_Scale = Annotated[float, Field(ge=0, le=1000)]
_LONGEST_SHOWN = 200


class _Facts(BaseModel):
    """What a card's row, or an `eidophone.json`, may advise; its other keys are ignored."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", allow_inf_nan=False)

    canvas: Annotated[list[_Pixels], Field(min_length=2, max_length=2)] | None = None
    image_guidance: _Scale | None = None
    audio_guidance: _Scale | None = None
    audio_weight: Annotated[float, Field(ge=0, le=1)] | None = None
    blend: BlendMode | None = None
    shared_width: _Pixels | None = None
    griffin_lim_iterations: Annotated[int, Field(ge=0, le=1000)] | None = None
    mel_spec: dict[str, Any] | None = None
    style: str | None = None


@dataclass(frozen=True)
class Advice:
    """What a model wants where the user says nothing. `None`: it has no opinion.

    `canvas` is (height, width) of what it makes by itself, `shared_width` the width of a canvas that it
    makes together with a model of the other role.
    """

    canvas: tuple[int, int] | None = None
    image_guidance: float | None = None
    audio_guidance: float | None = None
    audio_weight: float | None = None
    blend: BlendMode | None = None
    shared_width: int | None = None
    griffin_lim_iterations: int | None = None
    mel_spec: MelSpec | None = None
    style: str | None = None

    @classmethod
    def from_dict(cls, given: object, where: str) -> "Advice":
        """Reads the part of a card's row, or of an `eidophone.json`, that is advice.

        Raises:
            BadInput: an impossible value; `where` says in which file.
        """
        facts = settings_of(_Facts, given, where)
        return cls(
            canvas=None if facts.canvas is None else (facts.canvas[0], facts.canvas[1]),
            image_guidance=facts.image_guidance,
            audio_guidance=facts.audio_guidance,
            audio_weight=facts.audio_weight,
            blend=facts.blend,
            shared_width=facts.shared_width,
            griffin_lim_iterations=facts.griffin_lim_iterations,
            mel_spec=None if facts.mel_spec is None else MelSpec.from_dict(facts.mel_spec, where),
            style=facts.style,
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
        kind: Which code reads it, where a role has several.
        package: Folder inside this package, or None.
        file: Name of a file of weights that the user fetches from where `more` says, or None.
        hub: Hub ids, in the order in which they are tried.
        revision: Branch, tag or commit on the hub.
        borrows: NAME.ROLE of the card that lends VAE, text encoder and tokenizer.
        gated: Whether the hub asks for an accepted licence.
        advice: Settings.
    """

    name: str
    role: Role
    about: str
    licence: str
    more: str
    kind: str = ""
    package: str | None = None
    file: str | None = None
    hub: tuple[str, ...] = ()
    revision: str = "main"
    borrows: str | None = None
    gated: bool = False
    advice: Advice = field(default_factory=Advice)

    @property
    def source(self) -> str:
        """Where the weights come from, for people."""
        if self.package:
            return "in this package"
        return f"file: {self.file}, from {self.more}" if self.file else f"hub: {self.hub[0]}"


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
                    kind=part.get("kind", ""),
                    package=part.get("package"),
                    file=part.get("file"),
                    hub=tuple(part.get("hub", ())),
                    revision=part.get("revision", "main"),
                    borrows=part.get("borrows"),
                    gated=row.get("gated", False),
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
        raise unknown_model(name, role) from None


def unknown_model(name: str, role: Role | None = None) -> UnknownModel:
    """The refusal of a name; it lists those that are known in a role, or in any."""
    hint = f"it cannot take the {role} role" if name in known() else "neither card, folder nor hub id"
    kind = f"{role} model" if role else "model"
    return UnknownModel(
        f"There is no {kind} {quoted(name)} ({hint}); there are {', '.join(known(role))}, or give a folder, "
        "a .safetensors file or a hub id like owner/name."
    )


def quoted(name: object) -> str:
    """A name or path in quotes, on one line and not too long, for a message."""
    text = repr(str(name))
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN // 2]}...'"


def lender_of(given: Card) -> str | None:
    """The package folder of the card that lends parts to this one, if one does."""
    if given.borrows is None:
        return None
    return next(c.package for (name, role), c in cards().items() if f"{name}.{role}" == given.borrows)


def package_folder(part: str) -> Path:
    """A folder of shipped weights, by its path below `eidophone/models`."""
    return Path(str(resources.files("eidophone.models"))) / part


def shipped(what: str, folder: Path, needed: str, recipe: str = "") -> Path:
    """The folder of something that ships with the package, once it is sure that it is there.

    Args:
        what: Its name in the message, as "The tagger".
        folder: Where it should be.
        needed: A file below `folder` that it cannot do without.
        recipe: What makes it, as an argument of `python -m`.

    Raises:
        WeightsAbsent: the file is not there.
    """
    if not (folder / needed).is_file():
        made = f", or make it with `python -m {recipe}`" if recipe else ""
        raise WeightsAbsent(f"{what} is missing from {folder}; reinstall the package{made}.")
    return folder
