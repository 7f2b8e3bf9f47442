"""Strangers' pictures: only raster formats are opened, sizes are limited, values mean what they should."""

import os
import shutil
import stat
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageDraw

from eidophone.core.errors import BadInput, EidophoneError
from eidophone.core.values import Picture
from eidophone.media import sheets
from eidophone.media.picture import fit_height, picture_from, read_picture, resize
from eidophone.media.raster import FORMATS
from eidophone.media.sheets import contact_sheet

EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n"
RAMP = np.linspace(0, 1, 48, dtype=np.float64)[None].repeat(4, 0)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def write_bare_png(
    path: Path, width: int, height: int, rows: bytes, *, depth: int = 8, extra: bytes = b""
) -> None:
    """A grey PNG by its specification."""
    header = struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


def warnings_of(path: Path) -> tuple[Picture, list[str]]:
    said: list[str] = []
    return read_picture(path, warn=said.append), said


# R1, R58, R69, R70: formats


def test_no_program_is_started_for_a_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # R1
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("gs", "gswin64c", "convert"):
        (tools / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
        (tools / name).chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", str(tools), prepend=os.pathsep)
    monkeypatch.setattr("PIL.EpsImagePlugin.gs_binary", None)
    for name in ("x.png", "x.eps", "x.jpg"):
        (tmp_path / name).write_bytes(EPS)
        with pytest.raises(BadInput, match="PostScript or EPS drawing"):
            read_picture(tmp_path / name)
    assert not (tmp_path / "started").exists()


def test_the_list_holds_raster_formats_only() -> None:
    # R1
    Image.init()
    assert set(FORMATS) <= set(Image.OPEN)
    assert not set(FORMATS) & {"EPS", "WMF", "GRIB", "BUFR", "HDF5", "FITS", "MPEG", "IPTC", "FPX", "MIC"}


@pytest.mark.parametrize("format_", ["AVIF", "JPEG2000", "PNG", "WEBP", "TIFF", "PPM"])
def test_formats_of_the_list_are_read(tmp_path: Path, format_: str) -> None:
    # R1: AVIF and JPEG 2000 stay
    pixels = np.stack([RAMP, RAMP[:, ::-1], 0.5 + 0 * RAMP], axis=2)
    Image.fromarray(np.rint(255 * pixels).astype(np.uint8).repeat(8, 0)).save(tmp_path / "a", format_)
    assert np.abs(read_picture(tmp_path / "a").pixels - pixels.repeat(8, 0)).max() < 0.1


OTHERS: dict[str, tuple[bytes, str]] = {
    "EPS": (EPS, "a PostScript or EPS drawing"),
    "WMF": (b"\xd7\xcd\xc6\x9a" + bytes(80), "a WMF drawing"),
    "PDF": (b"%PDF-1.7\n" + bytes(80), "a PDF document"),
    "SVG": (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "an SVG drawing"),
    "HEIC": (struct.pack(">I", 24) + b"ftypheic" + bytes(12), "a HEIC picture"),
    "JPEG XL": (b"\xff\x0a" + bytes(80), "a JPEG XL picture"),
    "PSD": (b"8BPS\0\1" + bytes(80), "a Photoshop document"),
    "BLP": (b"BLP2" + struct.pack("<I", 9) + bytes(200), "a BLP texture"),
    "film": (struct.pack(">I", 24) + b"ftypisom" + bytes(12), "a film"),
    "sound": (b"OggS" + bytes(80), "a sound"),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_formats_that_are_not_read_are_named_with_a_remedy(tmp_path: Path, kind: str) -> None:
    # R58, R69, R70
    content, words = OTHERS[kind]
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(BadInput) as caught:
        read_picture(tmp_path / "a.png")
    message = str(caught.value)
    assert f"a.png is {words}, which" in message
    assert message.endswith("save it as PNG, JPEG, WebP or TIFF.") and "\n" not in message


def test_a_dds_that_pillow_does_not_know_is_named(tmp_path: Path) -> None:
    # R58
    Image.new("RGB", (8, 8)).save(tmp_path / "a.dds")
    whole = bytearray((tmp_path / "a.dds").read_bytes())
    whole[80:88] = struct.pack("<I4s", 4, b"ZZZZ")
    (tmp_path / "a.dds").write_bytes(whole)
    with pytest.raises(BadInput, match="is a DDS texture"):
        read_picture(tmp_path / "a.dds")


@pytest.mark.parametrize("format_", ["AVIF", "JPEG2000", "WEBP"])
def test_damage_in_newer_formats_is_a_sentence(tmp_path: Path, format_: str) -> None:
    # R57
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "a", format_)
    whole = (tmp_path / "a").read_bytes()
    refused = 0
    for seed in range(80):
        rng = np.random.default_rng(seed)
        damaged = bytearray(whole)
        for place in rng.integers(0, len(whole), 12):
            damaged[place] = int(rng.integers(256))
        (tmp_path / "b").write_bytes(damaged[: rng.integers(40, len(whole))] if seed % 2 else damaged)
        try:
            read_picture(tmp_path / "b")
        except BadInput as error:
            refused += 1
            assert str(tmp_path / "b") in str(error)
    assert refused > 20


@pytest.mark.parametrize(
    "problem", [RuntimeError("x"), NotImplementedError("x"), struct.error("x"), KeyError(1)]
)
def test_whatever_a_reader_raises_becomes_a_sentence(
    tmp_path: Path, problem: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    # R57, R58
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")

    def fails(*_args: object) -> None:
        raise problem

    monkeypatch.setattr(Image.Image, "convert", fails)
    with pytest.raises(BadInput, match=r"a\.png is cut short or damaged"):
        read_picture(tmp_path / "a.png")


def test_too_little_memory_for_a_picture_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # R61
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")

    def fails(*_args: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Image.Image, "convert", fails)
    with pytest.raises(EidophoneError, match=r"Out of memory while reading .*a\.png"):
        read_picture(tmp_path / "a.png")


def test_what_libtiff_has_to_say_is_not_printed(tmp_path: Path) -> None:
    # R71
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.tif", compression="tiff_lzw")
    with Image.open(tmp_path / "a.tif") as image:
        strip = image.tag_v2[273][0]
    whole = bytearray((tmp_path / "a.tif").read_bytes())
    whole[strip + 100 : strip + 120] = b"\xff" * 20
    (tmp_path / "a.tif").write_bytes(whole)
    ours = (
        "import sys; from pathlib import Path; from eidophone.media.picture import read_picture\n"
        "from eidophone.core.errors import BadInput\n"
        "try: read_picture(Path(sys.argv[1]))\n"
        "except BadInput: print('still here', file=sys.stderr)"
    )
    pillows = "import sys; from PIL import Image\ntry: Image.open(sys.argv[1]).load()\nexcept OSError: pass"
    ours_said, pillow_said = (
        subprocess.run([sys.executable, "-c", program, str(tmp_path / "a.tif")], capture_output=True).stderr
        for program in (ours, pillows)
    )
    assert ours_said.split() == [b"still", b"here"]
    assert pillow_said  # or this test would show nothing


# R13, R14: sizes


@pytest.mark.parametrize(("width", "height"), [(1, 60_000_000), (60_000_000, 1), (2, 1_000_001)])
def test_extreme_shapes_are_refused_before_they_are_decoded(tmp_path: Path, width: int, height: int) -> None:
    # R13, R14
    write_bare_png(tmp_path / "a.png", width, height, b"")  # no pixels: decoding would fail
    with pytest.raises(BadInput, match=rf"a\.png is {width} x {height} pixels, .* cut it first"):
        read_picture(tmp_path / "a.png")


@pytest.mark.parametrize(("width", "height"), [(1, 999_999), (999_999, 1)])
def test_the_longest_sides_need_little_memory(tmp_path: Path, width: int, height: int) -> None:
    # R13, R14
    write_bare_png(tmp_path / "a.png", width, height, (b"\0" + bytes([200]) * width) * height)
    program = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from eidophone.media.picture import read_picture, resize\n"
        "from eidophone.media.sheets import contact_sheet\n"
        "from eidophone.media.video import make_stage\n"
        "picture = read_picture(Path(sys.argv[1]))\n"
        "assert abs(resize(picture, 60, 60).pixels.mean() - 200 / 255) < 0.01\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "make_stage(picture, ('a',))\n"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "a.png")], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) < 500  # MiB


def test_a_resize_beyond_the_limit_is_refused_before_it_begins() -> None:
    # R14
    wide = Picture(np.zeros((1, 600_000, 3), np.float32))
    with pytest.raises(BadInput, match=r"600000 x 1 pixels .* scaled to 76800000 x 128.*cut it first"):
        fit_height(wide, 128)


@pytest.mark.parametrize("shape", [(1, 90_000), (90_000, 1), (300, 500)])
@pytest.mark.parametrize("columns", [1, 3])
def test_a_contact_sheet_shrinks_its_pictures_if_it_would_be_too_large(
    shape: tuple[int, int], columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # R14
    monkeypatch.setattr(sheets, "MOST_PIXELS", 1_000_000)
    picture = Picture(np.full((*shape, 3), 0.5, np.float32))
    sheet = contact_sheet([picture] * 9, ["name"] * 9, columns)
    assert sheet.pixels.shape[0] * sheet.pixels.shape[1] <= 1_000_000
    assert (np.abs(sheet.pixels - 0.5) < 0.01).all(2).sum() >= 9


@pytest.mark.parametrize("shape", [(4000, 3), (3, 4000)])
def test_a_steep_reduction_is_still_the_mean(shape: tuple[int, int]) -> None:
    # R13
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]]
    wave = (0.5 + 0.4 * np.sin((y + x) / 600)).astype(np.float32)
    small = resize(Picture.from_gray(wave), *(10 if side > 100 else side for side in shape)).pixels[:, :, 0]
    blocks = wave.reshape(10, 400, 3).mean(1) if shape[0] > 100 else wave.reshape(3, 10, 400).mean(2)
    assert np.abs(small - blocks).max() < 0.02


# R26, R27: grey values


FLOATS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], bool]] = {
    "0 to 1": (lambda ramp: ramp, False),
    "0 to 255": (lambda ramp: np.rint(255 * ramp), False),
    "0 to 65535": (lambda ramp: np.rint(65535 * ramp), False),
    "fractions up to 255": (lambda ramp: 255 * ramp, True),
    "decibels": (lambda ramp: -80 + 80 * ramp, True),
    "elevations": (lambda ramp: -400 + 9000 * ramp, True),
    "overshoot": (lambda ramp: ramp * 1.01 - 0.005, False),
}


