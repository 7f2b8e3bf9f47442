"""Values that cross module boundaries: frozen, checked where they are made, units in their names."""

from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eidophone.core.recipe import Recipe

Floats = NDArray[np.float32]


def _media(module: str) -> Any:
    # values are below media; what shows and saves them is imported when it is asked for
    return import_module(f"eidophone.media.{module}")


@dataclass(frozen=True)
class Clip:
    """Sound in memory.

    Attributes:
        samples: float32, shape (channels, frames); full scale is -1 to 1. Finite, at least one frame.
        rate_hz: Frames per second.

    >>> Clip(np.zeros((1, 8000), np.float32), 16_000).duration_s
    0.5
    """

    samples: Floats
    rate_hz: int

    def __post_init__(self) -> None:
        if self.samples.ndim != 2 or self.samples.dtype != np.float32:
            raise ValueError(
                "Clip.samples must be float32 of shape (channels, frames); "
                f"got {self.samples.dtype} of shape {self.samples.shape}"
            )
        if 0 in self.samples.shape:
            raise ValueError(f"Clip.samples must not be empty; got shape {self.samples.shape}")
        if self.rate_hz <= 0:
            raise ValueError(f"Clip.rate_hz must be positive; got {self.rate_hz}")
        if not np.isfinite(self.samples).all():
            raise ValueError("Clip.samples holds values that are not finite numbers")

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return float(self.samples.shape[1] / self.rate_hz)

    def mono(self) -> Floats:
        """Mean of the channels, shape (frames,)."""
        mean: Floats = self.samples.mean(0, dtype=np.float32)
        return mean

    def save(self, path: str | Path, **how: Any) -> None:
        """Writes a sound file: WAV, FLAC, MP3, M4A, Opus or Ogg, by the suffix; see `media.export.save_clip`."""
        _media("export").save_clip(self, path, **how)


@dataclass(frozen=True)
class Picture:
    """A picture in memory.

    Attributes:
        pixels: float32, shape (height, width, 3), 0 (black) to 1 (white), RGB.
    """

    pixels: Floats

    def __post_init__(self) -> None:
        if self.pixels.ndim != 3 or self.pixels.shape[2] != 3 or self.pixels.dtype != np.float32:
            raise ValueError(
                "Picture.pixels must be float32 of shape (height, width, 3); "
                f"got {self.pixels.dtype} of shape {self.pixels.shape}"
            )
        if not (np.isfinite(self.pixels).all() and self.pixels.min() >= 0 and self.pixels.max() <= 1):
            raise ValueError("Picture.pixels must lie in [0, 1]")

    @classmethod
    def from_gray(cls, gray: Floats) -> "Picture":
        """Three equal channels from an array of shape (height, width) in [0, 1]."""
        return cls(np.repeat(gray[:, :, None], 3, axis=2))

    def gray(self) -> Floats:
        """Mean of the channels, shape (height, width)."""
        mean: Floats = self.pixels.mean(2, dtype=np.float32)
        return mean

    def image(self) -> Any:
        """The same as a `PIL.Image` of 8 bits per channel."""
        return _media("picture").to_image(self)

    def save(self, path: str | Path) -> None:
        """Writes a PNG, under a temporary name first."""
        _media("picture").write_png(Path(path), self)

    def _repr_png_(self) -> bytes:
        data: bytes = self.image()._repr_png_()
        return data


@dataclass(frozen=True)
class Score:
    """What the judges say of a result.

    Attributes:
        numbers: By "judge.what", such as "clip.looks" (its range and direction: see the judge); the first
            judge that sees, and the first that hears, decide a ranking.
        failed: Judges that could not say anything, and why.
    """

    numbers: dict[str, float] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def side(self, what: str, rather: str = "") -> float | None:
        """The number of the first judge that says `what` ("looks", "sounds"); None if none does.

        That judge's number of the same name with `rather` behind it is taken instead, if it has one. Where a result
        has further views, the weakest of them counts.

        >>> Score({"clean.dc": 0.0, "clip.looks": 0.3, "tiny.looks": 0.9}).side("looks")
        0.3
        >>> Score({"clip.looks": 0.3, "clip.looks@view-1": 0.2}).side("looks")
        0.2
        """
        first = next((name for name in self.numbers if name.endswith(f".{what}")), None)
        if first is None:
            return None
        found = first + rather if first + rather in self.numbers else first
        views = (number for name, number in self.numbers.items() if name.startswith(f"{found}@"))
        return min((self.numbers[found], *views))


