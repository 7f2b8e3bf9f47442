"""A picture and its sound as a video: a bright line moves across the picture while the sound plays.

MP4 with H.264 and AAC, which every browser and phone plays. The same input makes the same bytes on the same
machine. Memory does not grow with the length: one frame is kept, and only the columns under the line are
redrawn from frame to frame.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import numpy as np
from av.codec.codec import UnknownCodecError
from numpy.typing import NDArray

from eidophone.core.errors import CannotWrite
from eidophone.core.values import Clip, Floats, Picture
from eidophone.media.files import write_atomically
from eidophone.media.lettering import caption_band, ground
from eidophone.media.lossy import audio_frames, audio_stream, cannot_encode, for_encoder
from eidophone.media.picture import resize, to_bytes

Bytes = NDArray[np.uint8]

LEAST_WIDTH, MOST_WIDTH, MOST_HEIGHT = 720, 1920, 1080
MARGIN = 24
Shape = Literal["picture", "wide", "square", "vertical"]
#: Height and width of the frames for sharing, in pixels.
SHAPES: dict[str, tuple[int, int]] = {"wide": (1080, 1920), "square": (1080, 1080), "vertical": (1920, 1080)}
LINE_WIDTH = 2  # one sample of the half-size colour planes
HALO = 4  # pixels darkened on each side, so that the line is visible on white, too
HALO_LIGHT = 0.55
BLACK, WHITE = (16, 128, 128), (235, 128, 128)  # Y, U, V
BT709 = 1  # FFmpeg's number for primaries, transfer curve and matrix of HD video


@dataclass(frozen=True)
class Stage:
    """One video frame without the line, and the place of the picture on it; all in pixels.

    Attributes:
        pixels: 8-bit RGB of shape (height, width, 3), both even.
        left, top, width, height: The picture's place, all even.
    """

    pixels: Bytes
    left: int
    top: int
    width: int
    height: int

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the frame."""
        height, width = self.pixels.shape[:2]
        return height, width

    def line_x(self, moment: float) -> int:
        """Left edge of the line, which is two pixels wide and starts on an even pixel.

        Args:
            moment: Position in the sound, 0 (start) to 1 (end); the line is centred at the same position
                in the picture.
        """
        centre = self.left + moment * self.width
        x = 2 * round((centre - LINE_WIDTH / 2) / 2)
        return min(max(x, self.left), self.left + self.width - LINE_WIDTH)


def write_video(
    path: Path,
    picture: Picture,
    clip: Clip,
    *,
    captions: tuple[str, ...] = (),
    fps: int = 30,
    shape: Shape = "picture",
) -> None:
    """Writes an MP4 video of the picture with a line that moves across it as the clip plays.

    The picture's columns span the clip's duration evenly. Frame k appears at k / fps and shows the line at
    the time of the middle of that frame, (k + 0.5) / fps. So line and sound are at most half a frame and one
    pixel apart. The video is as long as the clip, rounded up to a whole frame.

    A picture narrower than 720 pixels is enlarged by a whole factor; one larger than 1920 x 1080 is scaled
    down. Sounds of more than two channels are mixed to one.

    Args:
        path: The file, ending in .mp4; missing folders are made.
        picture: The picture.
        clip: The sound; clipped to full scale.
        captions: Lines below the picture, for example the two prompts; long ones are wrapped or cut.
        fps: Frames per second, 1 to 120.
        shape: Of the frame; see `SHAPES`.

    Raises:
        CannotWrite: No space, no permission, or an FFmpeg without H.264.
        EidophoneError: Too little memory, or a failing encoder.
    """
    if not 1 <= fps <= 120:
        raise ValueError(f"fps must lie in 1 to 120; got {fps}")
    stage = make_stage(picture, captions, shape)
    frames = max(1, math.ceil(clip.duration_s * fps - 1e-6))
    write_frames(path, stage.size, drawn(stage, frames, clip.duration_s, fps), clip, fps)


