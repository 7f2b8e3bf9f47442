"""The verbs: a folder each, one row a verb."""

from eidophone.options.kinds import Options
from eidophone.verbs.colorize.options import ColorizeOptions
from eidophone.verbs.compose.options import ComposeOptions
from eidophone.verbs.distill.options import DistillOptions
from eidophone.verbs.hear.options import HearOptions
from eidophone.verbs.imprint.options import ImprintOptions
from eidophone.verbs.paint.options import PaintOptions
from eidophone.verbs.see.options import SeeOptions

VERBS: dict[str, type[Options]] = {
    "compose": ComposeOptions,
    "imprint": ImprintOptions,
    "colorize": ColorizeOptions,
    "distill": DistillOptions,
    "paint": PaintOptions,
    "hear": HearOptions,
    "see": SeeOptions,
}
