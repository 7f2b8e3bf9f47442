"""What options are made of: kinds of values with their rules, presets, one sentence for a mistake."""

import difflib
import typing
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic.fields import FieldInfo

from eidophone.core.errors import BadInput

Preset = Literal["paper", "fast", "draft"]
Dtype = Literal["auto", "float32", "bfloat16", "float16"]
RankBy = Literal["weaker", "both", "weights"]
Representation = Literal["implicit", "pixels", "latent"]
Weighting = Literal["variance", "clean"]
#: Which terms weigh the words of a caption: both as published, one of them, or none at all.
Attention = Literal["both", "audio", "sentence", "none"]
#: Spatial frequencies of a canvas: its coarse structure, its fine structure, or both.
Band = Literal["all", "low-pass", "high-pass"]
#: What computes the U-Nets.
Engine = Literal["auto", "torch", "openvino"]
#: How the weights of large networks are kept.
Quantize = Literal["none", "int8"]
VocoderChoice = Literal["auto", "hifi-gan", "griffin-lim"]

Steps = Annotated[int, Field(ge=1, le=1000)]
Scale = Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Rate = Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)]
Pixels = Annotated[int, Field(ge=8, le=65_536)]
#: Length of a sound; ten minutes of the published mel picture are 60,000 pixels.
Seconds = Annotated[float, Field(gt=0, le=600, allow_inf_nan=False)]
Device = Annotated[str, Field(pattern=r"^(auto|cpu|mps|cuda(:\d{1,2})?)$")]
Threads = Annotated[int, Field(ge=1, le=1024)]
Decibels = Annotated[float, Field(ge=-100, le=100, allow_inf_nan=False)]
Group = Literal[
    "prompts",
    "own",
    "samples",
    "sampling",
    "canvas",
    "models",
    "judges",
    "sound",
    "training",
    "people",
    "machine",
]

Completed = TypeVar("Completed", bound="Options")


def text_of(given: Any) -> Any:
    """A path as text; anything else as it is."""
    return str(given) if isinstance(given, Path) else given


def texts_of(given: Any) -> Any:
    """Texts, each of which may be several that are separated by semicolons; anything else as it is.

    >>> texts_of("flip: a ship; mirror: a dog"), texts_of(["0-8: a castle / bells"])
    (('flip: a ship', 'mirror: a dog'), ('0-8: a castle / bells',))
    """
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts):
        return given
    return tuple(part.strip() for text in texts for part in text.split(";") if part.strip())


#: A card, a folder, a file or a hub id; a `Path` will do.
ModelName = Annotated[str, BeforeValidator(text_of), Field(min_length=1)]


def setting(help_text: str, *, group: Group = "sampling", common: bool = False, **rules: Any) -> Any:
    """A field with its help and its rules.

    Args:
        help_text: One phrase, for the command line and the reference.
        group: The heading that it stands under.
        common: Whether the short `--help` shows it.
        rules: Of pydantic's `Field`, such as default, ge, le.
    """
    return Field(description=help_text, json_schema_extra={"group": group, "common": common}, **rules)