@dataclass(frozen=True)
class Word:
    """A word of a caption.

    Attributes:
        text: As it is written, with the comma that may follow it.
        confidence: How sure the captioner is of it, 0 to 1.
        start_s, end_s: Where in the sound it was heard, in seconds.
    """

    text: str
    confidence: float
    start_s: float
    end_s: float

    def __post_init__(self) -> None:
        if not self.text or self.text.split() != [self.text]:
            raise ValueError(f"Word.text must be one word; got {self.text!r}")
        if not 0 <= self.confidence <= 1:
            raise ValueError(f"Word.confidence must lie in [0, 1]; got {self.confidence}")
        if not 0 <= self.start_s <= self.end_s:
            raise ValueError(
                f"Word must end after it starts, at 0 s or later; got {self.start_s}, {self.end_s}"
            )


@dataclass(frozen=True)
class Caption:
    """What can be heard in a sound.

    Attributes:
        words: At least one.

    >>> Caption((Word("rain", 0.9, 0, 5), Word("falling", 0.9, 0, 5))).text
    'rain falling'
    """

    words: tuple[Word, ...]

    def __post_init__(self) -> None:
        if not self.words:
            raise ValueError("Caption.words must not be empty")

    @property
    def text(self) -> str:
        """The words as one line."""
        return " ".join(word.text for word in self.words)

    @classmethod
    def from_text(cls, text: str) -> "Caption":
        """A caption that somebody wrote: each word is certain, and its time is not known (0 to 0)."""
        return cls(tuple(Word(word, 1.0, 0.0, 0.0) for word in text.split()))


@dataclass(frozen=True)
class Turn:
    """One further view of a picture, for a prompt of its own.

    Attributes:
        prompt: What it shows, or what it plays if it has a sound.
        caption: The prompt with its view, as it was typed.
        picture: File stem of the picture that the view shows.
        sound: File stem of what it plays; empty if nothing.
        places: For a film: where each of its pixels comes from, as row * width + column of the picture; int64,
            (height, width). None for no film.
    """

    prompt: str
    caption: str
    picture: str
    sound: str = ""
    places: NDArray[np.int64] | None = None


@dataclass(frozen=True)
class Result:
    """One finished sample: what is seen, what is heard, and how to make it again.

    Attributes:
        verb: The command that made it.
        index: Which sample of the run; it was drawn from seed + index.
        picture: What is shown.
        spectrogram: What is played, float32, shape (height, width), 0 (silence) to 1, low pitch last.
        clip: The sound.
        recipe: Everything that decides the bytes of the result.
        facts: What the run cost (U-Net evaluations, seconds), plain JSON values.
        captions: The prompts or file names, for people.
        arrays: Numbers before 8-bit rounding, by name.
        extras: Further pictures of the result, by file stem.
        sounds: Further sounds of the result, by file stem.
        turns: Its further views.
        files: Further files of the result, by name.
        film: What the film shows, where it is neither the picture nor the spectrogram.
        score: What the judges say of it.
        folder: Where it is stored, if it is.
    """

    verb: str
    index: int
    picture: Picture
    spectrogram: Floats
    clip: Clip
    recipe: Recipe
    facts: dict[str, Any] = field(default_factory=dict)
    captions: tuple[str, ...] = ()
    arrays: dict[str, Floats] = field(default_factory=dict)
    extras: dict[str, Picture] = field(default_factory=dict)
    sounds: dict[str, Clip] = field(default_factory=dict)
    turns: "tuple[Turn, ...]" = ()
    files: dict[str, bytes] = field(default_factory=dict)
    film: Picture | None = None
    score: Score = field(default_factory=Score)
    folder: Path | None = None

    def _repr_html_(self) -> str:
        """In a notebook: the picture, a player, and a line that moves with the sound."""
        title = " / ".join(caption for caption in self.captions if caption) or self.verb
        found: str = _media("player").player_html(self.film or self.picture, self.clip, title)
        return found
