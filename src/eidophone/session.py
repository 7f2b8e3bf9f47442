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
from dataclasses import replace
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
    Finished,
    Reporter,
    SampleFinished,
    Started,
)
from eidophone.core.values import Caption, Result, Score
from eidophone.models.registry import Registry
from eidophone.options.kinds import Options
from eidophone.results.recipe import read_recipe
from eidophone.results.store import finished_samples, load
from eidophone.running import (
    Output,
    Pair,
    batch_size,
    check_same_run,
    pair_folders,
    report_events,
    say_loudness,
)
from eidophone.saving import saved
from eidophone.verbs import Verb, verb_for, verb_of
from eidophone.verbs.remake import remake as remake_from
from eidophone.verbs.shared.context import Context
from eidophone.verbs.shared.memory_inputs import as_files

if TYPE_CHECKING:
    from eidophone.options.commands import CaptionOptions, ScoreOptions


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
        **options: Unpack[ComposeArguments],
    ) -> Iterator[Result]:
        """Pictures that play: one latent, denoised by an image and an audio model.

        Args:
            image_prompt: What it looks like.
            audio_prompt: What it sounds like.
            prompts: Several pairs instead, with `count` samples each. They share batches on a GPU. With `out`,
                each pair has a folder of its own in it.
            options: See `eidophone compose --help-all`, and `Output` for out, keep_arrays, events, cancel, progress.

        Raises:
            EidophoneError: something that the caller can put right; the message says how.
        """
        if prompts is None:
            return self._with_files(
                "compose", image_prompt=image_prompt or "", audio_prompt=audio_prompt or "", **options
            )
        output, given = Output.split(options)
        if image_prompt is not None or audio_prompt is not None:
            raise BadInput("compose: give one pair of prompts or `prompts`, not both.")
        if not prompts:
            raise BadInput("compose: `prompts` is empty; give at least one pair.")
        pairs = [
            self._options("compose", {"image_prompt": looks, "audio_prompt": sounds, **given})
            for looks, sounds in prompts
        ]
        folders = [] if output.out is None else pair_folders(Path(output.out), pairs)
        return self.run_together(pairs, output, folders)

    def imprint(
        self,
        image_prompt: str = "",
        audio_prompt: str = "",
        **options: Unpack[ImprintArguments],
    ) -> Iterator[Result]:
        """Pictures pressed into spectrograms; `picture` and `sound` replace the prompts by your own material."""
        return self._with_files("imprint", image_prompt=image_prompt, audio_prompt=audio_prompt, **options)

    def colorize(
        self,
        picture: Any,
        image_prompt: str,
        **options: Unpack[ColorizeArguments],
    ) -> Iterator[Result]:
        """Colours for a picture that plays, whose sound stays; `picture` may also be the folder of a result."""
        return self._with_files("colorize", picture=picture, image_prompt=image_prompt, **options)

    def distill(
        self,
        image_prompt: str = "",
        audio_prompt: str = "",
        **options: Unpack[DistillArguments],
    ) -> Iterator[Result]:
        """Pictures optimised until both models like them; with `out`, `resume=True` continues a stopped run."""
        return self._with_files("distill", image_prompt=image_prompt, audio_prompt=audio_prompt, **options)

    def paint(
        self,
        sound: Any,
        **options: Unpack[PaintArguments],
    ) -> Iterator[Result]:
        """Pictures of a recorded sound."""
        return self._with_files("paint", sound=sound, **options)

    def hear(
        self,
        picture: Any,
        **options: Unpack[HearArguments],
    ) -> Result:
        """Plays a picture."""
        (result,) = self._with_files("hear", picture=picture, **options)
        return result

    def see(
        self,
        sound: Any = None,
        **options: Unpack[SeeArguments],
    ) -> Result:
        """Draws a sound as a mel picture; without one, `record` says how many seconds to record."""
        (result,) = self._with_files("see", sound=sound, **options)
        return result

    def remake(self, path: str | Path, **changes: Any) -> Result:
        """Makes a result again from its PNG, WAV or folder: the same bytes on the same machine.

        Args:
            path: What carries the recipe.
            changes: Options to change, such as `device="cpu"`, or where an input file or a model is now; see
                `Output` for out, keep_arrays, events, cancel, progress.
        """
        output, changes = Output.split(changes)
        path = Path(path)
        recipe = read_recipe(path)
        folder = path if path.is_dir() else path.parent
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
            places, resumable = self._places(options, numbers), hasattr(options, "resume")
            return self._finished(verb.name, made, places, output, report, resumable=resumable)
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
        """What a folder already holds, then what is missing.

        Sums over a batch round differently from sums over one sample. So a batch that lacks a sample is made
        again as a whole, and only what was missing is kept.
        """
        assert output.out is not None
        here = {
            index: folder for index, folder in finished_samples(Path(output.out)).items() if index in numbers
        }
        kept = []
        for folder in here.values():
            kept.append(load(folder))
            check_same_run(options, kept[-1], folder)
            yield kept[-1]
        missing = [index for index in numbers if index not in here]
        if not missing:
            with output.store(Path(output.out)) as store:
                store.reserve(())
                store.overview()  # the run may have stopped before it
            return
        batch = batch_size(options, kept)
        chunks = (numbers[first : first + batch] for first in range(0, len(numbers), batch))
        again = [index for chunk in chunks if not here.keys() >= set(chunk) for index in chunk]
        changes: dict[str, object] = {"samples": tuple(again), "count": len(again)}
        if batch > 1:
            changes["batch_size"] = batch
        made = verb.run(options.model_copy(update=changes), self._context(verb, report, output))
        wanted = (result for result in made if result.recipe.index not in here)
        yield from self._finished(verb.name, wanted, missing, output, report)

    def run_together(
        self, runs: Sequence[Options], output: Output | None = None, folders: Sequence[Path] = ()
    ) -> Iterator[Result]:
        """Makes several runs in turn; they share models and, on a GPU, batches. Yields their samples run by run.

        Args:
            runs: Options of one verb, which differ only in what its `together.apart` names.
            output: Everything but `out` counts.
            folders: One for each run, to store its samples in; empty stores nothing.

        Raises:
            EidophoneError: before any work, where that can be known.
        """
        output = output or Output()
        verb, report = verb_for(runs[0]), output.reporter()
        counts = [int(getattr(one, "count", 1)) for one in runs]
        owners = [number for number, count in enumerate(counts) for _ in range(count)]
        made = zip(owners, verb.run_together(runs, Context(self.registry, report)), strict=True)
        places = [(folder, getattr(one, "numbers", (0,))) for folder, one in zip(folders, runs, strict=False)]
        return self._stored(verb.name, made, len(owners), places, output, report)

    def _finished(
        self,
        verb: str,
        made: Iterator[Result],
        places: Sequence[int],
        output: Output,
        report: Reporter,
        *,
        resumable: bool = False,
    ) -> Iterator[Result]:
        """Stores results as they come, if they are to be stored, and reports them."""
        folders = [] if output.out is None else [(Path(output.out), places)]
        numbered = ((0, result) for result in made)
        return self._stored(verb, numbered, len(places), folders, output, report, resumable=resumable)

    def _stored(
        self,
        verb: str,
        made: Iterator[tuple[int, Result]],
        expected: int,
        folders: Sequence[tuple[Path, Sequence[int]]],
        output: Output,
        report: Reporter,
        *,
        resumable: bool = False,
    ) -> Iterator[Result]:
        """Stores the results of one or several runs as they come.

        Args:
            made: Results, each with the number of its run; `expected` says how many there will be.
            folders: Of each run, with the indices of its samples; empty stores nothing.
            resumable: Whether the run has `--resume`, for messages.
        """
        began, count = time.monotonic(), 0
        report_events(report, Started(verb, expected))
        with ExitStack() as stack:
            stores = [stack.enter_context(output.store(folder)) for folder, _ in folders]
            for store, (_, indices) in zip(stores, folders, strict=True):
                store.reserve(indices, resumable=resumable)

            def _tell(stored: Result) -> None:
                nonlocal count
                count += 1
                say_loudness(output, stored, report)
                report_events(report, SampleFinished(stored))

            saving = ((stores[run].save if stores else None, result) for run, result in made)
            yield from saved(saving, report, _tell, ahead=output.ahead)
            for store in stores:
                store.overview()
        report_events(report, Finished(verb, count, time.monotonic() - began))

    # --- options -------------------------------------------------------------------------------------

    def _options(self, verb: str, given: dict[str, Any]) -> Options:
        return (kind := verb_of(verb).options).make(**{**self._known(kind), **given})

    def _known(self, kind: type[Options]) -> dict[str, Any]:
        return {name: value for name, value in self._defaults.items() if name in kind.model_fields}

    def _with_files(self, verb: str, **options: Any) -> Iterator[Result]:
        """Runs a verb whose inputs may be in memory: those are written to a temporary folder first."""
        output, given = Output.split(options)
        with TemporaryDirectory(prefix="eidophone-") as folder:
            files = as_files(given, Path(folder))
            for result in self.run(self._options(verb, files), output):
                yield replace(result)
