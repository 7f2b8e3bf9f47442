"""Where the drawings of several sources stand in one picture.

A model draws best at the size it was trained on, so every source is drawn at that size and made smaller afterwards.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from eidophone.core.errors import BadInput
from eidophone.core.values import Floats
from eidophone.verbs.paint.sources import Source, columns_of

#: The narrowest place of a drawing, in blocks of the VAE.
FEWEST_BLOCKS = 6


@dataclass(frozen=True)
class Layout:
    """The places of drawings, from left to right.

    Attributes:
        drawn: Width in pixels at which each is drawn.
        shown: Width in pixels that each has in the picture, at most `drawn`.
        before, after: Columns of the picture left of the first drawing, and right of the last; the edges go on there.
    """

    drawn: tuple[int, ...]
    shown: tuple[int, ...]
    before: int = 0
    after: int = 0

    def together(self, drawings: Tensor) -> Tensor:
        """One picture of all drawings, each scaled to its place; its edge rows go on above and below.

        Shape:
            - drawings: (batch, channels, height, sum of `drawn`)
            - Output: (batch, channels, height, `before` + sum of `shown` + `after`)
        """
        parts = torch.split(drawings, list(self.drawn), -1)
        picture = torch.cat([_scaled(part, wide) for part, wide in zip(parts, self.shown, strict=True)], -1)
        if not (self.before or self.after):
            return picture
        return F.pad(picture, (self.before, self.after, 0, 0), mode="replicate")


def _scaled(drawing: Tensor, wide: int) -> Tensor:
    height, width = drawing.shape[-2:]
    if wide == width:
        return drawing
    rows = max(1, round(height * wide / width))
    small = F.interpolate(drawing, (rows, wide), mode="bilinear", antialias=True)
    above = (height - rows) // 2
    return F.pad(small.clamp(0, 1), (0, 0, above, height - rows - above), mode="replicate")


def usual_width(sources: Sequence[Source], width: int, factor: int) -> int:
    """How wide a picture of several sources is, in pixels, where the loudest has the model's usual width.

    Args:
        sources: From left to right.
        width: The model's usual width in pixels.
        factor: Pixels of a block of the VAE; the result is a multiple.
    """
    return round(width * sum(source.size for source in sources) / factor) * factor


def layout_of(sources: Sequence[Source], columns: int, width: int, factor: int) -> Layout:
    """The places of sources in a picture: as wide as they are large.

    Args:
        sources: From left to right.
        columns: Width of the picture in pixels, a multiple of `factor`.
        width: The model's usual width in pixels; no drawing is made narrower.
        factor: Pixels of a block of the VAE.

    Raises:
        BadInput: the picture is too narrow for this many sources.
    """
    blocks, count = columns // factor, len(sources)
    if blocks < count:
        raise BadInput(
            f"--size: {columns} pixels are too narrow for {count} sources side by side; make the picture wider or add "
            "--no-sources."
        )
    shown = tuple(factor * part for part in columns_of(sources, blocks, min(FEWEST_BLOCKS, blocks // count)))
    return Layout(tuple(max(width, wide) for wide in shown), shown)


def at_the_loudest(spectrogram: Floats, columns: int, width: int) -> Layout | None:
    """One drawing at the model's usual width, where the recording is loudest; None if it spans the picture anyway.

    Args:
        spectrogram: Mel picture of the recording, (bands, columns).
        columns: Width of the picture in pixels, at least that of the mel picture.
        width: The model's usual width in pixels.
    """
    if columns <= width:
        return None
    loud = np.pad(spectrogram.sum(0, dtype=np.float64), (0, columns - spectrogram.shape[1]))
    inside = np.concatenate([[0.0], loud.cumsum()])
    first = int((inside[width:] - inside[:-width]).argmax())
    return Layout((width,), (width,), first, columns - width - first)
