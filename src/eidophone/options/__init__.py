"""The settings of every verb: their names, rules, help and presets, written once.

Flags, the Python API and the record are made from these classes. This module imports no torch, so
that `--help` is quick. `None` in a preset means: what the models themselves advise (their card).
"""

from eidophone.options.base import (
    BlendMode,
    Decibels,
    Device,
    Dtype,
    ModelName,
    Options,
    Pixels,
    PixelSolver,
    Preset,
    RankBy,
    Rate,
    Representation,
    Scale,
    Share,
    Solver,
    Steps,
    Threads,
    VocoderChoice,
    Weighting,
    flag_of,
)
from eidophone.options.canvas import DRAWING_SIZE, ComposeOptions, ImprintOptions
from eidophone.options.colorize import ColorizeOptions
from eidophone.options.distill import DistillOptions
from eidophone.options.judging import EvaluateOptions, ScoreOptions
from eidophone.options.media import CaptionOptions, HearOptions, MixOptions, SeeOptions
from eidophone.options.paint import PaintOptions
from eidophone.options.shared import ChoiceOptions, DrawOptions, JudgeOptions, PlaceOptions, SampleOptions

__all__ = [
    "DRAWING_SIZE",
    "VERBS",
    "BlendMode",
    "CaptionOptions",
    "ChoiceOptions",
    "ColorizeOptions",
    "ComposeOptions",
    "Decibels",
    "Device",
    "DistillOptions",
    "DrawOptions",
    "Dtype",
    "EvaluateOptions",
    "HearOptions",
    "ImprintOptions",
    "JudgeOptions",
    "MixOptions",
    "ModelName",
    "Options",
    "PaintOptions",
    "PixelSolver",
    "Pixels",
    "PlaceOptions",
    "Preset",
    "RankBy",
    "Rate",
    "Representation",
    "SampleOptions",
    "Scale",
    "ScoreOptions",
    "SeeOptions",
    "Share",
    "Solver",
    "Steps",
    "Threads",
    "VocoderChoice",
    "Weighting",
    "flag_of",
]

VERBS: dict[str, type[Options]] = {
    "compose": ComposeOptions,
    "imprint": ImprintOptions,
    "colorize": ColorizeOptions,
    "distill": DistillOptions,
    "paint": PaintOptions,
    "hear": HearOptions,
    "see": SeeOptions,
}