class Options(BaseModel):
    """What the options of every verb share: frozen, no unknown names, presets as named values.

    Class attributes:
        PRESETS: What each preset sets; a value that the user gives wins.
        SCALED: Options that a preset gives in steps, with the option that holds the number of steps. Where
            the user gives another number of steps, they keep their share of it.
        HIDDEN: Names that are no flags, because they are positional arguments.
        FORMER: Names of earlier versions and today's; accepted with a warning for one release.
        NOT_IN_RECIPE: Options that decide nothing about the bytes of a sample.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {}
    SCALED: ClassVar[dict[str, str]] = {}
    HIDDEN: ClassVar[frozenset[str]] = frozenset()
    FORMER: ClassVar[dict[str, str]] = {"solver": "sampler"}
    NOT_IN_RECIPE: ClassVar[frozenset[str]] = frozenset({"offline"})

    @classmethod
    def make(cls, **given: Any) -> Self:
        """Builds options from a preset and given values; the given ones win.

        Raises:
            BadInput: an unknown name, a value out of its range, or settings that contradict each other.
        """
        given = cls._renamed(given)
        known = cls.preset_for(given)
        try:
            return cls(**{**known, **scaled_steps(known, given, cls.SCALED), **given})
        except ValidationError as error:
            raise BadInput(_sentence(cls, error)) from None

    @classmethod
    def preset_for(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """What the preset sets that these values name, or the default preset."""
        preset = given.get("preset", "fast")
        return cls.PRESETS.get(preset, {}) if isinstance(preset, str) else {}

    @classmethod
    def from_recorded(cls, recorded: dict[str, Any], changes: dict[str, Any]) -> Self:
        """Builds options from a recipe of this or an earlier version, and changes to it.

        Raises:
            BadInput: as `make`.
        """
        return cls.make(**cls.upgraded(recorded) | changes)

    @classmethod
    def upgraded(cls, recorded: Mapping[str, Any]) -> dict[str, Any]:
        """The options of a recipe under today's names, with what earlier versions did where they recorded nothing."""
        former = {name: new for name, new in cls.FORMER.items() if new in cls.model_fields}
        return {former.get(name, name): value for name, value in recorded.items()}

    @classmethod
    def _renamed(cls, given: dict[str, Any]) -> dict[str, Any]:
        former = {
            old: new
            for old, new in cls.FORMER.items()
            if old in given and new in cls.model_fields and old not in cls.model_fields
        }
        for old, new in former.items():
            warnings.warn(
                f"{flag_of(old)} is now {flag_of(new)}; the old name goes with the next release.",
                DeprecationWarning,
                stacklevel=3,
            )
        return {former.get(name, name): value for name, value in given.items()}

    def completed(self, kind: type[Completed], **decided: Any) -> Completed:
        """Settings: these options with values for all that were left open.

        Args:
            kind: The class of the completed settings.
            decided: The values; those of options that the user gave are not among them.
        """
        return kind.model_validate({**dict(self), **decided})

    @model_validator(mode="after")
    def _can_be_written(self) -> Self:
        for name in type(self).model_fields:
            value = getattr(self, name)
            try:
                str(value).encode()
            except UnicodeEncodeError:
                raise ValueError(
                    f"{flag_of(name)}: {str(value)!a} is not valid UTF-8 text; type it again, or rename the file."
                ) from None
        return self

    def plain(self) -> dict[str, Any]:
        """Plain JSON values; `make(**plain)` gives equal options."""
        return self.model_dump(mode="json")


def flag_of(name: str) -> str:
    """`image_model` -> `--image-model`, `from_` -> `--from`."""
    return "--" + name.removesuffix("_").replace("_", "-")


def takes_several(field: FieldInfo) -> bool:
    """Whether one value of a field is a list, so that its flag may be given several times."""
    return typing.get_origin(field.annotation) is tuple


def scaled_steps(known: dict[str, Any], given: dict[str, Any], scaled: dict[str, str]) -> dict[str, Any]:
    """A preset's steps as the same shares of the number of steps that the user gives."""
    found = {}
    for name, steps in scaled.items():
        wanted, usual = str(given.get(steps)), known.get(steps)
        if known.get(name) is not None and name not in given and wanted.isdecimal() and usual:
            found[name] = round(known[name] * int(wanted) / usual)
    return found


def _sentence(options: type[Options], error: ValidationError) -> str:
    """One sentence for the first thing that pydantic refused."""
    first = error.errors()[0]
    if not first["loc"]:
        return str(first["ctx"]["error"]) if "ctx" in first else str(first["msg"])
    name = str(first["loc"][0])
    if first["type"] == "extra_forbidden":
        near = difflib.get_close_matches(name, options.model_fields, 1)
        hint = (
            f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(options.model_fields))}."
        )
        return f"There is no setting {name!r}; {hint}"
    if first["type"] == "path_type":
        return f"{flag_of(name)}: give the path of a file; got a {type(first['input']).__name__}."
    if first["type"] == "value_error":
        return f"{flag_of(name)}: {first['ctx']['error']}"
    rule = str(first["msg"]).removeprefix("Input ")
    about = (options.model_fields[name].description or "").split(" (default", 1)[0]
    return f"{flag_of(name)}{f', {about},' if about else ''} {rule}; got {first['input']!r}."
