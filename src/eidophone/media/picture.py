"""Picture files to `Picture` and back, pictures at other sizes, and words as pictures.

Reads whatever Pillow reads, as RGB on black; writes one thing: 8-bit RGB PNG, which can carry its recipe
as text. Colour profiles are not applied."""

import struct
import unicodedata
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps, PngImagePlugin, UnidentifiedImageError

from eidophone.core.errors import BadInput
from eidophone.core.values import Floats, Picture
from eidophone.media.files import check_readable, write_atomically

T = TypeVar("T")

MOST_PIXELS = 64_000_000  # 768 MB as float32 RGB; more than that is a mistake or an attack
KNOWN_FORMATS = "try a PNG, JPEG or WebP file"
GROUND = (13, 14, 20)  # nearly black, a little blue: the ground of videos and contact sheets
INK = (232, 230, 222)
ELLIPSIS = "..."
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

# What Pillow's readers raise for a damaged file, besides UnidentifiedImageError, which is an OSError.
DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    struct.error,
)
BOMB = (Image.DecompressionBombError, Image.DecompressionBombWarning)


def read_picture(path: Path) -> Picture:
    """Reads a picture file: the first frame, the right way up, on black where it is transparent.

    Grey becomes three equal channels. 8-bit values are divided by 255, 16-bit grey ones by 65535 (Pillow
    reads 16-bit colour as 8-bit); floating-point grey is taken as 0 to 1 and clipped.

    Raises:
        BadInput: Missing, a folder, empty, not a picture, damaged or cut short, or of more than 64 million
            pixels.
    """
    check_readable(path, "a picture")
    return Picture(_opened(path, lambda image: _pixels(ImageOps.exif_transpose(image))))


def write_png(path: Path, picture: Picture, *, text: Mapping[str, str] | None = None) -> None:
    """Writes an 8-bit RGB PNG, each value rounded to the nearest step. The same picture makes the same bytes.

    Args:
        path: Where to; its folder is made.
        picture: What to write.
        text: Words to keep inside by keyword (1 to 79 Latin letters); beyond Latin-1 as iTXt.

    Raises:
        CannotWrite: No place or no permission.
    """
    info = PngImagePlugin.PngInfo()
    for keyword, words in (text or {}).items():
        info.add_text(keyword, words)
    image = Image.fromarray(to_bytes(picture), "RGB")
    write_atomically(path, lambda draft: image.save(draft, "PNG", pnginfo=info, compress_level=6))


def read_png_text(path: Path) -> dict[str, str]:
    """The words kept inside a PNG, by keyword; empty if there are none.

    Raises:
        BadInput: Missing, damaged, or not a PNG.
    """
    check_readable(path, "a picture")

    def _words(image: Image.Image) -> dict[str, str]:
        if not isinstance(image, PngImagePlugin.PngImageFile):
            raise BadInput(f"{path} is not a PNG file; name a WAV or PNG file that was made here.")
        return {str(keyword): str(value) for keyword, value in image.text.items()}

    return _opened(path, _words)


def to_bytes(picture: Picture) -> NDArray[np.uint8]:
    """Pixels as 8-bit values, rounded to nearest, shape (height, width, 3)."""
    rounded: NDArray[np.uint8] = np.floor(picture.pixels * np.float32(255) + np.float32(0.5)).astype(np.uint8)
    return rounded


def from_bytes(pixels: NDArray[np.uint8]) -> Picture:
    """The picture of 8-bit RGB values of shape (height, width, 3); undoes `to_bytes`."""
    return Picture(pixels.astype(np.float32) / np.float32(255))


def resize(picture: Picture, height: int, width: int) -> Picture:
    """The picture at another size in pixels, by Lanczos: antialiased when smaller, smooth when larger."""
    if height < 1 or width < 1:
        raise ValueError(f"height and width must be at least 1; got {height} x {width}")
    if picture.pixels.shape[:2] == (height, width):
        return picture
    channels = [
        np.asarray(Image.fromarray(picture.pixels[:, :, i]).resize((width, height), Image.Resampling.LANCZOS))
        for i in range(3)
    ]
    return Picture(np.clip(np.stack(channels, axis=2), 0, 1))


def fit_height(picture: Picture, height: int) -> Picture:
    """The picture at another height in pixels; the width follows, at least 1."""
    old_height, old_width = picture.pixels.shape[:2]
    return resize(picture, height, max(1, round(old_width * height / old_height)))


