"""Text set into pictures: captions below a picture, on a dark ground."""

import unicodedata
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

GROUND = (13, 14, 20)  # nearly black, a little blue: the ground of videos and contact sheets
INK = (232, 230, 222)
ELLIPSIS = "..."
#: Letters that Unicode does not split into a Latin letter and an accent.
TYPESET = str.maketrans(
    {
        "ß": "ss",
        "–": "-",
        "—": "-",
        "‘": "'",
        "’": "'",
        "“": '"',
        "”": '"',
        "ø": "o",
        "Ø": "O",
        "æ": "ae",
        "Æ": "AE",
        "œ": "oe",
        "ł": "l",
        "Ł": "L",
        "đ": "d",
    }
)


def ground(height: int, width: int) -> NDArray[np.uint8]:
    """An empty dark ground, 8-bit RGB of shape (height, width, 3)."""
    return np.full((height, width, 3), GROUND, np.uint8)


def caption_band(captions: Sequence[str], width: int, *, size: int, most_lines: int = 3) -> NDArray[np.uint8]:
    """Captions in a sans-serif font on the dark ground, centred, each beginning a new line.

    A caption that is too long for one line is set smaller, down to three quarters of the size; then it is
    wrapped between words (or letters, if one word is too long). Lines beyond `most_lines` are cut and end in
    an ellipsis. Pillow's own font has ASCII only: accents are dropped, and a character without a Latin form
    becomes a question mark.

    Args:
        captions: The texts; line breaks count as spaces.
        width: Of the band, in pixels.
        size: Of the letters, in pixels.
        most_lines: For each caption.

    Returns:
        8-bit RGB of shape (height, width, 3); the height is 0 if there is no text.
    """
    # No letter is narrower than a pixel, so what is cut off here would not be shown.
    longest = most_lines * width + 1
    texts = [" ".join(_in_ascii(caption[: 4 * longest]).split())[:longest] for caption in captions]
    if not any(texts):
        return ground(0, width)
    room = max(1, width - size)
    blocks = [_lines(text, room, size, most_lines) for text in texts if text]
    line_height = round(1.35 * size)
    height = line_height * sum(len(lines) for _, lines in blocks) + size
    image = Image.fromarray(ground(height, width), "RGB")
    draw, y = ImageDraw.Draw(image), (size + line_height) // 2
    for font, lines in blocks:
        for line in lines:
            draw.text((width / 2, y), line, fill=INK, font=font, anchor="mm")
            y += line_height
    return np.array(image)


def _in_ascii(text: str) -> str:
    apart = unicodedata.normalize("NFKD", text.translate(TYPESET))
    return "".join(c for c in apart if not unicodedata.combining(c)).encode("ascii", "replace").decode()


def _lines(text: str, room: int, size: int, most_lines: int) -> tuple[ImageFont.FreeTypeFont, list[str]]:
    """The font and the lines that fit: one line, else one smaller line, else several."""
    small = max(8, round(0.75 * size))
    for points in range(size, small - 1, -1):
        font = _font(points)
        if font.getlength(text) <= room:
            return font, [text]
    font = _font(small)
    lines = _wrapped(text, font, room)
    if len(lines) > most_lines:
        last = lines[most_lines - 1]
        while last and font.getlength(last + ELLIPSIS) > room:
            last = last[:-1]
        lines = [*lines[: most_lines - 1], last.rstrip() + ELLIPSIS]
    return font, lines


def _wrapped(text: str, font: ImageFont.FreeTypeFont, room: int) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".lstrip()
        if font.getlength(longer) <= room:
            lines[-1] = longer
            continue
        if lines[-1]:
            lines.append("")
        for letter in word:
            if lines[-1] and font.getlength(lines[-1] + letter) > room:
                lines.append("")
            lines[-1] += letter
    return lines


def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size=size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise RuntimeError("this Pillow was built without FreeType; reinstall it from its wheel")
    return font
