"""Options of your own material: pictures and sounds in the place of prompts."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from eidophone.options.kinds import Options, Share, setting

Fit = Literal["contain", "cover", "stretch"]


class PictureOptions(Options):
    """How your own picture gets onto the canvas, and its tones."""

    fit: Fit = setting(
        "how your own picture fills the canvas: contain (all of it, only sound beside it), cover (no border, edges "
        "cropped) or stretch",
        default="contain", group="own",
    )  # fmt: skip
    levels: bool = setting(
        "stretch your picture's tones so that its shadows are silent", default=True, group="own"
    )
    brightness: Annotated[float, Field(ge=-1, le=1, allow_inf_nan=False)] = setting(
        "added to your picture's tones; lighter is louder", default=0.0, group="own"
    )
    contrast: Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)] = setting(
        "contrast of your picture; 1 changes nothing", default=1.0, group="own"
    )
    gamma: Annotated[float, Field(ge=0.1, le=10, allow_inf_nan=False)] = setting(
        "gamma of your picture: above 1 its shadows are quieter, below 1 louder", default=1.0, group="own"
    )


class OwnOptions(PictureOptions):
    """Your own picture or sound, part of which a model may change."""

    picture: Path | None = setting(
        "your own picture; the image prompt may then be left out", default=None, group="own", common=True
    )
    sound: Path | None = setting(
        "your own sound; the audio prompt may then be left out", default=None, group="own", common=True
    )
    strength: Share = setting(
        "how much your own material may change, 0 to 1",
        default=0.5, group="own", common=True,
    )  # fmt: skip
    mask: Path | None = setting(
        "picture that says where your own picture may change: white may, black stays",
        default=None,
        group="own",
    )
