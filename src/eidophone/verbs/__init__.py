"""The verbs: a folder for each, and one row here for what the rest of the program needs to know of it.

Importing this package imports no torch; a pipeline is imported when it runs. Another package adds a verb with
`register`, or by an entry point in the group "eidophone.verbs".
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from eidophone.core.catalog import Catalog, checked
from eidophone.options.kinds import Options
from eidophone.verbs.colorize.options import ColorizeOptions
from eidophone.verbs.compose.options import ComposeOptions
from eidophone.verbs.distill.options import DistillOptions
from eidophone.verbs.hear.options import HearOptions
from eidophone.verbs.imprint.options import ImprintOptions
from eidophone.verbs.paint.options import PaintOptions
from eidophone.verbs.see.options import SeeOptions

if TYPE_CHECKING:
    from eidophone.core.values import Result
    from eidophone.verbs.shared.context import Context

    Pipeline = Callable[[Any, Context], Iterator[Result]]
    ManyPipeline = Callable[[Sequence[Any], Context], Iterator[Result]]


@dataclass(frozen=True)
class Argument:
    """A positional argument of a verb.

    Attributes:
        field: The option that it sets.
        metavar: How the help shows it.
        help: One phrase.
        replaced_by: An option that may stand in its place, such as a file in place of a prompt.
        beside: It may also be given together with that option.
        several: One run for each value.
    """

    field: str
    metavar: str
    help: str
    replaced_by: str = ""
    several: bool = False
    beside: bool = False


@dataclass(frozen=True)
class Together:
    """How a verb makes several runs that share batches.

    Attributes:
        pipeline: A generator function (options of each run, context) -> results, run by run; or "module:name"
            of one.
        apart: The options in which such runs may differ.
    """

    pipeline: "str | ManyPipeline"
    apart: frozenset[str]


@dataclass(frozen=True)
class Verb:
    """One verb.

    Attributes:
        name: On the command line and in recipes.
        summary: One phrase for the list of verbs.
        options: Its options.
        pipeline: A generator function (options, context) -> results, or "module:name" of one.
        arguments: Its positional arguments.
        examples: Command lines for the help, without the program's name.
        models: Options that name a model.
        keeps_unfinished: Whether it stores unfinished samples itself, as checkpoints in the output folder.
        together: How it makes several runs that share batches; None if it cannot.
    """

    name: str
    summary: str
    options: type[Options]
    pipeline: "str | Pipeline"
    arguments: tuple[Argument, ...]
    examples: tuple[str, ...] = ()
    models: tuple[str, ...] = ("image_model", "audio_model")
    keeps_unfinished: bool = False
    together: Together | None = None

    def run(self, options: Options, context: "Context") -> "Iterator[Result]":
        """Runs the verb; yields each sample as soon as it is finished.

        Raises:
            EidophoneError: see the pipeline.
        """
        made: Iterator[Result] = _imported(self.pipeline)(options, context)
        return made

    def run_together(self, runs: "Sequence[Options]", context: "Context") -> "Iterator[Result]":
        """Makes several runs that differ in `together.apart` only; yields their samples run by run.

        Raises:
            EidophoneError: see the pipeline.
        """
        assert self.together is not None, f"{self.name} makes one run at a time"
        made: Iterator[Result] = _imported(self.together.pipeline)(runs, context)
        return made


def _imported(pipeline: Any) -> Any:
    """A function, or the one that "module:name" names."""
    if not isinstance(pipeline, str):
        return pipeline
    module, _, name = pipeline.partition(":")
    return getattr(import_module(module), name)


_IMAGE = Argument("image_prompt", "IMAGE_PROMPT", "what it looks like")
_AUDIO = Argument("audio_prompt", "AUDIO_PROMPT", "what it sounds like")

VERBS: Catalog[Verb] = Catalog("verb")


def register(verb: Verb) -> None:
    """Adds a verb: to the command line, the Python API, recipes and batches."""
    VERBS.register(verb.name, verb)


def verb_of(name: str) -> Verb:
    """A verb by its name.

    Raises:
        BadInput: there is none.
    """
    return checked(lambda: VERBS[name])


def verb_for(options: Options) -> Verb:
    """The verb that options belong to."""
    kinds = type(options).__mro__
    return min(
        (VERBS[name] for name in VERBS.names() if VERBS[name].options in kinds),
        key=lambda verb: kinds.index(verb.options),
    )


register(
    Verb(
        name="compose",
        summary="make pictures that play: one latent, denoised by an image and an audio model",
        options=ComposeOptions,
        pipeline="eidophone.verbs.compose.pipeline:compose",
        arguments=(
            Argument("image_prompt", "IMAGE_PROMPT", "what it looks like", "picture", beside=True),
            Argument("audio_prompt", "AUDIO_PROMPT", "what it sounds like", "sound", beside=True),
        ),
        examples=(
            'compose "three frogs, grayscale, black background" "frog croaking"',
            'compose --picture photo.jpg "rain on leaves"',
            'compose "a castle, grayscale" "bell ringing" --count 2 --from 16 --seconds 6',
            "compose --example bell --preset paper",
        ),
        together=Together(
            "eidophone.verbs.compose.pipeline:compose_pairs",
            frozenset({"image_prompt", "audio_prompt", "seed", "count", "index", "samples"}),
        ),
    )
)
register(
    Verb(
        name="imprint",
        summary="press a picture into a spectrogram; your own files may replace the prompts",
        options=ImprintOptions,
        pipeline="eidophone.verbs.imprint.pipeline:imprint",
        arguments=(
            Argument("image_prompt", "IMAGE_PROMPT", "what it looks like", "picture"),
            Argument("audio_prompt", "AUDIO_PROMPT", "what it sounds like", "sound"),
        ),
        examples=(
            'imprint "a castle, grayscale" "bell ringing"',
            "imprint --picture photo.jpg --sound rain.wav --width 896",
        ),
    )
)
register(
    Verb(
        name="colorize",
        summary="colour a picture that plays; its sound stays the same",
        options=ColorizeOptions,
        pipeline="eidophone.verbs.colorize.pipeline:colorize",
        arguments=(
            Argument("picture", "RESULT", "folder of a result, or its picture"),
            Argument("image_prompt", "PROMPT", "what the colours show, such as 'a colorful photo of dogs'"),
        ),
        examples=('colorize eidophone-out/my-frog/0000 "a green frog"',),
        models=("image_model", "upscaler", "audio_model"),
    )
)
register(
    Verb(
        name="distill",
        summary="optimise a picture until both models recognise their prompts; slow, but it can be resumed",
        options=DistillOptions,
        pipeline="eidophone.verbs.distill.pipeline:distill",
        arguments=(_IMAGE, _AUDIO),
        examples=('distill "a castle, grayscale" "bell ringing" --out bells',),
        keeps_unfinished=True,
    )
)
register(
    Verb(
        name="paint",
        summary="paint pictures of recorded sounds",
        options=PaintOptions,
        pipeline="eidophone.verbs.paint.pipeline:paint",
        arguments=(Argument("sound", "SOUND", "sound files, or folders of them", several=True),),
        examples=(
            "paint rooster.wav",
            "paint --plays rooster.wav",
            'paint rooster.wav --caption "a rooster crowing" --count 4',
        ),
        models=(
            "image_model",
            "audio_model",
            "captioner",
            "embedder",
            "text_embedder",
            "color_model",
            "separator",
        ),
    )
)
register(
    Verb(
        name="hear",
        summary="play a spectrogram picture, or any picture",
        options=HearOptions,
        pipeline="eidophone.verbs.hear.pipeline:hear",
        arguments=(Argument("picture", "PICTURE", "the picture file"),),
        examples=("hear photo.jpg", "hear drawing.png --invert", "hear score.png --midi"),
        models=("audio_model",),
    )
)
register(
    Verb(
        name="see",
        summary="draw a sound as a spectrogram picture",
        options=SeeOptions,
        pipeline="eidophone.verbs.see.pipeline:see",
        arguments=(Argument("sound", "SOUND", "the sound file", "record"),),
        examples=("see birdsong.mp3 --duration-s 10", "see --record 5"),
        models=("audio_model",),
    )
)