@pytest.mark.parametrize("kind", FLOATS)
@pytest.mark.parametrize("name", ["a.tif", "a.pfm"])
def test_floating_point_pictures_are_scaled_by_their_range(tmp_path: Path, kind: str, name: str) -> None:
    # R26
    make, warned = FLOATS[kind]
    values = make(RAMP).astype(np.float32)
    if name.endswith("tif"):
        tifffile.imwrite(tmp_path / name, values)
    else:  # rows from the bottom up
        height, width = values.shape
        (tmp_path / name).write_bytes(
            b"Pf\n%d %d\n-1.0\n" % (width, height) + values[::-1].astype("<f4").tobytes()
        )
    picture, said = warnings_of(tmp_path / name)
    assert np.abs(picture.pixels[:, :, 0] - RAMP).max() < 0.011
    assert bool(said) == warned and all(name in words and words.endswith(".") for words in said)


INTEGERS: dict[str, tuple[np.dtype, float, float, bool]] = {
    "bytes in 32 bits": (np.dtype(np.int32), 0, 255, False),
    "16 bits in 32": (np.dtype(np.uint32), 0, 65535, False),
    "32 bits": (np.dtype(np.uint32), 0, 2**32 - 1, True),
    "signed": (np.dtype(np.int32), -(10**6), 10**6, True),
    "signed 16 bits": (np.dtype(np.int16), -400, 8000, True),
    "16 bits": (np.dtype(np.uint16), 0, 65535, False),
}


