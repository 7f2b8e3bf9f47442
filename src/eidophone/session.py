"""A session: models are loaded once and serve any number of calls.

>>> import eidophone
>>> with eidophone.Session(device="cpu") as session:
...     result, = session.compose("a castle", "bell ringing", preset="draft", count=1, steps=1)
>>> result.verb
'compose'
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Unpack

from eidophone.arguments import (
    CaptionArguments,
    ColorizeArguments,
    ComposeArguments,
    DistillArguments,
    HearArguments,
    ImprintArguments,
    PaintArguments,
    ScoreArguments,
    SeeArguments,
)
from eidophone.core.errors import BadInput
from eidophone.core.events import (
    CancelToken,
    Event,
    Finished,
    Listener,
    Progress,
    Reporter,
    SampleFinished,
    Started,
    Step,
)
from eidophone.core.values import Caption, Clip, Picture, Result, Score
from eidophone.media.files import slug
from eidophone.models.registry import Registry
from eidophone.options.kinds import Options
from eidophone.results.recipe import read_recipe
from eidophone.results.store import Store, finished_samples, load
from eidophone.verbs import Verb, verb_for, verb_of
from eidophone.verbs.remake import remake as remake_from
from eidophone.verbs.shared.context import Context
from eidophone.verbs.shared.memory_inputs import as_files

if TYPE_CHECKING:
    from eidophone.options.commands import CaptionOptions, ScoreOptions

Pair = tuple[str, str]


@dataclass(frozen=True)
class Output:
    """What every verb takes besides its options.

    Attributes:
        out: Folder to store the samples in; None stores nothing.
        keep_arrays: Also store the numbers before 8-bit rounding.
        events: Called with every event of the run.
        cancel: Stops the run within one step.
        progress: Called with every step, as (stage, done, total).
    """

    out: str | Path | None = None
    keep_arrays: bool = False
    events: Listener | None = None
    cancel: CancelToken | None = None
    progress: Progress | None = None

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


class Session:
    """Loads models once and keeps them for the next call; use it as a context manager, or call `close`.

    The methods are the verbs. Each yields results as they finish; with `out` they are stored as well. Pictures
    and sounds may be given as paths, or as they are in memory: a `PIL.Image`, an array, a `Picture`; an array
    with its rate as `(samples, rate_hz)`, a `Clip`.

    One thread at a time may use a session.

    Args:
        image_model, audio_model, device, dtype, threads, offline: Defaults for every call; a call may say
            otherwise. None leaves the option's own default.
        memory_limit: Bytes of loaded weights to keep; the least recently used go first. None: all stay.
    """

    def __init__(
        self,
        *,
        image_model: str | Path | None = None,
        audio_model: str | Path | None = None,
        device: str | None = None,
        dtype: str | None = None,
        threads: int | None = None,
        offline: bool | None = None,
        memory_limit: int | None = None,
    ) -> None:
        given = {
            "image_model": image_model,
            "audio_model": audio_model,
            "device": device,
            "dtype": dtype,
            "threads": threads,
            "offline": offline,
        }
        self._defaults = {name: value for name, value in given.items() if value is not None}
        self.registry = Registry(memory_limit)

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Gives all loaded models back; a later call loads them again."""
        self.registry.clear()

    # --- the verbs -----------------------------------------------------------------------------------

    def compose(
        self,
        image_prompt: str | None = None,
        audio_prompt: str | None = None,
        *,
        prompts: Sequence[Pair] | None = None,
        out: str | Path | None = None,
        keep_arrays: bool = False,
        events: Listener | None = None,
        cancel: CancelToken | None = None,
        progress: Progress | None = None,
        **options: Unpack[ComposeArguments],
    ) -> Iterator[Result]:
        """Pictures that play: one latent, denoised by an image and an audio model.

        Args:
            image_prompt: What it looks like.
            audio_prompt: What it sounds like.
            prompts: Several pairs instead, with `count` samples each. They share batches on a GPU. With `out`,
                each pair has a folder of its own in it.
            out, keep_arrays, events, cancel, progress: See `Output`.
            options: See `eidophone compose --help-all`.

        Raises:
            EidophoneError: something that the caller can put right; the message says how.
        """
        output = Output(out, keep_arrays, events, cancel, progress)
        if prompts is None:
            pair = {"image_prompt": image_prompt or "", "audio_prompt": audio_prompt or ""}
            return self.run(self._options("compose", {**pair, **options}), output)
        if image_prompt is not None or audio_prompt is not None:
            raise BadInput("compose: give one pair of prompts or `prompts`, not both.")
        pairs = [
            self._options("compose", {"image_prompt": looks, "audio_prompt": sounds, **options})
            for looks, sounds in prompts
        ]
        return self._run_pairs(pairs, output)

    def imprint(
        self,
        image_prompt: str = "",
        audio_prompt: str = "",
        *,
        out: str | Path | None = None,
        keep_arrays: bool = False,
        events: Listener | None = None,
        cancel: CancelToken | None = None,
        progress: Progress | None = None,
        **options: Unpack[ImprintArguments],
    ) -> Iterator[Result]:
        """Pictures pressed into spectrograms; `picture` and `sound` replace the prompts by your own material."""
        given = {"image_prompt": image_prompt, "audio_prompt": audio_prompt, **options}
        return self._with_files("imprint", given, Output(out, keep_arrays, events, cancel, progress))

    def colorize(
        self,
        picture: Any,
        image_prompt: str,
        *,
        out: str | Path | None = None,
        keep_arrays: bool = False,
        events: Listener | None = None,
        cancel: CancelToken | None = None,
        progress: Progress | None = None,
        **options: Unpack[ColorizeArguments],
    ) -> Iterator[Result]:
        """Colours for a picture that plays, whose sound stays; `picture` may also be the folder of a result."""
        given = {"picture": picture, "image_prompt": image_prompt, **options}
        return self._with_files("colorize", given, Output(out, keep_arrays, events, cancel, progress))

    def distill(
        self,
        image_prompt: str,
        audio_prompt: str,
        *,
        out: str | Path | None = None,
        keep_arrays: bool = False,
        events: Listener | None = None,
        cancel: CancelToken | None = None,
        progress: Progress | None = None,
        **options: Unpack[DistillArguments],
    ) -> Iterator[Result]:
        """Pictures optimised until both models like them; with `out`, `resume=True` continues a stopped run."""
        given = {"image_prompt": image_prompt, "audio_prompt": audio_prompt, **options}
        output = Output(out, keep_arrays, events, cancel, progress)
        return self.run(self._options("distill", given), output)

    def paint(
        self,
        sound: Any,
        *,
        out: str | Path | None = None,
        keep_arrays: bool = False,
        events: Listener | None = None,
        cancel: CancelToken | None = None,
        progress: Progress | None = None,
        **options: Unpack[PaintArguments],
    ) -> Iterator[Result]:
        """Pictures of a recorded sound."""
        output = Output(out, keep_arrays, events, cancel, progress)
        return self._with_files("paint", {"sound": sound, **options}, output)

    def hear(
        self,
        picture: Any,
        *,
        out: str | Path | None = None,
        keep_arrays: bool = False,
        events: Listener | None = None,
        cancel: CancelToken | None = None,
        progress: Progress | None = None,
        **options: Unpack[HearArguments],
    ) -> Result:
        """Plays a picture."""
        output = Output(out, keep_arrays, events, cancel, progress)
        (result,) = self._with_files("hear", {"picture": picture, **options}, output)
        return result

    def see(
        self,
        sound: Any,
        *,
        out: str | Path | None = None,
        keep_arrays: bool = False,
        events: Listener | None = None,
        cancel: CancelToken | None = None,
        progress: Progress | None = None,
        **options: Unpack[SeeArguments],
    ) -> Result:
        """Draws a sound as a mel picture."""
        output = Output(out, keep_arrays, events, cancel, progress)
        (result,) = self._with_files("see", {"sound": sound, **options}, output)
        return result

    def remake(
        self,
        path: str | Path,
        *,
        out: str | Path | None = None,
        keep_arrays: bool = False,
        events: Listener | None = None,
        cancel: CancelToken | None = None,
        progress: Progress | None = None,
        **changes: Any,
    ) -> Result:
        """Makes a result again from its PNG, WAV or folder: the same bytes on the same machine.

        Args:
            path: What carries the recipe.
            out, keep_arrays, events, cancel, progress: See `Output`.
            changes: Options to change, such as `device="cpu"`, or where an input file or a model is now.
        """
        path = Path(path)
        recipe = read_recipe(path)
        folder = path if path.is_dir() else path.parent
        output = Output(out, keep_arrays, events, cancel, progress)
        report = output.reporter()
        context = Context(self.registry, report)
        made = remake_from(recipe, changes, (folder, folder.parent), context)
        (result,) = self._finished(recipe.verb, made, [recipe.index], output, report)
        return result

    def score(
        self, path: str | Path, sound: str | Path | None = None, **options: Unpack[ScoreArguments]
    ) -> Score:
        """What judges say of a result's folder, or of a picture and a sound.

        Args:
            path: The folder; or a picture file, if `sound` is given.
            sound: A sound file.
            options: See `eidophone score --help`; a result knows its own prompts.
        """
        from eidophone.options.commands import ScoreOptions

        judge = self.judge(ScoreOptions.make(**{**self._known(ScoreOptions), **options}))
        return judge(Path(path), None if sound is None else Path(sound))

    def judge(self, options: "ScoreOptions") -> "Callable[[Path, Path | None], Score]":
        """Loads the judges once and returns a function with the arguments of `score`."""
        from eidophone.scoring.judging import judge_with

        return judge_with(options, self.registry)

    def caption(self, sound: str | Path, **options: Unpack[CaptionArguments]) -> Caption:
        """What can be heard in a sound file of any length: words, each with a confidence and its time."""
        from eidophone.options.commands import CaptionOptions

        return self.captioner(CaptionOptions.make(**{**self._known(CaptionOptions), **options}))(Path(sound))

    def captioner(self, options: "CaptionOptions") -> Callable[[Path], Caption]:
        """Loads the captioner once and returns a function that captions a file."""
        from eidophone.media.stream import mono_blocks
        from eidophone.models.device import choose_device, choose_dtype, use_threads

        use_threads(options.threads)
        device = choose_device(options.device)
        loader = self.registry.loader(device, choose_dtype("auto", device), options.offline)
        captioner = loader.captioner(options.captioner)
        return lambda sound: captioner.caption(mono_blocks(sound, captioner.rate_hz))

    # --- running and storing -------------------------------------------------------------------------

    def run(self, options: Options, output: Output | None = None) -> Iterator[Result]:
        """Runs the verb that the options belong to; each sample is stored as soon as it is finished.

        Raises:
            EidophoneError: before any work, where that can be known.
        """
        output = output or Output()
        verb = verb_for(options)
        numbers = list(getattr(options, "numbers", (0,)))
        report = output.reporter()
        if output.out is None or not getattr(options, "resume", False):
            made = verb.run(options, self._context(verb, report, output))
            return self._finished(verb.name, made, self._places(options, numbers), output, report)
        return self._resumed(verb, options, numbers, output, report)

    def _context(self, verb: Verb, report: Reporter, output: Output) -> Context:
        folder = Path(output.out) if output.out is not None and verb.keeps_unfinished else None
        return Context(self.registry, report, folder)

    def _places(self, options: Options, numbers: list[int]) -> Sequence[int]:
        candidates = getattr(options, "from_", None)
        return range(numbers[0], numbers[0] + candidates) if candidates else numbers

    def _resumed(
        self, verb: Verb, options: Options, numbers: list[int], output: Output, report: Reporter
    ) -> Iterator[Result]:
        """What a folder already holds, then what is missing."""
        assert output.out is not None
        here = {
            index: folder for index, folder in finished_samples(Path(output.out)).items() if index in numbers
        }
        for folder in here.values():
            result = load(folder)
            _check_same_run(options, result, folder)
            yield result
        missing = [index for index in numbers if index not in here]
        if not missing:
            return
        left = options.model_copy(update={"samples": tuple(missing), "count": len(missing)})
        made = verb.run(left, self._context(verb, report, output))
        yield from self._finished(verb.name, made, missing, output, report)

    def _run_pairs(self, pairs: "Sequence[Options]", output: Output) -> Iterator[Result]:
        from eidophone.verbs.compose.pipeline import compose_pairs

        report = output.reporter()
        made = compose_pairs(pairs, Context(self.registry, report))  # type: ignore[arg-type]
        if output.out is None:
            yield from self._finished("compose", made, [0] * len(pairs), output, report)
            return
        folders = _pair_folders(Path(output.out), pairs)
        with ExitStack() as stack:
            stores = {}
            for options, folder in zip(pairs, folders, strict=True):
                store = stack.enter_context(Store(folder, output.keep_arrays))
                store.reserve(getattr(options, "numbers", ()))
                stores[_prompts(options)] = store
            report_events(report, Started("compose", sum(options.count for options in pairs)))  # type: ignore[attr-defined]
            began, count = time.monotonic(), 0
            for result in made:
                recorded = result.recipe.options
                saved = stores[recorded.image_prompt, recorded.audio_prompt].save(result)
                report_events(report, SampleFinished(saved))
                count += 1
                yield saved
            for store in stores.values():
                store.overview()
            report_events(report, Finished("compose", count, time.monotonic() - began))

    def _finished(
        self, verb: str, made: Iterator[Result], places: Sequence[int], output: Output, report: Reporter
    ) -> Iterator[Result]:
        """Stores results as they come, if they are to be stored, and reports them."""
        began, count = time.monotonic(), 0
        report_events(report, Started(verb, len(places)))
        with ExitStack() as stack:
            store = None
            if output.out is not None:
                store = stack.enter_context(Store(Path(output.out), output.keep_arrays))
                store.reserve(places)
            for result in made:
                saved = result if store is None else store.save(result)
                count += 1
                report_events(report, SampleFinished(saved))
                yield saved
            if store is not None:
                store.overview()
        report_events(report, Finished(verb, count, time.monotonic() - began))

    # --- options -------------------------------------------------------------------------------------

    def _options(self, verb: str, given: dict[str, Any]) -> Options:
        kind = verb_of(verb).options
        return kind.make(**{**self._known(kind), **given})

    def _known(self, kind: type[Options]) -> dict[str, Any]:
        return {name: value for name, value in self._defaults.items() if name in kind.model_fields}

    def _with_files(self, verb: str, given: dict[str, Any], output: Output) -> Iterator[Result]:
        """Runs a verb whose inputs may be in memory: those are written to a temporary folder first."""
        with TemporaryDirectory(prefix="eidophone-") as folder:
            files = as_files(given, Path(folder))
            for result in self.run(self._options(verb, files), output):
                yield replace(result)


