"""What settings are made of: kinds of values with their rules, presets, one sentence for a mistake."""

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from eidophone.errors import BadInput

Preset = Literal["paper", "fast", "draft"]
Solver = Literal["ddim", "plms", "dpm++2m", "unipc"]
PixelSolver = Literal["ddpm", "ddim", "dpm++2m"]
Dtype = Literal["auto", "float32", "bfloat16", "float16"]
BlendMode = Literal["average", "inlay", "lighten"]
RankBy = Literal["weaker", "both", "weights"]
Representation = Literal["implicit", "pixels", "latent"]
Weighting = Literal["variance", "clean"]
VocoderChoice = Literal["auto", "hifi-gan", "griffin-lim"]

Steps = Annotated[int, Field(ge=1, le=1000)]
Scale = Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Rate = Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)]
Pixels = Annotated[int, Field(ge=8, le=65_536)]
Device = Annotated[str, Field(pattern=r"^(auto|cpu|mps|cuda(:\d{1,2})?)$")]
Threads = Annotated[int, Field(ge=1, le=1024)]
Decibels = Annotated[float, Field(ge=-100, le=100, allow_inf_nan=False)]


def text_of(given: Any) -> Any:
    """A path as text; anything else as it is."""
    return str(given) if isinstance(given, Path) else given


#: A card, a folder, a file or a hub id; a `Path` will do.
ModelName = Annotated[str, BeforeValidator(text_of), Field(min_length=1)]


def choose(help_text: str, **more: Any) -> Any:
    """A field with its help and its rules."""
    return Field(description=help_text, **more)


class Options(BaseModel):
    """What every verb's options share: frozen, no unknown names, presets as named values.

    Class attributes:
        PRESETS: what each preset sets; a value given by the user wins.
        HIDDEN: names that are no flags (they come as positional arguments).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {}
    HIDDEN: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def make(cls, **given: Any) -> Self:
        """Builds options from a preset and given values; the given ones win.

        Raises:
            BadInput: an unknown name, a value out of its range, or settings that contradict each other.
        """
        preset = given.get("preset", "fast")
        known = cls.PRESETS.get(preset, {}) if isinstance(preset, str) else {}
        try:
            return cls(**{**known, **given})
        except ValidationError as error:
            raise BadInput(_sentence(cls, error)) from None

    @model_validator(mode="after")
    def _can_be_written(self) -> Self:
        for name in type(self).model_fields:
            value = getattr(self, name)
            try:
                str(value).encode()
            except UnicodeEncodeError:
                raise ValueError(
                    f"{flag_of(name)}: {str(value)!a} is not valid UTF-8 text; write it again."
                ) from None
        return self

    def plain(self) -> dict[str, Any]:
        """Plain JSON values; `make(**plain)` gives equal options."""
        return self.model_dump(mode="json")


def flag_of(name: str) -> str:
    """`image_model` -> `--image-model`, `from_` -> `--from`."""
    return "--" + name.removesuffix("_").replace("_", "-")


def _sentence(options: type[Options], error: ValidationError) -> str:
    """One sentence for the first thing that pydantic refused."""
    first = error.errors()[0]
    if not first["loc"]:
        return str(first["ctx"]["error"]) if "ctx" in first else str(first["msg"])
    name = str(first["loc"][0])
    if first["type"] == "extra_forbidden":
        known = ", ".join(sorted(options.model_fields))
        return f"There is no setting {name!r}; known are {known}."
    rule = str(first["msg"]).removeprefix("Input ")
    about = (options.model_fields[name].description or "").split(" (default", 1)[0]
    return f"{flag_of(name)}{f', {about},' if about else ''} {rule}; got {first['input']!r}."