@pytest.mark.parametrize("kind", INTEGERS)
def test_integer_pictures_are_scaled_by_their_range(tmp_path: Path, kind: str) -> None:
    # R26, R70
    dtype, low, high, warned = INTEGERS[kind]
    tifffile.imwrite(tmp_path / "a.tif", np.rint(low + (high - low) * RAMP).astype(dtype))
    picture, said = warnings_of(tmp_path / "a.tif")
    assert np.abs(picture.pixels[:, :, 0] - RAMP).max() < 0.003
    assert bool(said) == warned


def test_a_dark_16_bit_picture_stays_dark(tmp_path: Path) -> None:
    # R26: its white is known
    dark = np.rint(200 * RAMP).astype(np.uint16)
    Image.fromarray(dark).save(tmp_path / "a.png")
    (tmp_path / "a.pgm").write_bytes(b"P5 48 4 65535\n" + dark.astype(">u2").tobytes())
    for name in ("a.png", "a.pgm"):
        picture, said = warnings_of(tmp_path / name)
        assert picture.pixels.max() == pytest.approx(200 / 65535, abs=1e-6) and not said


def test_a_picture_of_one_value_beyond_white_is_refused(tmp_path: Path) -> None:
    # R26
    tifffile.imwrite(tmp_path / "a.tif", np.full((4, 4), -20.5, np.float32))
    with pytest.raises(BadInput, match=r"holds the value -20\.5 everywhere; scale"):
        read_picture(tmp_path / "a.tif")


