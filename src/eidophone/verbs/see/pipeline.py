"""A sound, drawn as a mel picture."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from eidophone.core.errors import BadInput
from eidophone.core.values import Clip, Picture, Result
from eidophone.media.audio import cancelled_channels, peak_normalize, read_sound, resample, write_wav
from eidophone.media.files import check_readable
from eidophone.media.mel import MelSpec
from eidophone.media.microphone import record
from eidophone.media.spectrogram import gray_from_clip
from eidophone.models.load import mel_spec_of
from eidophone.models.source import find
from eidophone.verbs.hear.pipeline import WIDEST
from eidophone.verbs.see.options import SeeOptions
from eidophone.verbs.shared.context import Context
from eidophone.verbs.shared.inputs import checksums, with_inputs
from eidophone.verbs.shared.recipes import recipe_of

#: The microphone's sound, as a file of the result.
RECORDING = "recording.wav"


def see(options: SeeOptions, context: Context) -> Iterator[Result]:
    """Draws a sound; the result keeps the sound at its own rate, with its own channels.

    Raises:
        EidophoneError: the sound or the model cannot be used, or it is too long for one picture.
    """
    if options.record is None:
        yield from _seen(options, context)
        return
    with TemporaryDirectory(prefix="eidophone-") as folder:
        path = Path(folder) / RECORDING
        context.report("recording", 0, 1)
        write_wav(path, record(options.record))
        context.report("recording", 1, 1)
        for result in _seen(options.model_copy(update={"sound": path, "record": None}), context):
            yield replace(result, files={RECORDING: path.read_bytes()})


def _seen(options: SeeOptions, context: Context) -> Iterator[Result]:
    assert options.sound is not None, "recorded by now"
    check_readable(options.sound, "a sound")
    source = find(options.audio_model, "audio", offline=options.offline)
    spec = mel_spec_of(source)
    context.report("drawing", 0, 1)
    given = read_for_one_picture(options.sound, spec, options.start_s, options.duration_s)
    if (warning := cancelled_channels(given, options.sound.name)) is not None:
        context.report.warn(warning)
    analysed = resample(given, spec.rate_hz)
    gray = gray_from_clip(peak_normalize(analysed) if options.normalize else analysed, spec)
    clip = peak_normalize(given) if options.normalize else given
    context.report("drawing", 1, 1)
    yield Result(
        verb="see",
        index=0,
        picture=Picture.from_gray(gray),
        spectrogram=gray,
        clip=clip,
        recipe=with_inputs(recipe_of("see", options, {"audio": source}, spec), options, checksums(options)),
        captions=(options.sound.name,),
        arrays={"spectrogram": gray, "sound": clip.samples},
    )


def read_for_one_picture(path: Path, spec: MelSpec, start_s: float, duration_s: float | None) -> Clip:
    """A part of a sound file, if one mel picture can show it.

    Raises:
        BadInput: it cannot be read, or it is too long.
    """
    longest_s = spec.seconds(WIDEST)
    clip = read_sound(path, start_s=start_s, duration_s=min(duration_s or longest_s + 1, longest_s + 1))
    if clip.duration_s > longest_s:
        raise BadInput(
            f"{path}: is longer than one picture can show; use --duration-s {longest_s:.0f} or less."
        )
    return clip
