"""Laws of picture files: pixels and words come back, and what is not a whole picture is refused."""

import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from eidophone.core.errors import BadInput, CannotWrite
from eidophone.core.values import Picture
from eidophone.media import raster as module
from eidophone.media.lettering import caption_band, ground
from eidophone.media.picture import (
    fit_height,
    from_bytes,
    read_picture,
    read_png_text,
    resize,
    to_bytes,
    write_png,
)
from eidophone.media.sheets import contact_sheet


def colourful(height: int = 24, width: int = 40) -> Picture:
    """A smooth picture in which every corner has its own colour."""
    y, x = np.linspace(0, 1, height), np.linspace(0, 1, width)
    red, green = np.meshgrid(x, y)
    return Picture(np.stack([red, green, 1 - red * green], axis=2).astype(np.float32))


# There and back


@given(st.integers(0, 2**32 - 1), st.integers(1, 20), st.integers(1, 20))
@settings(max_examples=30, deadline=None)
def test_eight_bit_pixels_survive(
    tmp_path_factory: pytest.TempPathFactory, seed: int, h: int, w: int
) -> None:
    path = tmp_path_factory.mktemp("png") / "a.png"
    pixels = np.random.default_rng(seed).integers(0, 256, (h, w, 3), np.uint8)
    np.testing.assert_array_equal(to_bytes(from_bytes(pixels)), pixels)
    write_png(path, from_bytes(pixels))
    np.testing.assert_array_equal(read_picture(path).pixels, from_bytes(pixels).pixels)


def test_values_are_rounded_to_the_nearest_step(tmp_path: Path) -> None:
    values = np.array([0, 0.49 / 255, 0.51 / 255, 127.4 / 255, 127.6 / 255, 254.6 / 255, 1], np.float32)
    write_png(tmp_path / "a.png", Picture.from_gray(values[None]))
    with Image.open(tmp_path / "a.png") as image:
        assert image.mode == "RGB"
        assert np.asarray(image)[0, :, 0].tolist() == [0, 0, 1, 127, 128, 255, 255]


@pytest.mark.parametrize(
    ("format_", "mode", "tolerance"),
    [
        ("PNG", "RGB", 0.5 / 255),
        ("BMP", "RGB", 0.5 / 255),
        ("TIFF", "RGB", 0.5 / 255),
        ("WEBP", "RGB", 0.1),
        ("JPEG", "RGB", 0.1),
        ("JPEG", "CMYK", 0.1),
        ("GIF", "P", 0.2),
        ("PNG", "P", 0.2),
    ],
)
def test_every_format_shows_the_same_picture(
    tmp_path: Path, format_: str, mode: str, tolerance: float
) -> None:
    picture = colourful()
    image = Image.fromarray(to_bytes(picture), "RGB")
    (image.quantize(256) if mode == "P" else image.convert(mode)).save(tmp_path / "a", format_)
    assert np.abs(read_picture(tmp_path / "a").pixels - picture.pixels).max() <= tolerance


@pytest.mark.parametrize(("mode", "steps"), [("1", 1), ("L", 255), ("I;16", 65535), ("F", 1)])
def test_gray_is_three_equal_channels(tmp_path: Path, mode: str, steps: int) -> None:
    ramp = np.linspace(0, 1, 64, dtype=np.float32)[None].repeat(3, 0)
    if mode == "1":
        image = Image.fromarray(ramp > 0.5)
    else:
        kind = {"L": np.uint8, "I;16": np.uint16, "F": np.float32}[mode]
        image = Image.fromarray((ramp * steps).astype(kind))
    assert image.mode == mode
    image.save(tmp_path / "a", "TIFF" if mode == "F" else "PNG")
    pixels = read_picture(tmp_path / "a").pixels
    assert (pixels == pixels[:, :, :1]).all()
    expected = ramp > 0.5 if mode == "1" else ramp
    assert np.abs(pixels[:, :, 0] - expected).max() <= 1 / steps * (mode not in "1F")


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_is_black(tmp_path: Path, mode: str) -> None:
    pixels = np.full((2, 3, 4), 255, np.uint8)
    pixels[:, :, 3] = [0, 128, 255]
    image = Image.fromarray(pixels, "RGBA")
    if mode == "P":
        image = Image.fromarray(np.array([[0, 1, 2]] * 2, np.uint8), "P")
        image.putpalette([255] * 9)
        image.info["transparency"] = bytes([0, 128, 255])
    else:
        image = image.convert(mode)
    image.save(tmp_path / "a.png")
    seen = read_picture(tmp_path / "a.png").pixels
    assert seen[0, :, 0].tolist() == pytest.approx([0, 128 / 255, 1], abs=1e-6)


