"""The recipe and the record of a result: typed, frozen, and checked where they are read.

A recipe holds everything that decides a result's bytes; PNG, WAV and record.json carry it. A record is a
recipe with what the run cost and found. Both may come from anywhere, so every field that anything reads has
a type here, and a value of another type is refused with a sentence that names the field.
"""

import json
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from eidophone.core.errors import BadInput

FORMAT = 1
T = TypeVar("T", bound=BaseModel)
ModelRole = Literal[
    "image", "audio", "pixel", "upscaler", "captioner", "embedder", "text_embedder", "separator"
]
InputName = Literal["picture", "sound", "mask", "lora", "audio_lora"]

_Index = Annotated[int, Field(ge=0, le=2**62)]
_Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_Checksum = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,40}$")]


class _Frozen(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)


class ModelFacts(_Frozen):
    """A model of a run: its name, its revision on a hub, the digest of its weights, its licence."""

    name: str
    revision: str
    weights: str = ""
    role: str = ""
    licence: str = ""


class RecordedOptions(BaseModel):
    """The options of a recipe. These fields are read by more than the verb itself; the verb checks the rest."""

    model_config = ConfigDict(strict=True, frozen=True, extra="allow")
    __pydantic_extra__: dict[str, JsonValue] = Field(init=False)

    image_prompt: str = ""
    audio_prompt: str = ""
    audio_weight: float | None = None
    threads: int | None = None
    picture: str | None = None
    sound: str | None = None
    lora: str | None = None
    audio_lora: str | None = None
    mask: str | None = None

    def plain(self) -> dict[str, Any]:
        """What the recipe says, without what it leaves out."""
        return self.model_dump(exclude_unset=True)


class Recipe(_Frozen):
    """Everything that decides the bytes of one sample.

    Attributes:
        format: Of this model.
        eidophone: Version that wrote it.
        verb: Which command.
        index, seed: Which sample of its run, and what it was drawn from; None if nothing was drawn.
        options: The completed settings.
        models: By role.
        vocoder: Which one played the mel picture; empty if none did.
        mel_spec: See `media.mel.MelSpec`.
        versions: Of what computes.
        inputs: SHA-256 of the user's files, by option.
    """

    format: Literal[1]
    eidophone: str = ""
    verb: _Name
    index: _Index
    seed: _Index | None = None
    options: RecordedOptions
    models: dict[ModelRole, ModelFacts]
    vocoder: str
    mel_spec: dict[str, int | float]
    versions: dict[str, str]
    inputs: dict[InputName, _Checksum] = {}

    def plain(self) -> dict[str, Any]:
        """Plain JSON values."""
        return self.model_dump(exclude_unset=True)

    def text(self) -> str:
        """One line of JSON with sorted names: equal recipes are equal texts."""
        return json.dumps(self.plain(), sort_keys=True, ensure_ascii=False, separators=(",", ":"))

    def changed(self, **values: Any) -> "Recipe":
        """A copy with other values; options are merged.

        >>> recipe = Recipe(format=1, verb="see", index=0, options={"sound": "a.wav"}, models={}, vocoder="",
        ...                 mel_spec={}, versions={})
        >>> recipe.changed(options={"sound": "b.wav"}).options.sound
        'b.wav'
        """
        options = {**self.options.plain(), **values.pop("options", {})}
        return Recipe.model_validate({**self.plain(), **values, "options": options})


class Facts(BaseModel):
    """What a run cost and found; verbs add more."""

    model_config = ConfigDict(strict=True, frozen=True, extra="allow")

    seconds: _Amount | None = None
    unet_evaluations: Annotated[int, Field(ge=0)] | None = None
    unet_evaluations_of_all: Annotated[int, Field(ge=0)] | None = None
    candidates: Annotated[int, Field(ge=1)] | None = None
    rank: Annotated[int, Field(ge=1)] | None = None
    summary: str | None = None
    read_as: dict[str, str] = {}


class RecordedScore(_Frozen):
    """What the judges said."""

    numbers: dict[str, Annotated[float, Field(allow_inf_nan=False)]] = {}
    failed: dict[str, str] = {}


class Record(_Frozen):
    """A record.json."""

    format: Literal[1]
    verb: _Name
    index: _Index
    captions: list[str]
    made: str = ""
    recipe: Recipe
    facts: Facts
    score: RecordedScore = RecordedScore()
    files: dict[str, str]


def read_model(kind: type[T], text: str | bytes, where: str) -> T:
    """Reads a recipe or a record.

    Args:
        kind: `Recipe` or `Record`.
        text: JSON.
        where: The file, for messages.

    Raises:
        BadInput: damaged, of another format, or a field of a wrong type; the message names it.
    """
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput(
            f"{where}: its recipe is damaged ({type(error).__name__}); make the result again."
        ) from error
    number = given.get("format") if isinstance(given, dict) else None
    if number != FORMAT:
        raise BadInput(f"{where}: its recipe has format {number!r}; this version reads format {FORMAT}.")
    try:
        return kind.model_validate(given)
    except (ValidationError, RecursionError) as error:
        if not isinstance(error, ValidationError):
            raise BadInput(f"{where}: its recipe is damaged (nested too deeply).") from None
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise BadInput(f"{where}: its recipe is damaged at {place!r} ({first['msg'].lower()}).") from None
