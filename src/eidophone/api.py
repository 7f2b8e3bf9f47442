"""The Python API: the verbs as functions, and the one place where running and storing meet.

>>> import eidophone
>>> eidophone.compose("castle", "bell", steps=0)
Traceback (most recent call last):
    ...
eidophone.core.errors.BadInput: --steps, denoising steps, should be greater than or equal to 1; got 0.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from eidophone.core.errors import EidophoneError
from eidophone.core.events import Progress, silent
from eidophone.core.values import Caption, Result, Score
from eidophone.media.audio import read_sound
from eidophone.media.picture import read_picture
from eidophone.media.stream import mono_blocks
from eidophone.models.captioners.load import load_captioner
from eidophone.models.device import choose_device
from eidophone.options.commands import CaptionOptions, ScoreOptions
from eidophone.options.kinds import Options
from eidophone.results.recipe import RECORD_FILE, read_recipe, read_record
from eidophone.results.store import Store, load, name_of
from eidophone.scoring.contract import Subject, judged, subject_of
from eidophone.scoring.judges import open_judges
from eidophone.verbs import VERBS
from eidophone.verbs.colorize.options import ColorizeOptions
from eidophone.verbs.compose.options import ComposeOptions
from eidophone.verbs.distill.checkpoints import Checkpoints
from eidophone.verbs.distill.options import DistillOptions
from eidophone.verbs.distill.pipeline import distill as distill_with
from eidophone.verbs.hear.options import HearOptions
from eidophone.verbs.imprint.options import ImprintOptions
from eidophone.verbs.paint.models import load_paint_models
from eidophone.verbs.paint.options import PaintOptions
from eidophone.verbs.paint.pipeline import paint as paint_with
from eidophone.verbs.remake import PIPELINES
from eidophone.verbs.remake import remake as remake_from
from eidophone.verbs.see.options import SeeOptions
from eidophone.verbs.shared.run import use_threads

__all__ = [
    "caption", "colorize", "compose", "distill", "hear", "imprint", "load", "open_captioner", "open_judge",
    "paint", "remake", "run", "score", "see",
]  # fmt: skip


def compose(
    image_prompt: str,
    audio_prompt: str,
    *,
    out: str | Path | None = None,
    keep_arrays: bool = False,
    progress: Progress = silent,
    **settings: Any,
) -> list[Result]:
    """Pictures that play: drawn by one model and played by another, on one latent or on one each.

    Args:
        image_prompt: What it looks like.
        audio_prompt: What it sounds like.
        out: Folder to store the samples in; None stores nothing.
        keep_arrays: Also store the numbers before 8-bit rounding.
        progress: Called as (what, steps done, steps in all).
        settings: Fields of `eidophone.options.ComposeOptions`, such as `count=4, seed=7, preset="paper"`.

    Raises:
        EidophoneError: something that the caller can put right; the message says how.
    """
    options = ComposeOptions.make(image_prompt=image_prompt, audio_prompt=audio_prompt, **settings)
    return list(run(options, out, keep_arrays, progress))


def imprint(
    image_prompt: str = "",
    audio_prompt: str = "",
    *,
    out: str | Path | None = None,
    keep_arrays: bool = False,
    progress: Progress = silent,
    **settings: Any,
) -> list[Result]:
    """Pictures pressed into spectrograms; `picture` and `sound` take files of your own instead of prompts.

    Args and errors are those of `compose`; settings are fields of `ImprintOptions`.
    """
    options = ImprintOptions.make(image_prompt=image_prompt, audio_prompt=audio_prompt, **settings)
    return list(run(options, out, keep_arrays, progress))


def colorize(
    picture: str | Path,
    image_prompt: str,
    *,
    out: str | Path | None = None,
    keep_arrays: bool = False,
    progress: Progress = silent,
    **settings: Any,
) -> list[Result]:
    """Colours for a picture that plays, whose sound stays.

    Args and errors are those of `compose`, but for `picture`, the folder of a result or its picture;
    settings are fields of `ColorizeOptions`.
    """
    options = ColorizeOptions.make(picture=picture, image_prompt=image_prompt, **settings)
    return list(run(options, out, keep_arrays, progress))


def distill(
    image_prompt: str,
    audio_prompt: str,
    *,
    out: str | Path | None = None,
    keep_arrays: bool = False,
    progress: Progress = silent,
    **settings: Any,
) -> list[Result]:
    """Pictures optimised until both models like them; with `out`, `resume=True` goes on where a run stopped.

    Args and errors are those of `compose`; settings are fields of `DistillOptions`.
    """
    options = DistillOptions.make(image_prompt=image_prompt, audio_prompt=audio_prompt, **settings)
    return list(run(options, out, keep_arrays, progress))


def paint(
    sound: str | Path,
    *,
    out: str | Path | None = None,
    keep_arrays: bool = False,
    progress: Progress = silent,
    **settings: Any,
) -> list[Result]:
    """Pictures of a sound; settings are fields of `PaintOptions`, such as `caption="a dog barking"`."""
    return list(run(PaintOptions.make(sound=sound, **settings), out, keep_arrays, progress))


def paint_each(
    sounds: Sequence[PaintOptions],
    folders: Sequence[Path],
    keep_arrays: bool = False,
    progress: Progress = silent,
) -> Iterator[Result | EidophoneError]:
    """Paints several sounds with models loaded once; in the place of one that cannot be, says why.

    Args:
        sounds: Options that differ in the sound only.
        folders: Where the pictures of each are stored.

    Raises:
        EidophoneError: what concerns all of them: models, settings.
    """
    easel = load_paint_models(sounds[0], progress)
    for options, folder in zip(sounds, folders, strict=True):
        try:
            made = paint_with(options, progress, easel)
            yield from _stored(made, options.numbers, options.count, folder, keep_arrays, progress)
        except EidophoneError as error:
            yield error


def hear(
    picture: str | Path,
    *,
    out: str | Path | None = None,
    keep_arrays: bool = False,
    progress: Progress = silent,
    **settings: Any,
) -> Result:
    """Plays a picture; settings are fields of `HearOptions`."""
    (result,) = run(HearOptions.make(picture=picture, **settings), out, keep_arrays, progress)
    return result


def see(
    sound: str | Path,
    *,
    out: str | Path | None = None,
    keep_arrays: bool = False,
    progress: Progress = silent,
    **settings: Any,
) -> Result:
    """Draws a sound as a mel picture; settings are fields of `SeeOptions`."""
    (result,) = run(SeeOptions.make(sound=sound, **settings), out, keep_arrays, progress)
    return result


def remake(
    path: str | Path,
    *,
    out: str | Path | None = None,
    keep_arrays: bool = False,
    progress: Progress = silent,
    **changes: Any,
) -> Result:
    """Makes a result again from its PNG, WAV or folder: the same bytes on the same machine.

    Args:
        path: What carries the recipe.
        changes: Options to change, such as `device="cpu"`, or where an input file is now.
    """
    path = Path(path)
    recipe = read_recipe(path)
    made = remake_from(recipe, changes, _where_inputs_may_be(path), progress)
    (result,) = _stored(made, [recipe["index"]], 1, out, keep_arrays, progress)
    return result


def score(
    path: str | Path, sound: str | Path | None = None, *, progress: Progress = silent, **settings: Any
) -> Score:
    """What judges say of a result's folder, or of a picture and a sound.

    Args:
        path: The folder; or a picture file, if `sound` is given.
        sound: A sound file.
        progress: As `compose`.
        settings: Fields of `eidophone.options.ScoreOptions`, such as `judges="clip,clap"`; a picture and a
            sound need `image_prompt` and `audio_prompt`, a result knows its own.

    Raises:
        EidophoneError: no such judge, or files that cannot be read.
    """
    progress("judging", 0, 1)
    return open_judge(ScoreOptions.make(**settings))(Path(path), None if sound is None else Path(sound))


def caption(sound: str | Path, *, progress: Progress = silent, **settings: Any) -> Caption:
    """What can be heard in a sound file of any length: words, each with a confidence and its time.

    Args:
        sound: The file.
        progress: As `compose`.
        settings: Fields of `eidophone.options.CaptionOptions`, such as `captioner="act"`.

    Raises:
        EidophoneError: no such captioner, or a file that cannot be read.
    """
    progress("listening", 0, 1)
    return open_captioner(CaptionOptions.make(**settings))(Path(sound))


def open_captioner(options: CaptionOptions) -> Callable[[Path], Caption]:
    """Loads the captioner of many sounds; what comes back is told a file."""
    use_threads(options.threads)
    captioner = load_captioner(options.captioner, choose_device(options.device), offline=options.offline)
    return lambda sound: captioner.caption(mono_blocks(sound, captioner.rate_hz))


def open_judge(options: ScoreOptions) -> Callable[[Path, Path | None], Score]:
    """Loads the judges of many results; what comes back is told what `score` is told."""
    use_threads(options.threads)
    device = choose_device(options.device)
    judges = open_judges(options.judges, device, offline=options.offline)

    def _judge(path: Path, sound: Path | None) -> Score:
        if sound is None:
            subject = subject_of(load(path))
        else:
            picture = read_picture(path)
            subject = Subject(picture, picture.gray(), read_sound(sound))
        looks, sounds = options.image_prompt, options.audio_prompt
        asked = replace(
            subject,
            image_prompt=looks or subject.image_prompt,
            audio_prompt=sounds or subject.audio_prompt,
        )
        return judged(asked, judges)

    return _judge


def _where_inputs_may_be(path: Path) -> list[Path]:
    """Folders beside a result, and those that its record names."""
    folder = path if path.is_dir() else path.parent
    record = folder / RECORD_FILE
    named = read_record(record)["facts"].get("inputs", {}) if record.is_file() else {}
    return [folder, folder.parent, *(Path(str(place)).parent for place in dict(named).values())]


def run(
    options: Options, out: str | Path | None = None, keep_arrays: bool = False, progress: Progress = silent
) -> Iterator[Result]:
    """Runs the verb that the options belong to; each sample is stored as soon as it is finished.

    Raises:
        EidophoneError: before any work where that can be known.
    """
    verb = next(name for name, kind in VERBS.items() if isinstance(options, kind))
    numbers = getattr(options, "numbers", (0,))
    candidates = getattr(options, "from_", None)
    places = range(numbers[0], numbers[0] + candidates) if candidates else numbers
    if out is not None and isinstance(options, DistillOptions):
        return _resumable(options, Path(out), places, keep_arrays, progress)
    results = PIPELINES[verb](options, progress)
    return _stored(results, places, getattr(options, "count", 1), out, keep_arrays, progress)


def _resumable(
    options: DistillOptions, out: Path, indices: Sequence[int], keep_arrays: bool, progress: Progress
) -> Iterator[Result]:
    """Distils what is not finished in a folder; yields what is, too."""
    checkpoints = Checkpoints(out, options.resume)
    here = [index for index in indices if checkpoints.finished(index)]
    yield from (load(out / name_of(index)) for index in here)
    missing = [index for index in indices if index not in here]
    if missing:
        made = distill_with(options, progress, checkpoints)
        yield from _stored(made, missing, len(missing), out, keep_arrays, progress)


def _stored(
    results: Iterator[Result],
    indices: Sequence[int],
    count: int,
    out: str | Path | None,
    keep_arrays: bool,
    progress: Progress,
) -> Iterator[Result]:
    if out is None:
        yield from results
        return
    with Store(Path(out), keep_arrays) as store:
        store.reserve(indices)
        for done, result in enumerate(results):
            progress("storing", done, count)
            yield store.save(result)
        store.overview()
