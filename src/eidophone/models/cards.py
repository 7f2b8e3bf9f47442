"""Model cards: what is known by name. Pure data, no torch, so that `models list` is quick."""

import functools
import os
import re
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from eidophone.core.errors import BadInput, UnknownModel, WeightsAbsent
from eidophone.media.mel import MelSpec
from eidophone.media.vocoder_files import settings_of

Role = Literal[
    "image", "audio", "pixel", "upscaler", "embedder", "captioner", "separator", "tagger", "preview"
]
ROLES: tuple[Role, ...] = get_args(Role)
#: The roles of diffusion models over latents, and over pixels (text to small ones, small ones to large
#: ones); the others are of single networks that listen or compare.
DIFFUSION: tuple[Role, ...] = ("image", "audio")
PIXEL: tuple[Role, ...] = ("pixel", "upscaler")
DENOISING: tuple[Role, ...] = (*DIFFUSION, *PIXEL)

#: The file in a model's folder that says what diffusers' layout has no place for.
FACTS_FILE = "eidophone.json"
#: Environment variable that names card files of the user, separated as in PATH.
CARDS_VARIABLE = "EIDOPHONE_CARDS"

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
    blend: str | None = None
    griffin_lim_iterations: Annotated[int, Field(ge=0, le=1000)] | None = None
    mel_spec: dict[str, Any] | None = None
    style: str | None = None
    family: str | None = None
    preview_decoder: str | None = None


@dataclass(frozen=True)
class ModelDefaults:
    """Default settings that a model brings. `None`: it brings none.

    Attributes:
        canvas: (height, width) in pixels of what it draws.
        image_guidance, audio_guidance: Guidance scales.
        audio_weight: Share of the audio model in a blend, 0 to 1.
        blend: Name of a blend.
        griffin_lim_iterations: Where Griffin-Lim is the vocoder.
        mel_spec: Settings of its mel pictures.
        style: The sentence, with {} for a caption, in which it draws best.
        family: Name of its family; see `models.families`.
        preview_decoder: Card, folder or file of a small decoder for its latents.
    """

    canvas: tuple[int, int] | None = None
    image_guidance: float | None = None
    audio_guidance: float | None = None
    audio_weight: float | None = None
    blend: str | None = None
    griffin_lim_iterations: int | None = None
    mel_spec: MelSpec | None = None
    style: str | None = None
    family: str | None = None
    preview_decoder: str | None = None

    @classmethod
    def from_dict(cls, given: object, where: str) -> "ModelDefaults":
        """Reads the defaults in a card's row or in an `eidophone.json`.

        Raises:
            BadInput: an impossible value; `where` says in which file.
        """
        return cls.from_facts(settings_of(_Facts, given, where), where)

    @classmethod
    def from_facts(cls, facts: _Facts, where: str) -> "ModelDefaults":
        """As `from_dict`, of values whose types are checked."""
        return cls(
            canvas=None if facts.canvas is None else (facts.canvas[0], facts.canvas[1]),
            image_guidance=facts.image_guidance,
            audio_guidance=facts.audio_guidance,
            audio_weight=facts.audio_weight,
            blend=facts.blend,
            griffin_lim_iterations=facts.griffin_lim_iterations,
            mel_spec=None if facts.mel_spec is None else MelSpec.from_dict(facts.mel_spec, where),
            style=facts.style,
            family=facts.family,
            preview_decoder=facts.preview_decoder,
        )

    def over(self, other: "ModelDefaults") -> "ModelDefaults":
        """These defaults, completed by the other's."""
        mine = {k: v for k, v in vars(self).items() if v is not None}
        return ModelDefaults(**{**vars(other), **mine})


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
        folder: Folder on this machine, or None.
        file: Name of a file of weights that the user fetches from where `more` says, or None.
        hub: Hub ids, in the order in which they are tried.
        revision: Branch, tag or commit on the hub.
        borrows: NAME.ROLE of the card that lends VAE, text encoder and tokenizer.
        gated: Whether the hub asks for an accepted licence.
        defaults: Settings.
    """

    name: str
    role: Role
    about: str
    licence: str
    more: str
    kind: str = ""
    package: str | None = None
    folder: Path | None = None
    file: str | None = None
    hub: tuple[str, ...] = ()
    revision: str = "main"
    borrows: str | None = None
    gated: bool = False
    defaults: ModelDefaults = field(default_factory=ModelDefaults)

    @property
    def family(self) -> str:
        """The family that the card names; empty if its files decide."""
        return self.defaults.family or ""

    @property
    def source(self) -> str:
        """Where the weights come from, for people."""
        if self.package:
            return "in this package"
        if self.folder:
            return f"folder: {self.folder}"
        return f"file: {self.file}, from {self.more}" if self.file else f"hub: {self.hub[0]}"


class _Part(_Facts):
    """What a card says of one role."""

    model_config = ConfigDict(extra="forbid")

    kind: str = ""
    package: str | None = None
    folder: Annotated[str, Field(min_length=1)] | None = None
    file: str | None = None
    hub: list[str] = []
    revision: str = "main"
    borrows: str | None = None

    @model_validator(mode="after")
    def _weights_are_in_one_place(self) -> "_Part":
        if sum(map(bool, (self.package, self.folder, self.file, self.hub))) != 1:
            raise ValueError("needs exactly one of folder, hub, file and package")
        return self


class _Row(BaseModel):
    """A card as its file has it."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    about: str = ""
    licence: str = "unknown"
    card: str = ""
    gated: bool = False
    image: _Part | None = None
    audio: _Part | None = None
    pixel: _Part | None = None
    upscaler: _Part | None = None
    embedder: _Part | None = None
    captioner: _Part | None = None
    separator: _Part | None = None
    tagger: _Part | None = None
    preview: _Part | None = None


