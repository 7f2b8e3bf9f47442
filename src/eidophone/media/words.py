"""A picture of the weights over a caption: one bar a word."""

from collections.abc import Sequence

import numpy as np

from eidophone.media.picture import caption_band, from_bytes, ground
from eidophone.values import Picture

CELL, BAR, BAR_HEIGHT, GAP = 96, 40, 96, 8
PLAIN, MARKED = (92, 108, 140), (236, 172, 72)
MOST_IN_A_ROW = 10


def word_bars(words: Sequence[str], weights: Sequence[float], marked: Sequence[bool]) -> Picture:
    """Bars over words, ten a row; the highest weight fills its row, and each is written above its bar.

    Args:
        words: At least one.
        weights: 0 or more, one a word.
        marked: Words that are drawn in another colour.
    """
    if not words or not len(words) == len(weights) == len(marked):
        raise ValueError(f"{len(words)} words, {len(weights)} weights, {len(marked)} marks: no picture")
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