def contact_sheet(pictures: Sequence[Picture], captions: Sequence[str], columns: int) -> Picture:
    """All pictures in a grid, row by row, on a dark ground, each with its caption below it.

    Pictures keep their size; smaller ones are centred in a cell as large as the largest. A caption that is
    too long for its cell is wrapped to two lines and then cut.

    Args:
        pictures: At least one.
        captions: One for each picture; may be empty strings.
        columns: How many beside each other, at most; 1 or more.
    """
    if not pictures or len(pictures) != len(captions) or columns < 1:
        raise ValueError(f"{len(pictures)} pictures, {len(captions)} captions, {columns} columns: no sheet")
    height = max(picture.pixels.shape[0] for picture in pictures)
    width = max(picture.pixels.shape[1] for picture in pictures)
    bands = [caption_band((caption,), width, size=13, most_lines=2) for caption in captions]
    band_height = max(band.shape[0] for band in bands)
    gap, columns = 12, min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    sheet = ground(gap + rows * (height + band_height + gap), gap + columns * (width + gap))
    for i, (picture, band) in enumerate(zip(pictures, bands, strict=True)):
        top = gap + i // columns * (height + band_height + gap)
        left = gap + i % columns * (width + gap)
        h, w = picture.pixels.shape[:2]
        y, x = top + (height - h) // 2, left + (width - w) // 2
        sheet[y : y + h, x : x + w] = to_bytes(picture)
        sheet[top + height : top + height + band.shape[0], left : left + width] = band
    return from_bytes(sheet)


def strip(pictures: Sequence[Picture], captions: Sequence[str], width: int = 2400) -> Picture:
    """Pictures of one course, each with its caption: beside each other as far as `width` pixels hold them."""
    columns = max(1, min(len(pictures), width // pictures[0].pixels.shape[1]))
    return contact_sheet(pictures, captions, columns)


def ground(height: int, width: int) -> NDArray[np.uint8]:
    """An empty dark ground, 8-bit RGB of shape (height, width, 3)."""
    return np.full((height, width, 3), GROUND, np.uint8)


def caption_band(captions: Sequence[str], width: int, *, size: int, most_lines: int = 3) -> NDArray[np.uint8]:
    """Captions set in a clear sans-serif on the dark ground, each on lines of its own, centred.

    A caption that needs more than one line is set smaller, down to three quarters; then it is wrapped between
    words (or letters, if a word alone is too long); what goes beyond `most_lines` is cut with an ellipsis.
    The font that Pillow brings along knows ASCII only: accents are dropped and what has no Latin form is
    shown as a question mark. Shape (height, width, 3); without captions,
    or with only empty ones, the height is 0.

    Args:
        captions: The texts; line breaks count as spaces.
        width: Of the band, in pixels.
        size: Of the letters, in pixels.
        most_lines: For each caption.
    """
    texts = [" ".join(_in_ascii(caption).split()) for caption in captions]
    if not any(texts):
        return ground(0, width)
    room = max(1, width - size)
    blocks = [_set(text, room, size, most_lines) for text in texts if text]
    line_height = round(1.35 * size)
    height = line_height * sum(len(lines) for _, lines in blocks) + size
    image = Image.fromarray(ground(height, width), "RGB")
    draw, y = ImageDraw.Draw(image), (size + line_height) // 2
    for font, lines in blocks:
        for line in lines:
            draw.text((width / 2, y), line, fill=INK, font=font, anchor="mm")
            y += line_height
    return np.array(image)


def _opened(path: Path, use: Callable[[Image.Image], T]) -> T:
    """What `use` makes of the opened picture; every way in which that can fail is a BadInput."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise Image.DecompressionBombError
                return use(image)
    except BOMB as error:
        most = MOST_PIXELS // 1_000_000
        raise BadInput(f"{path} has more than {most} million pixels; make it smaller first.") from error
    except UnidentifiedImageError as error:
        raise BadInput(f"{path} is not a picture; {KNOWN_FORMATS}.") from error
    except DAMAGE as error:
        raise BadInput(f"{path} is cut short or damaged; copy or download it again.") from error


def _pixels(image: Image.Image) -> Floats:
    """RGB on black, float32 in [0, 1], shape (height, width, 3)."""
    if image.mode == "F" or image.mode.startswith("I"):
        gray = np.asarray(image, np.float32)
        if image.mode != "F":
            gray = gray / np.float32(65535)
        if not np.isfinite(gray).all() or (image.mode != "F" and gray.max() > 1):
            raise ValueError("grey values that are not finite, or of more than 16 bits")
        return np.repeat(np.clip(gray, 0, 1)[:, :, None], 3, axis=2)
    if image.has_transparency_data:
        layers = np.asarray(image.convert("RGBA"), np.float32) / np.float32(255)
        return layers[:, :, :3] * layers[:, :, 3:]
    return np.asarray(image.convert("RGB"), np.float32) / np.float32(255)


def _in_ascii(text: str) -> str:
    apart = unicodedata.normalize("NFKD", text.translate(TYPESET))
    return "".join(c for c in apart if not unicodedata.combining(c)).encode("ascii", "replace").decode()


def _set(text: str, room: int, size: int, most_lines: int) -> tuple[ImageFont.FreeTypeFont, list[str]]:
    """The font and the lines that fit: one line if at all possible, then smaller, then several."""
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