def cards() -> dict[tuple[str, Role], Card]:
    """All cards by name and role: those of `cards.toml`, then those of the user's card files.

    Raises:
        BadInput: a card file of the user that is missing or damaged, or a name that is taken.
    """
    return _all_cards(os.environ.get(CARDS_VARIABLE, ""))


@functools.cache
def _all_cards(files: str) -> dict[tuple[str, Role], Card]:
    own = resources.files("eidophone.models") / "cards.toml"
    found = _cards_in(own.read_text(encoding="utf-8"), Path("cards.toml"))
    for name in filter(None, files.split(os.pathsep)):
        path = Path(name).expanduser().absolute()
        try:
            more = _cards_in(path.read_text(encoding="utf-8"), path)
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise BadInput(
                f"{path}: cannot be read as a card file ({why}); correct {CARDS_VARIABLE}."
            ) from error
        if taken := sorted({card for card, _ in found} & {card for card, _ in more}):
            raise BadInput(f"{path}: there is already a card {taken[0]!r}; choose another name.")
        found |= more
    return found


def _cards_in(text: str, path: Path) -> dict[tuple[str, Role], Card]:
    """The cards of a TOML file; folders are relative to the file."""
    found: dict[tuple[str, Role], Card] = {}
    for name, given in tomllib.loads(text).items():
        row = settings_of(_Row, given, f"{path}, {name}")
        for role in ROLES:
            part: _Part | None = getattr(row, role)
            if part is None:
                continue
            found[name, role] = Card(
                name=name,
                role=role,
                about=row.about,
                licence=row.licence,
                more=row.card,
                kind=part.kind,
                package=part.package,
                folder=None if part.folder is None else path.parent / Path(part.folder).expanduser(),
                file=part.file,
                hub=tuple(part.hub),
                revision=part.revision,
                borrows=part.borrows,
                gated=row.gated,
                defaults=ModelDefaults.from_facts(part, f"{path}, {name}"),
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


def existing(given: Card, folder: Path) -> Path:
    """The folder that a card names, once it is sure that it is there.

    Raises:
        WeightsAbsent: it is not.
    """
    if not folder.is_dir():
        raise WeightsAbsent(
            f"The {given.role} model {quoted(given.name)}: there is no folder {folder}; correct the card."
        )
    return folder


_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
_SINGLE_FILES = (".safetensors", ".pt", ".pth")


@contextmanager
def readable(name: str) -> Iterator[None]:
    """Turns what a system says against a path into a sentence.

    Raises:
        BadInput: it is too long, not permitted, or in a home that is nobody's.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:
        why = getattr(error, "strerror", None) or str(error).rstrip(".")
        raise BadInput(
            f"{quoted(name)}: cannot be read as a path ({why}); give a card, a folder, a file or a hub id."
        ) from error


def resolved(name: str, role: Role) -> Card | Path:
    """The card of a name in a role, else the path of that name, else a card made of a hub id.

    Raises:
        UnknownModel: no card, folder or hub id of that name.
        BadInput: a path that is not there or cannot be read.
    """
    if (name, role) in cards():
        return card(name, role)
    with readable(name):
        path = Path(name).expanduser()
        if path.exists():
            return path.resolve()
    if _HUB_ID.fullmatch(name) and path.suffix not in _SINGLE_FILES:
        return Card(name, role, about="", licence="", more="", hub=(name,))
    if os.sep in name or path.suffix:
        raise BadInput(f"{quoted(name)}: there is no such model folder or file; check the path.")
    return card(name, role)
