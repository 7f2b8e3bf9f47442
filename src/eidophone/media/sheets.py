"""Several pictures in one: contact sheets, strips of stages, bar charts of word weights."""

import math
from collections.abc import Sequence

import numpy as np

from eidophone.core.values import Picture
from eidophone.media.lettering import caption_band, ground
from eidophone.media.picture import from_bytes, resize, to_bytes
from eidophone.media.raster import MOST_PIXELS

_GAP, _CAPTION_ROOM = 12, 48  # between pictures, and most height of a caption; pixels
CELL, BAR, BAR_HEIGHT, GAP = 96, 40, 96, 8
PLAIN, MARKED = (92, 108, 140), (236, 172, 72)
MOST_IN_A_ROW = 10


def contact_sheet(pictures: Sequence[Picture], captions: Sequence[str], columns: int) -> Picture:
    """All pictures in a grid, row by row, on a dark ground, each with its caption below it.

    Pictures keep their size unless the sheet would exceed the size limit of a picture; then all are made
    smaller by the same factor. Smaller pictures are centred in a cell as large as the largest one. A long
    caption is wrapped to two lines and then cut.

    Args:
        pictures: At least one.
        captions: One for each picture; may be empty strings.
        columns: Most pictures in a row; 1 or more.
    """
    return _sheet(pictures, captions, columns)[0]


#: (left, top, width, height) of a picture on a sheet, in pixels.
Box = tuple[int, int, int, int]


def _sheet(pictures: Sequence[Picture], captions: Sequence[str], columns: int) -> tuple[Picture, list[Box]]:
    """See `contact_sheet`; also where each picture is."""
    if not pictures or len(pictures) != len(captions) or columns < 1:
        raise ValueError(
            f"a sheet needs pictures, a caption for each, and columns; got {len(pictures)} pictures, "
            f"{len(captions)} captions, {columns} columns"
        )
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    pictures = _fitted(pictures, rows, columns)
    height = max(picture.pixels.shape[0] for picture in pictures)
    width = max(picture.pixels.shape[1] for picture in pictures)
    bands = [caption_band((caption,), width, size=13, most_lines=2) for caption in captions]
    band_height = max(band.shape[0] for band in bands)
    sheet = ground(_GAP + rows * (height + band_height + _GAP), _GAP + columns * (width + _GAP))
    boxes = []
    for i, (picture, band) in enumerate(zip(pictures, bands, strict=True)):
        top = _GAP + i // columns * (height + band_height + _GAP)
        left = _GAP + i % columns * (width + _GAP)
        h, w = picture.pixels.shape[:2]
        y, x = top + (height - h) // 2, left + (width - w) // 2
        boxes.append((x, y, w, h))
        sheet[y : y + h, x : x + w] = to_bytes(picture)
        sheet[top + height : top + height + band.shape[0], left : left + width] = band
    return from_bytes(sheet), boxes


def _fitted(pictures: Sequence[Picture], rows: int, columns: int) -> list[Picture]:
    """The pictures, all smaller by one factor if the sheet would be too large."""
    height = rows * (max(picture.pixels.shape[0] for picture in pictures) + _GAP + _CAPTION_ROOM)
    width = columns * (max(picture.pixels.shape[1] for picture in pictures) + _GAP)
    if height * width <= MOST_PIXELS:
        return list(pictures)
    share = min(
        0.9 * math.sqrt(MOST_PIXELS / (height * width)),
        # Gaps and captions do not shrink: they limit sheets of very narrow or very flat pictures.
        MOST_PIXELS / (2 * height * (_GAP + 1) * columns),
        MOST_PIXELS / (2 * width * (_GAP + 1 + _CAPTION_ROOM) * rows),
    )
    return [
        resize(picture, max(1, round(share * height)), max(1, round(share * width)))
        for picture in pictures
        for height, width in [picture.pixels.shape[:2]]
    ]


def strip(
    pictures: Sequence[Picture], captions: Sequence[str], width: int = 2400
) -> tuple[Picture, list[Box]]:
    """Stages of one picture in order, each with its caption, as many in a row as fit into `width` pixels.

    Returns:
        The strip, and where each stage is on it.
    """
    columns = max(1, min(len(pictures), width // pictures[0].pixels.shape[1]))
    return _sheet(pictures, captions, columns)


def word_bars(words: Sequence[str], weights: Sequence[float], marked: Sequence[bool]) -> Picture:
    """A bar chart of word weights, ten words a row; the highest weight has the full height of its row.

    Args:
        words: At least one.
        weights: 0 or more, one for each word; also written above the bar.
        marked: Which words are drawn in another colour.
    """
    if not words or not len(words) == len(weights) == len(marked):
        raise ValueError(
            f"each word needs a weight and a mark; got {len(words)} words, {len(weights)} weights, "
            f"{len(marked)} marks"
        )
    highest = max(*weights, 1e-9)
    columns = min(MOST_IN_A_ROW, len(words))
    cells = [
        _cell(word, weight, weight / highest, MARKED if mark else PLAIN)
        for word, weight, mark in zip(words, weights, marked, strict=True)
    ]
    height = max(cell.shape[0] for cell in cells)
    sheet = ground(-(-len(cells) // columns) * (height + GAP) + GAP, columns * CELL + 2 * GAP)
    for i, cell in enumerate(cells):
        top, left = GAP + i // columns * (height + GAP), GAP + i % columns * CELL
        sheet[top : top + cell.shape[0], left : left + CELL] = cell
    return from_bytes(sheet)


def _cell(word: str, weight: float, share: float, colour: tuple[int, int, int]) -> np.ndarray:
    bar = ground(BAR_HEIGHT, CELL)
    left = (CELL - BAR) // 2
    bar[BAR_HEIGHT - max(1, round(share * BAR_HEIGHT)) :, left : left + BAR] = colour
    above, below = (caption_band((text,), CELL, size=14, most_lines=1) for text in (f"{weight:.2f}", word))
    return np.concatenate([above, bar, below])