def write_frames(path: Path, size: tuple[int, int], frames: Iterable[Bytes], clip: Clip, fps: int) -> None:
    """Writes an MP4 video of frames and a sound; frame k appears at k / fps.

    Args:
        path: The file, ending in .mp4; missing folders are made.
        size: (height, width) of the frames, both even.
        frames: In the layout of `yuv`; each may be the same array, drawn anew.
        clip: The sound; clipped to full scale.
        fps: Frames per second.

    Raises:
        CannotWrite, EidophoneError: as `write_video`.
    """
    sound = for_encoder(clip)
    try:
        write_atomically(path, lambda draft: _encode(draft, size, frames, sound, fps))
    except UnknownCodecError as error:
        raise CannotWrite(
            f"Cannot write {path}: PyAV has no H.264 encoder; install its wheel from PyPI."
        ) from error
    except (av.FFmpegError, MemoryError) as error:
        raise cannot_encode("video", error) from error


def make_stage(picture: Picture, captions: tuple[str, ...], shape: Shape = "picture") -> Stage:
    """Places the picture on a dark ground, with the captions below."""
    if shape != "picture":
        return _framed(picture, captions, SHAPES[shape])
    shown = _fitted(picture)
    height, width = shown.pixels.shape[:2]
    size = max(16, round(width / 44))
    band = caption_band(captions, width, size=size)
    below = max(MARGIN, band.shape[0])
    pixels = ground((MARGIN + height + below + 1) // 2 * 2, width + 2 * MARGIN)
    pixels[MARGIN : MARGIN + height, MARGIN : MARGIN + width] = to_bytes(shown)
    pixels[MARGIN + height : MARGIN + height + band.shape[0], MARGIN : MARGIN + width] = band
    return Stage(pixels, MARGIN, MARGIN, width, height)


def _framed(picture: Picture, captions: tuple[str, ...], frame: tuple[int, int]) -> Stage:
    """The picture as large as it fits into a frame (height, width), in the middle with its captions."""
    tall, wide = frame
    band = caption_band(captions, wide - 2 * MARGIN, size=max(24, min(frame) // 30))[: tall // 3]
    room = tall - 2 * MARGIN - band.shape[0]
    height, width = picture.pixels.shape[:2]
    scale = min((wide - 2 * MARGIN) / width, room / height)
    shown = resize(picture, min(even(scale * height), room // 2 * 2), even(scale * width))
    height, width = shown.pixels.shape[:2]
    top, left = (tall - height - band.shape[0]) // 4 * 2, (wide - width) // 4 * 2
    pixels = ground(tall, wide)
    pixels[top : top + height, left : left + width] = to_bytes(shown)
    pixels[top + height : top + height + band.shape[0], MARGIN : MARGIN + band.shape[1]] = band
    return Stage(pixels, left, top, width, height)


def _fitted(picture: Picture) -> Picture:
    height, width = picture.pixels.shape[:2]
    scale = max(1, math.ceil(LEAST_WIDTH / width))
    shrink = min(1.0, MOST_WIDTH / (scale * width), MOST_HEIGHT / (scale * height))
    return resize(picture, even(scale * shrink * height), even(scale * shrink * width))


def even(size: float) -> int:
    """The nearest even number, at least 2, because colour has half the resolution."""
    return max(2, 2 * round(size / 2))


def _encode(path: Path, size: tuple[int, int], frames: Iterable[Bytes], sound: Clip, fps: int) -> None:
    options = {"movflags": "+faststart", "fflags": "+bitexact"}
    with av.open(f"file:{path}", "w", format="mp4", options=options) as container:
        video = _video_stream(container, size, fps)
        audio = audio_stream(container, sound, "aac", 96_000 * len(sound.samples) + 32_000)
        blocks = audio_frames(sound)
        for k, planes in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts, frame.time_base = k, Fraction(1, fps)
            container.mux(video.encode(frame))
            # Sound and picture alternate; otherwise the muxer would keep one of them in memory.
            for block in blocks:
                container.mux(audio.encode(block))
                if block.pts * fps > (k + 1) * sound.rate_hz:
                    break
        container.mux(video.encode(None))
        for block in blocks:
            container.mux(audio.encode(block))
        container.mux(audio.encode(None))


def _video_stream(container: av.container.OutputContainer, size: tuple[int, int], fps: int) -> av.VideoStream:
    # No B-frames: time stamps begin at 0 in every player. Two seconds between key frames, for seeking.
    options = {"preset": "veryfast", "tune": "stillimage", "crf": "17", "bf": "0", "g": str(2 * fps)}
    video = container.add_stream("libx264", rate=fps, options=options)
    video.height, video.width = size
    video.pix_fmt = "yuv420p"
    context = video.codec_context
    context.thread_count = 1
    context.flags |= av.codec.context.Flags.bitexact
    context.colorspace = context.color_primaries = context.color_trc = BT709
    context.color_range = 1  # 16 to 235
    return video


def drawn(stage: Stage, frames: int, duration_s: float, fps: int) -> Iterator[Bytes]:
    """Frames with the line where a sound of this length is; all are the same array, redrawn around the line."""
    height, width = stage.size
    empty = yuv(stage.pixels)
    canvas = empty.copy()
    drawn, bare = _planes(canvas, height, width), _planes(empty, height, width)
    rows = slice(stage.top, stage.top + stage.height)
    around = slice(0, 0)
    for k in range(frames):
        _copy(bare, drawn, rows, around)
        line = stage.line_x(min(1.0, (k + 0.5) / fps / duration_s))
        around = slice(max(stage.left, line - HALO), min(stage.left + stage.width, line + LINE_WIDTH + HALO))
        _draw_line(drawn, rows, around, slice(line, line + LINE_WIDTH))
        yield canvas


def _draw_line(planes: tuple[Bytes, Bytes, Bytes], rows: slice, around: slice, line: slice) -> None:
    for plane, black, white, half in zip(planes, BLACK, WHITE, (1, 2, 2), strict=True):
        ys, xs, x = _part(rows, half), _part(around, half), _part(line, half)
        plane[ys, xs] = black + np.rint((plane[ys, xs].astype(np.float32) - black) * HALO_LIGHT)
        plane[ys, x] = white


def _copy(
    source: tuple[Bytes, Bytes, Bytes], target: tuple[Bytes, Bytes, Bytes], rows: slice, columns: slice
) -> None:
    for old, new, half in zip(source, target, (1, 2, 2), strict=True):
        place = _part(rows, half), _part(columns, half)
        new[place] = old[place]


def _part(span: slice, half: int) -> slice:
    return slice(span.start // half, span.stop // half)


def yuv(pixels: Bytes) -> Bytes:
    """8-bit RGB as BT.709 in video range: Y, then U and V at half the size; shape (height * 3 / 2, width)."""
    height, width = pixels.shape[:2]
    red, green, blue = np.moveaxis(pixels.astype(np.float32) / np.float32(255), 2, 0)
    light = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    out = np.empty((height * 3 // 2, width), np.uint8)
    y, u, v = _planes(out, height, width)
    y[:] = np.rint(16 + 219 * light)
    u[:] = np.rint(128 + 224 * _halved((blue - light) / 1.8556))
    v[:] = np.rint(128 + 224 * _halved((red - light) / 1.5748))
    return out


def _halved(plane: Floats) -> Floats:
    height, width = plane.shape
    mean: Floats = plane.reshape(height // 2, 2, width // 2, 2).mean((1, 3))
    return mean


def _planes(yuv: Bytes, height: int, width: int) -> tuple[Bytes, Bytes, Bytes]:
    """The three planes of a frame, as writable views."""
    flat, full, quarter = yuv.reshape(-1), height * width, height * width // 4
    y = flat[:full].reshape(height, width)
    u = flat[full : full + quarter].reshape(height // 2, width // 2)
    v = flat[full + quarter :].reshape(height // 2, width // 2)
    return y, u, v
