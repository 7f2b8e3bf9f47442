"""Distillation beside its rivals, on pairs of the embedded family: `python -m benchmarks.distilling OUT`.

For each pair one sample of `distill`, `compose` and `imprint` is made, of one seed, and what `distill` starts
from is kept too. The family's embedder says how near picture and sound are to their prompts (of `imprint`
what counts is the spectrogram, which plays); YAMNet and the picture judge, which took no part, whether they
recognise them. It goes on where it was stopped.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from statistics import mean, stdev

import torch

from benchmarks.judging import Judges, Ledger
from benchmarks.pairs import PAIRS, picture_prompt, sound_prompt
from eidophone.core.values import Result
from eidophone.media.picture import read_picture, write_png
from eidophone.media.sheets import contact_sheet
from eidophone.results.store import Store, load, sample_name
from eidophone.running import Output
from eidophone.scoring.contract import judged, subject_of
from eidophone.scoring.judges import open_judges
from eidophone.session import Session
from eidophone.verbs.compose.options import ComposeOptions
from eidophone.verbs.distill.models import load_distill_models
from eidophone.verbs.distill.options import DistillOptions
from eidophone.verbs.imprint.options import ImprintOptions
from eidophone.verbs.shared.context import Context
from eidophone.verbs.shared.recipes import sample_recipe
from eidophone.verbs.shared.results import make_results

KINDS = {"distill": DistillOptions, "compose": ComposeOptions, "imprint": ImprintOptions}
METHODS = ("start", *KINDS)
NUMBERS = ("looks", "sounds", "seen", "heard", "unet_evaluations", "seconds")


def made(method: str, pair: tuple[str, str], given: argparse.Namespace) -> Result:
    """The sample of a method, made if it is not there yet."""
    folder = given.out / method / "-".join(pair)
    if (folder / sample_name(0) / "record.json").is_file():
        return load(folder / sample_name(0))
    told = {
        "image_prompt": picture_prompt(pair[0]), "audio_prompt": sound_prompt(pair[1]), "count": 1,
        "image_model": given.image_model, "audio_model": given.audio_model, "preset": given.preset,
        "threads": given.threads, "offline": True,
    }  # fmt: skip
    if method == "start":
        return Store(folder).save(start(DistillOptions.make(**told)))
    more = {"resume": True} if method == "distill" else {}
    with Session() as session:
        (result,) = session.run(KINDS[method].make(**told, **more), Output(folder))
    return result


def start(options: DistillOptions) -> Result:
    """What `distill` shows before its first iteration."""
    models = load_distill_models(options, Context())
    pictures, numbers = models.pictures(models.new_canvas(options.seed))
    recipe = sample_recipe("distill", models.options, models.studio, range(1), 0)
    (result,) = make_results(
        pictures, models.gray(pictures), models.options, models.studio, [recipe], numbers
    )
    result.facts.update(unet_evaluations=0, seconds=0.0)
    return result


def collect(ledger: Ledger, given: argparse.Namespace) -> None:
    """Judges what the ledger does not hold yet."""
    scorers = open_judges("tiny", torch.device("cpu"), offline=True)
    judges = Judges.load(given.work)
    for pair in PAIRS[: given.pairs]:
        for method in METHODS:
            key = f"{method}/{'-'.join(pair)}"
            if key not in ledger.rows:
                result = made(method, pair, given)
                said = judged(subject_of(result), scorers).numbers
                row = {"looks": said["tiny.looks_gray"], "sounds": said["tiny.sounds"]}
                row |= {name: result.facts[name] for name in ("unet_evaluations", "seconds")}
                row |= judges.both(result, *pair)
                ledger.add(key, row)
                print(key, row, flush=True)


def table(ledger: Ledger) -> Iterator[str]:
    """A line a method, in Markdown; mean and 1.96 s/sqrt(n)."""
    yield "| method | pairs | " + " | ".join(NUMBERS) + " |"
    yield "|---" * (len(NUMBERS) + 2) + "|"
    for method in METHODS:
        rows = [row for _, row in ledger.of(method)]
        columns = [[float(row[name]) for row in rows] for name in NUMBERS]
        yield f"| {method} | {len(rows)} | " + " | ".join(map(said, columns)) + " |"


def said(numbers: list[float]) -> str:
    """A mean with its interval."""
    if len(numbers) < 2:
        return f"{mean(numbers):.3f}" if numbers else "-"
    return f"{mean(numbers):.3f} ± {1.96 * stdev(numbers) / len(numbers) ** 0.5:.3f}"


def overview(given: argparse.Namespace) -> None:
    """A sheet of what plays: a row a pair, a column a method."""
    pairs = ["-".join(pair) for pair in PAIRS[: given.pairs]]
    names = [(method, pair) for pair in pairs for method in METHODS]
    files = [given.out / method / pair / sample_name(0) / "spectrogram.png" for method, pair in names]
    labels = [f"{method}: {pair}" for method, pair in names]
    sheet = contact_sheet([read_picture(file) for file in files], labels, len(METHODS))
    write_png(given.out / "sheet.png", sheet)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--preset", default="fast")
    parser.add_argument("--image-model", default="tiny")
    parser.add_argument("--audio-model", default="tiny")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--work", type=Path, default=Path("training/work/laptop"), help="where judge.pt is")
    given = parser.parse_args()
    ledger = Ledger(given.out / "distilling.jsonl")
    collect(ledger, given)
    print("\n".join(table(ledger)))
    overview(given)


if __name__ == "__main__":
    main()