def report_events(report: Reporter, event: Event) -> None:
    """Sends an event to whoever listens."""
    if report.listener is not None:
        report.listener(event)


def _prompts(options: Options) -> Pair:
    return getattr(options, "image_prompt", ""), getattr(options, "audio_prompt", "")


def _pair_folders(root: Path, pairs: Sequence[Options]) -> list[Path]:
    """A folder for each pair, by its prompts; numbered where two would have the same."""
    folders: list[Path] = []
    for options in pairs:
        stem = "--".join(slug(prompt) for prompt in _prompts(options))
        folder, number = root / stem, 1
        while folder in folders:
            number += 1
            folder = root / f"{stem}-{number}"
        folders.append(folder)
    return folders


#: Options that may differ between a run and the run that resumes it.
_FREE = {"index", "count", "samples", "batch_size", "device", "dtype", "threads"}


def _check_same_run(options: Options, result: Result, folder: Path) -> None:
    """Refuses to resume into a folder whose samples were made with other settings.

    Raises:
        BadInput: the first setting that differs.
    """
    then = result.recipe.options.plain()
    for name, value in options.plain().items():
        if name in _FREE or name in options.NOT_IN_RECIPE or value in (None, ""):
            continue
        before = then.get(name)
        same = Path(str(value)).name == Path(str(before)).name if isinstance(value, str) else value == before
        if not same:
            raise BadInput(
                f"--resume: {folder} was made with {name} {before!r}, not {value!r}; use the same settings, or "
                "choose another --out."
            )


__all__ = ["CancelToken", "Clip", "Output", "Picture", "Session"]