def test_the_first_frame_of_a_moving_gif(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 6), colour) for colour in ("red", "green", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert read_picture(tmp_path / "a.gif").pixels[3, 4].tolist() == [1, 0, 0]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_camera_says_which_way_is_up(tmp_path: Path, orientation: int) -> None:
    turned = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: np.rot90(a.transpose(1, 0, 2), 2),
        8: lambda a: np.rot90(a, -1),
    }
    upright = to_bytes(colourful(6, 10))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(turned[orientation](upright)), "RGB")
    stored.save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(to_bytes(read_picture(tmp_path / "a.png")), upright)


# What is refused


def write_bomb(path: Path) -> None:
    """A PNG of two kilobytes that says it is 30000 x 30000."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", bytes(2000)) + chunk(b"IEND", b"")
    )


def write_cut(format_: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        rng = np.random.default_rng(0)
        Image.fromarray(rng.integers(0, 256, (64, 64, 3), np.uint8), "RGB").save(path, format_)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    return write


def write_nan(path: Path) -> None:
    Image.fromarray(np.full((4, 4), np.nan, np.float32)).save(path, "TIFF")


BROKEN: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "missing": ("a.png", lambda path: None, "does not exist"),
    "folder": ("a.png", lambda path: path.mkdir(), "is a folder"),
    "empty": ("a.png", lambda path: path.touch(), "is empty"),
    "text": ("a.png", lambda path: path.write_text("hello\n" * 100), "not a picture"),
    "random": ("a.jpg", lambda path: path.write_bytes(np.random.default_rng(0).bytes(999)), "not a picture"),
    "bomb": ("a.png", write_bomb, "more than 64 million pixels"),
    "NaN": ("a.tiff", write_nan, "not finite numbers"),
    "PNG": ("a.png", write_cut("PNG"), "cut short"),
    "JPEG": ("a.jpg", write_cut("JPEG"), "cut short"),
    "GIF": ("a.gif", write_cut("GIF"), "cut short"),
    "BMP": ("a.bmp", write_cut("BMP"), "cut short"),
    "WEBP": ("a.webp", write_cut("WEBP"), "cut short|not a picture"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_cannot_be_seen_is_refused_in_one_sentence(tmp_path: Path, case: str) -> None:
    name, make, words = BROKEN[case]
    make(tmp_path / name)
    with pytest.raises(BadInput, match=words) as caught:
        read_picture(tmp_path / name)
    message = str(caught.value)
    assert str(tmp_path / name) in message and message.endswith(".") and "\n" not in message


def test_a_large_picture_is_refused_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_png(tmp_path / "a.png", colourful())
    monkeypatch.setattr(module, "MOST_PIXELS", 24 * 40 - 1)
    with pytest.raises(BadInput, match="make it smaller"):
        read_picture(tmp_path / "a.png")


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP"])
def test_noise_in_a_file_gives_a_picture_or_a_clear_word(tmp_path: Path, format_: str) -> None:
    path = tmp_path / "a"
    Image.fromarray(to_bytes(colourful()), "RGB").save(path, format_)
    whole = path.read_bytes()
    for seed in range(60):
        rng = np.random.default_rng(seed)
        damaged = bytearray(whole)
        for place in rng.integers(0, len(whole), 6):
            damaged[place] = int(rng.integers(256))
        path.write_bytes(damaged)
        try:
            read_picture(path)
        except BadInput as error:
            assert str(path) in str(error)


def test_a_picture_that_cannot_be_stored(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CannotWrite, match="is a file"):
        write_png(tmp_path / "file" / "a.png", colourful())
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


# The recipe


@pytest.mark.parametrize(
    "words",
    [
        "plain",
        "with\nlines",
        "café",
        json.dumps({"prompt": "鐘が鳴る 🔔"}, ensure_ascii=False),
        json.dumps([f"é鐘{i}" for i in range(6000)], ensure_ascii=False)[:50_001],
    ],
    ids=range(5),
)
def test_words_come_back(tmp_path: Path, words: str) -> None:
    write_png(tmp_path / "a.png", colourful(), text={"recipe": words, "other": "x"})
    assert read_png_text(tmp_path / "a.png") == {"recipe": words, "other": "x"}
    np.testing.assert_array_equal(to_bytes(read_picture(tmp_path / "a.png")), to_bytes(colourful()))


def test_a_png_without_words_and_a_file_that_is_no_png(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", colourful())
    assert read_png_text(tmp_path / "a.png") == {}
    Image.new("RGB", (4, 4)).save(tmp_path / "a.jpg")
    with pytest.raises(BadInput, match="not a PNG"):
        read_png_text(tmp_path / "a.jpg")
    with pytest.raises(BadInput, match="does not exist"):
        read_png_text(tmp_path / "b.png")


def test_the_same_picture_makes_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        write_png(tmp_path / name, colourful(), text={"recipe": "é鐘"})
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


# Sizes


@pytest.mark.parametrize(("height", "width"), [(12, 20), (48, 80), (7, 93), (1, 1)])
def test_a_resized_picture_shows_the_same(height: int, width: int) -> None:
    small = resize(colourful(), height, width)
    assert small.pixels.shape == (height, width, 3)
    assert small.pixels.mean((0, 1)) == pytest.approx(colourful().pixels.mean((0, 1)), abs=0.03)
    back = resize(small, 24, 40)
    if min(height, width) > 6:
        assert np.abs(back.pixels - colourful().pixels).max() < 0.15


def test_shrinking_is_antialiased() -> None:
    stripes = Picture.from_gray(np.tile(np.array([0, 1], np.float32), (8, 64)))
    small = resize(stripes, 4, 16).pixels
    assert small == pytest.approx(np.full(small.shape, 0.5), abs=0.06)


def test_fit_height_keeps_the_aspect() -> None:
    assert fit_height(colourful(24, 40), 12).pixels.shape == (12, 20, 3)
    assert fit_height(colourful(400, 2), 10).pixels.shape == (10, 1, 3)
    assert resize(same := colourful(), 24, 40) is same
    with pytest.raises(ValueError, match="at least 1"):
        resize(colourful(), 0, 5)


# Words in pictures


def test_a_contact_sheet_holds_every_picture_untouched() -> None:
    pictures = [colourful(20, 100), colourful(40, 120), colourful(40, 60)]
    sheet = to_bytes(contact_sheet(pictures, ["one", "two", ""], 2))
    for picture in pictures:
        tile = to_bytes(picture)
        h, w = tile.shape[:2]
        windows = np.lib.stride_tricks.sliding_window_view(sheet[:, :, 0], (h, w))[:, :, 0, :]
        assert (windows == tile[0, :, 0]).all(-1).sum() >= 1
    assert (sheet[:12] == ground(12, sheet.shape[1])).all()
    for columns in (1, 3, 9):
        contact_sheet(pictures, ["", "", ""], columns)
    with pytest.raises(ValueError, match="a caption for each"):
        contact_sheet(pictures, ["one"], 2)


@pytest.mark.parametrize(
    "caption", ["bells", "castle towers " * 20, "x" * 500, "鐘が鳴る", "café\nau lait", "[b]{markup}<i>"]
)
def test_a_caption_stays_inside_its_band(caption: str) -> None:
    band = caption_band((caption,), 300, size=16)
    ink = np.abs(band.astype(int) - ground(*band.shape[:2])).sum(2) > 60
    assert band.shape[1] == 300
    assert ink.sum() > 50
    assert not ink[:, :2].any() and not ink[:, -2:].any() and not ink[:2].any() and not ink[-2:].any()


def test_no_captions_take_no_room() -> None:
    assert caption_band((), 300, size=16).shape == (0, 300, 3)
    assert caption_band(("", "  "), 300, size=16).shape == (0, 300, 3)
    one, two = (caption_band(("bells",) * n, 300, size=16).shape[0] for n in (1, 2))
    assert two > one
