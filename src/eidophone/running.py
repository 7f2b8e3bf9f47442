"""Running and storing: where results go, who listens, and how a stopped run goes on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from eidophone.core.errors import BadInput
from eidophone.core.events import CancelToken, Event, Listener, Progress, Reporter, Step
from eidophone.core.values import Result
from eidophone.media.files import sha256, slug
from eidophone.media.loudness import HIGHEST_TRUE_PEAK_DB
from eidophone.options.kinds import Options
from eidophone.results.sound_file import SoundFile
from eidophone.results.store import Store

Pair = tuple[str, str]
#: Difference of loudness that is not worth a word, in LU.
LOUDNESS_TOLERANCE = 0.5


@dataclass(frozen=True)
class Output:
    """What every verb takes besides its options.

    Attributes:
        out: Folder to store the samples in; None stores nothing.
        keep_arrays: Also store the numbers before 8-bit rounding.
        sound_format: wav, flac, mp3 or opus: what to store beside sound.wav.
        sound_rate: Its frames per second.
        sound_bits: For wav and flac, 16, 24 or float.
        loudness: Its integrated loudness in LUFS, as far as a true peak of -1 dB allows.
        stereo: "colour": the colours of the picture pan it, red left and blue right; or a picture file whose do.
        extend_band: Make up sound above the limit of the mel picture in it.
        events: Called with every event of the run.
        cancel: Stops the run within one step.
        progress: Called with every step, as (stage, done, total).
        ahead: Make the next sample while one is stored; for callers that take all samples, because each of them comes
            only when the next one is made.
    """

    out: str | Path | None = None
    keep_arrays: bool = False
    events: Listener | None = None
    cancel: CancelToken | None = None
    progress: Progress | None = None
    sound_format: str | None = None
    sound_rate: int | str | None = None
    sound_bits: int | str | None = None
    loudness: float | str | None = None
    stereo: str | Path | None = None
    extend_band: bool | None = None
    ahead: bool = False

    def __post_init__(self) -> None:
        if self.sound_file is not None and self.out is None:
            raise BadInput("A sound file of another format needs a folder; name one with `out`.")

    @property
    def sound_file(self) -> SoundFile | None:
        """The second sound file, if one is asked for.

        Raises:
            BadInput: it cannot be made as asked.
        """
        return SoundFile.asked(
            self.sound_format, self.sound_rate, self.sound_bits, self.loudness, self.stereo, self.extend_band
        )

    def store(self, folder: Path) -> Store:
        """A store that writes what is asked for."""
        return Store(folder, self.keep_arrays, self.sound_file)

    @classmethod
    def split(cls, given: Mapping[str, Any]) -> "tuple[Output, dict[str, Any]]":
        """The output that keyword arguments ask for, and the other arguments."""
        names = {field.name for field in fields(cls)}
        mine = {name: value for name, value in given.items() if name in names}
        return cls(**mine), {name: value for name, value in given.items() if name not in names}

    def reporter(self) -> Reporter:
        """Reports to all that listen."""
        if self.events is None and self.progress is None:
            return Reporter(None, self.cancel)
        return Reporter(self._listen, self.cancel, previews=self.events is not None)

    def _listen(self, event: Event) -> None:
        if self.events is not None:
            self.events(event)
        if self.progress is not None and isinstance(event, Step):
            self.progress(event.stage, event.done, event.total)


def report_events(report: Reporter, event: Event) -> None:
    """Sends an event to whoever listens."""
    if report.listener is not None:
        report.listener(event)


def prompts_of(options: Options) -> Pair:
    """The two prompts of options; empty where the verb has none."""
    return getattr(options, "image_prompt", ""), getattr(options, "audio_prompt", "")


def pair_folders(root: Path, pairs: Sequence[Options]) -> list[Path]:
    """A folder for each pair, by its prompts; numbered where two would have the same."""
    folders: list[Path] = []
    for options in pairs:
        stem = "--".join(slug(prompt) for prompt in prompts_of(options))
        folder, number = root / stem, 1
        while folder in folders:
            number += 1
            folder = root / f"{stem}-{number}"
        folders.append(folder)
    return folders


#: Options that may differ between a run and the run that resumes it.
_FREE = {"index", "count", "samples", "batch_size", "device", "dtype", "threads"}


def _same_file(given: Path, before: str, checksum: str) -> bool:
    """Whether a file is the one that was used, or names a result whose file of that name was used."""
    name = Path(before).name
    places = [given / name] if given.is_dir() else [given, given.with_name(name)]
    return any(sha256(place) == checksum for place in places if place.is_file() and not place.is_symlink())


def check_same_run(options: Options, result: Result, folder: Path) -> None:
    """Refuses to resume into a folder whose samples were made with other settings.

    Raises:
        BadInput: the first setting that differs.
    """
    then = result.recipe.options.plain()
    for name, value in options.plain().items():
        if name in _FREE or name in options.NOT_IN_RECIPE or value in (None, "", [], "auto"):
            continue
        before = then.get(name)
        if name in result.recipe.inputs:
            same = _same_file(Path(str(value)), str(before), result.recipe.inputs[name])
        else:
            same = Path(value).name == Path(str(before)).name if isinstance(value, str) else value == before
        if not same:
            raise BadInput(
                f"--resume: {folder} was made with {name} {before!r}, not {value!r}; use the same settings, or "
                "choose another --out."
            )


def say_loudness(output: Output, result: Result, report: Reporter) -> None:
    """Says where a sound stayed quieter than was asked for."""
    wanted = output.sound_file.loudness if output.sound_file else None
    reached = result.facts.get("loudness_lufs")
    if wanted is not None and reached is not None and reached < wanted - LOUDNESS_TOLERANCE:
        report.warn(
            f"Sample {result.index}: the loudness is {reached:.1f} LUFS, because a true peak above "
            f"{HIGHEST_TRUE_PEAK_DB:g} dB would clip; a limiter in an audio editor makes it louder."
        )


def batch_size(options: Options, kept: Sequence[Result]) -> int:
    """How many samples at once a stopped run made: as it was asked for, else as its samples say."""
    asked = getattr(options, "batch_size", None)
    return asked or max(
        (getattr(result.recipe.options, "batch_size", None) or 1 for result in kept), default=1
    )