@pytest.mark.parametrize(("depth", "dtype"), [(8, "u1"), (16, ">u2")])
def test_the_transparent_value_of_a_gray_png_is_black(tmp_path: Path, depth: int, dtype: str) -> None:
    # R27
    white = 2**depth - 1
    row = np.array([white, white // 2, white, white // 4]).astype(dtype).tobytes()
    transparent = chunk(b"tRNS", struct.pack(">H", white))
    write_bare_png(tmp_path / "a.png", 4, 1, b"\0" + row, depth=depth, extra=transparent)
    pixels = read_picture(tmp_path / "a.png").pixels[0, :, 0]
    assert pixels.tolist() == pytest.approx([0, 0.5, 0, 0.25], abs=0.01)


# R29: drawings on transparent ground


def drawing(ink: tuple[int, int, int, int]) -> Image.Image:
    image = Image.new("RGBA", (40, 30), (0, 0, 0, 0))
    ImageDraw.Draw(image).line((5, 5, 35, 25), fill=ink, width=3)
    return image


def test_a_black_drawing_on_transparent_ground_is_put_on_white(tmp_path: Path) -> None:
    # R29
    drawing((0, 0, 0, 255)).save(tmp_path / "a.png")
    picture, said = warnings_of(tmp_path / "a.png")
    on_white = Image.new("RGBA", (40, 30), "white")
    on_white.alpha_composite(drawing((0, 0, 0, 255)))
    assert np.abs(picture.pixels - np.asarray(on_white.convert("RGB")) / 255).max() < 1e-6
    assert len(said) == 1 and "a.png is a black drawing on a transparent ground" in said[0]


@pytest.mark.parametrize("ink", [(255, 255, 255, 255), (200, 30, 30, 255), (255, 255, 255, 12)])
def test_other_drawings_stay_on_black(tmp_path: Path, ink: tuple[int, int, int, int]) -> None:
    # R29
    drawing(ink).save(tmp_path / "a.png")
    picture, said = warnings_of(tmp_path / "a.png")
    assert not said and picture.pixels[0, 0].tolist() == [0, 0, 0] and picture.pixels.max() > 0.04


def test_a_fully_transparent_picture_is_black_and_said_to_be(tmp_path: Path) -> None:
    # R29
    Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(tmp_path / "a.png")
    picture, said = warnings_of(tmp_path / "a.png")
    assert not picture.pixels.any() and "fully transparent" in said[0]


def test_black_without_transparency_is_black(tmp_path: Path) -> None:
    # R29
    Image.new("RGBA", (4, 4), (0, 0, 0, 255)).save(tmp_path / "a.png")
    picture, said = warnings_of(tmp_path / "a.png")
    assert not picture.pixels.any() and not said


# Names


@pytest.mark.skipif(sys.platform == "win32", reason="names are Unicode there")
def test_a_picture_whose_name_is_not_utf_8_is_read(tmp_path: Path) -> None:
    # R73
    Image.new("RGB", (4, 4), "red").save(tmp_path / "a.png")
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png"))
    shutil.copy(tmp_path / "a.png", path)
    assert read_picture(path).pixels[0, 0].tolist() == [1, 0, 0]
    assert picture_from(path).pixels.shape == (4, 4, 3)
