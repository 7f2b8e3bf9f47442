"""`evaluate --questionnaire A B` writes the test; `evaluate --answers FILES` says what people prefer."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from eidophone.core.errors import BadInput
from eidophone.core.events import Progress, silent
from eidophone.core.text import printable
from eidophone.core.values import Clip, Picture
from eidophone.evaluation.found import Found, found_below, last_parts
from eidophone.evaluation.questionnaire.answers import read_answers
from eidophone.evaluation.questionnaire.page import PAGE_FILE, fingerprint, write_page
from eidophone.evaluation.questionnaire.preference import Verdict, verdict_of
from eidophone.evaluation.questionnaire.trials import KEY_FILE, Key, Plan, Sample, drawn
from eidophone.evaluation.seen import seen_as
from eidophone.media.files import write_atomically
from eidophone.options.commands import EvaluateOptions

VERDICT_FILE = "preferences.json"


def write_questionnaire(
    options: EvaluateOptions, folders: Sequence[str | Path], out: Path, progress: Progress = silent
) -> Key:
    """Writes `questionnaire.html` and `key.json` into `out`.

    Args:
        options: How many trials, and their seed.
        folders: Two, of results or of runs: one for each method.
        out: Where to write.
        progress: Called for each sample that is read.

    Raises:
        BadInput: not two folders, no samples with the same prompts, or too many for one page.
        CannotWrite: it may not be written.
    """
    if len(folders) != 2:
        raise BadInput(f"--questionnaire compares two folders, and {len(folders)} were named; name two.")
    sides = [found_below([folder], out) for folder in folders]
    samples = [_samples(found, progress) for found in sides]
    for folder, found in zip(folders, samples, strict=True):
        if not found:
            raise BadInput(f"{folder}: has no finished samples; name a folder of results.")
    plan = Plan(options.pairs, options.repeats, options.catches, options.order_seed)
    methods = _names(folders)
    named = [[_prefixed(sample, side) for sample in found] for side, found in enumerate(samples)]
    trials = drawn(methods, named, plan)
    key = Key(questionnaire=fingerprint(trials), methods=list(methods), trials=trials)

    def _open(name: str) -> tuple[Picture, Clip]:
        side, _, sample = name.partition(":")
        with sides[int(side)][sample].opened() as folder:
            seen = seen_as(folder)
        return seen.subject.picture, seen.subject.clip

    write_page(out / PAGE_FILE, key, _open, options.order_seed)
    key.write(out / KEY_FILE)
    return key


def analyse(options: EvaluateOptions, files: Sequence[Path], out: Path) -> Verdict:
    """Reads answers and their key, and writes `preferences.json` into `out`.

    Raises:
        BadInput: no files, or one of them or the key cannot be used.
        CannotWrite: it may not be written.
    """
    if not files:
        raise BadInput("--answers needs the files that the questionnaire saved; name them.")
    key = Key.read(options.key or _beside(files[0], out))
    verdict = verdict_of(read_answers(files, key), key)
    shares = [asdict(one) | {"share": one.share, "decided": one.decided} for one in verdict.preferences]
    text = json.dumps(asdict(verdict) | {"preferences": shares}, indent=2)
    write_atomically(out / VERDICT_FILE, lambda draft: _write(draft, text))
    return verdict


def _write(draft: Path, text: str) -> None:
    draft.write_text(text + "\n", encoding="utf-8")


def _beside(file: Path, out: Path) -> Path:
    """The key beside the answers, or where the questionnaire was written."""
    near = file.absolute().parent / KEY_FILE
    return near if near.is_file() else out / KEY_FILE


def _samples(found: dict[str, Found], progress: Progress) -> list[Sample]:
    samples = []
    for number, (name, one) in enumerate(found.items()):
        progress("reading samples", number, len(found))
        try:
            with one.opened() as folder:
                seen = seen_as(folder)
        except BadInput:
            continue  # broken samples are named by an evaluation
        subject = seen.subject
        caption = subject.image_prompt or str(seen.facts.get("caption", ""))
        recording = "" if subject.audio_prompt else hashlib.sha256(subject.clip.samples.tobytes()).hexdigest()
        samples.append(Sample(name, caption, subject.audio_prompt, seen.index, recording))
    return samples


def _prefixed(sample: Sample, side: int) -> Sample:
    return replace(sample, name=f"{side}:{sample.name}")


def _names(folders: Sequence[str | Path]) -> tuple[str, str]:
    """The folders' names; with their parents' where both are alike."""
    first, second = (printable(last_parts(folder)[-1]) for folder in folders)
    if first == second:
        first, second = (printable("/".join(last_parts(folder)[-2:])) for folder in folders)
    return (first, second) if first != second else (f"{first} (first)", f"{second} (second)")
