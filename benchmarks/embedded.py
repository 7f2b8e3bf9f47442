"""Is the embedded family any good? Prints the table of docs/embedded-family.md; nothing is picked by hand.

    python -m benchmarks.embedded                     everything (an hour on two cores)
    python -m benchmarks.embedded --part sound picture --seeds 2
    python -m benchmarks.embedded --part compose --blend average inlay lighten
    python -m benchmarks.embedded --part compose --pairs 1 --seeds 1
    python -m benchmarks.embedded --table             what is known so far, without making anything

Independent judges: YAMNet (right class in the top five of 521) and training/networks/judge.py (right of
forty), which must have been trained before; with --second-ear also benchmarks/second_ear.py. Results are kept
by the weights' digest in --out, so a run goes on where it was stopped. A composed sample is right if it is
seen, heard, and drawn over at least half of the canvas; each blend has rows of its own. The ceilings need the
packs of the stages sounds and pictures.
"""

import argparse
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.compose import peak_mb, seconds
from benchmarks.judging import Judges, Ledger
from benchmarks.material import coded, drawn, real
from benchmarks.pairs import (
    PAIRS,
    SYNONYMS,
    picture_prompt,
    picture_side,
    sound_prompt,
    sound_side,
    wide_prompt,
)
from eidophone import Session
from eidophone.core.values import Result
from eidophone.models.cards import package_folder
from eidophone.models.embedders.load import load_embedder
from eidophone.models.load import load_vocoder, mel_spec_of
from eidophone.models.source import find
from eidophone.models.tagger import load_tagger
from eidophone.scoring.contract import Scorer, judged, subject_of
from eidophone.scoring.ranking import Candidate, candidate_of, ranked
from eidophone.scoring.scorers.canvas import OneCanvas
from eidophone.verbs.compose.blends import BLENDS, DEFAULT_BLEND
from eidophone.verbs.compose.options import ComposeOptions
from eidophone.verbs.shared.canvas import play
from eidophone.verbs.shared.context import Context
from eidophone.verbs.shared.models import load_models
from training.config import HERE
from training.data.repainted import STEPS
from training.self_training import DRAWN_ALONE, PLAYED_ALONE

SEEDS, CANDIDATES = 8, 16
FIRST_SEED = 1234
AT_ONCE = 8
#: Share of the columns that a drawing must span to count as one with the sound.
LEAST_COVERAGE = 0.5
#: Audio weights that samples use in turn where the part's name ends with VARIED.
WEIGHTS, VARIED = (0.3, 0.4, 0.5, 0.6, 0.7), "varied"
CEILING_CLIPS, CEILING_CANVASES = 3, 2


@dataclass(frozen=True)
class Item:
    """One prompt (or pair) to make and judge.

    Attributes:
        key: Its name in the ledger, the seed is added.
        shown, played: Concepts that must be seen and heard; empty where that side is silent.
        prompts: What is said to the two models.
        more: Further options of the verb.
    """

    key: str
    shown: str
    played: str
    prompts: tuple[str, str]
    more: dict[str, Any]


def items(part: str, pairs: int = len(PAIRS)) -> list[Item]:
    """What a part makes; of the parts with pairs, the first `pairs`."""
    verb, _, name = part.partition("-")
    blend = name.removesuffix(f"-{VARIED}")
    if part == "sound":
        return [Item(n, "", n, ("", sound_prompt(n)), PLAYED_ALONE) for n in sound_side()]
    if part == "picture":
        return [Item(n, n, "", (picture_prompt(n), ""), DRAWN_ALONE) for n in picture_side()]
    if part == "synonym":
        pictures = [
            Item(word, c, "", (picture_prompt(word), ""), DRAWN_ALONE) for word, c in SYNONYMS["seen"]
        ]
        sounds = [Item(word, "", c, ("", word), PLAYED_ALONE) for word, c in SYNONYMS["heard"]]
        return pictures + sounds
    if part == "plain":
        missing = [c for _, c in SYNONYMS["heard"] if c not in sound_side()]
        return [Item(n, "", n, ("", sound_prompt(n)), PLAYED_ALONE) for n in missing]
    # `lighten` puts one drawing beside the sound; all others need the whole width
    looks = picture_prompt if blend == "lighten" else wide_prompt
    more = {"blend": blend} if verb == "compose" else {}
    return [Item(f"{a}+{b}", a, b, (looks(a), sound_prompt(b)), more) for a, b in PAIRS[:pairs]]


def made(session: Session, part: str, item: Item, seeds: Sequence[int]) -> Iterable[Result]:
    """Samples of an item, by `compose`, or by `imprint` where that is the part."""
    given = {
        "preset": "fast", "seed": FIRST_SEED, "index": seeds[0], "count": len(seeds),
        "batch_size": len(seeds), **item.more,
    }  # fmt: skip
    if part == "imprint":
        return session.imprint(*item.prompts, **given)
    if part.endswith(VARIED):
        given["audio_weight"] = WEIGHTS[seeds[0] % len(WEIGHTS)]
    # all steps computed and guided, whatever `fast` saves
    return session.compose(*item.prompts, **given, steps=STEPS, guidance_stop_step=STEPS, reuse_steps=1)


def right(row: dict[str, Any]) -> bool:
    """Seen, heard, and drawn over at least half of the canvas."""
    return bool(row["seen"] and row["heard"] and row["coverage"] >= LEAST_COVERAGE)


def right_by_second(row: dict[str, Any]) -> bool:
    """As `right`, by the second ear."""
    return bool(row["seen"] and row.get("second") and row["coverage"] >= LEAST_COVERAGE)


def right_in_place(row: dict[str, Any]) -> bool:
    """`right`, and the sound is heard in the very part in which the drawing is seen."""
    return right(row) and bool(row["placed"])


def fit_of(judge: Scorer, result: Result) -> dict[str, float]:
    """By what the family's own judge would rank a result."""
    candidate = candidate_of(replace(result, score=judged(subject_of(result), [judge])))
    assert candidate.looks is not None and candidate.sounds is not None
    return {"looks": candidate.looks, "sounds": candidate.sounds}


@dataclass(frozen=True)
class Bench:
    """What judging needs.

    Attributes:
        session: Makes the samples.
        judges: Independent of the family.
        own: The judge by which the package chooses.
        ledger: Receives the rows.
    """

    session: Session
    judges: Judges
    own: Scorer
    ledger: Ledger


def judge_part(bench: Bench, part: str, seeds: int, pairs: int) -> None:
    """Makes and judges what is missing in the ledger."""
    ledger, composed = bench.ledger, part.startswith("compose")
    for item in items(part, pairs):
        missing = [n for n in range(seeds) if f"{part}/{item.key}/{n}" not in ledger.rows]
        at_once = 1 if part.endswith(VARIED) else AT_ONCE  # they differ in an option
        for first in range(0, len(missing), at_once):
            run = range(missing[first], missing[min(first + at_once, len(missing)) - 1] + 1)
            for result in made(bench.session, part, item, run):
                row: dict[str, Any] = dict(bench.judges.both(result, item.shown, item.played))
                if composed or part == "imprint":
                    row |= bench.judges.shared(result, item.shown, item.played)
                if composed:
                    row |= fit_of(bench.own, result)
                ledger.add(f"{part}/{item.key}/{result.index}", row)
        rows = [ledger.rows[f"{part}/{item.key}/{n}"] for n in range(seeds)]
        sides = [side for side in ("seen", "heard") if side in rows[0]]
        counts = ", ".join(f"{side} {sum(row[side] for row in rows)}" for side in sides)
        print(f"{part}: {item.key}: {counts} of {seeds}", flush=True)


# --- ceilings and costs --------------------------------------------------------------------------


def ceilings(work: Path, judges: Judges, ledger: Ledger) -> None:
    """Real development windows, played as they are drawn, and after the codec; drawn canvases."""
    source = find("tiny", "audio")
    spec, vocoder = mel_spec_of(source), load_vocoder(source)
    gray, names = real(work, CEILING_CLIPS)
    for kind, pictures in (("real", gray), ("codec", coded(gray))):
        for n, (sound, name) in enumerate(zip(play(pictures, vocoder, spec), names, strict=True)):
            found = judges.heard(torch.from_numpy(sound), spec.rate_hz, name)
            ledger.add(f"{kind}/{name}/{n}", {"heard": found})
    for n, (name, picture) in enumerate(drawn(work, CEILING_CANVASES)):
        ledger.add(f"drawn/{name}/{n}", {"seen": judges.seen(picture, name)})


def costs() -> dict[str, str]:
    """Times and memory of `fast` in this process, and the size of the weights that ship."""
    options = ComposeOptions.make(
        image_prompt=picture_prompt("frog"), audio_prompt=sound_prompt("frog"), count=1, preset="fast"
    )
    here = torch.device("cpu")
    load_models(options, Context())  # libraries are imported
    load = seconds(lambda: load_models(options, Context()), here)
    with Session() as session:
        list(session.run(options))
        alone = seconds(lambda: list(session.run(options)), here)
    weights = sum(f.stat().st_size for f in package_folder("tiny").rglob("*.safetensors"))
    return {
        f"fast, one candidate with sound, s ({torch.get_num_threads()} threads)": f"{alone:.2f}",
        "load, s": f"{load:.2f}",
        "largest memory, MB": f"{peak_mb():.0f}",
        "all weights in the package, MB": f"{weights / 1e6:.1f}",
    }


# --- the table -----------------------------------------------------------------------------------


def share(ledger: Ledger, part: str, rule: Callable[[dict[str, Any]], bool]) -> str:
    """How many rows of a part are right by a rule."""
    found = [rule(row) for _, row in ledger.of(part)]
    return f"{np.mean(found):.1%} of {len(found)}" if found else "not measured"


def best_of(ledger: Ledger, part: str) -> str:
    """How many pairs are right in the candidate that ranks first by the package (see `scoring.ranking`)."""
    by_pair: dict[str, list[Candidate[dict[str, Any]]]] = {}
    for key, row in ledger.of(part):
        _, pair, number = key.split("/")
        candidate = Candidate(row, int(number), row["looks"], row["sounds"])
        by_pair.setdefault(pair, []).append(candidate)
    best = [ranked(candidates)[0].item for candidates in by_pair.values()]
    found = [right(row) for row in best]
    size = min((len(rows) for rows in by_pair.values()), default=0)
    return f"{np.mean(found):.1%} of {len(found)} pairs, N = {size}" if found else "not measured"


def at_random(ledger: Ledger, part: str) -> str:
    """How many pairs a random candidate gets right, to compare with `best_of`."""
    by_pair: dict[str, list[bool]] = {}
    for key, row in ledger.of(part):
        by_pair.setdefault(key.split("/")[1], []).append(right(row))
    found = [float(np.mean(rows)) for rows in by_pair.values()]
    return f"{np.mean(found):.1%} of {len(found)} pairs" if found else "not measured"


def seen_words(ledger: Ledger) -> str:
    """How often the plain words of the synonyms' concepts are right, for comparison."""
    heard = [c for _, c in SYNONYMS["heard"]]
    sides = {"picture": [c for _, c in SYNONYMS["seen"]], "sound": heard, "plain": heard}
    found = [
        bool(row.get("seen", row.get("heard")))
        for part, wanted in sides.items()
        for key, row in ledger.of(part)
        if key.split("/")[1] in wanted
    ]
    return f"{np.mean(found):.1%} of {len(found)}" if found else "not measured"


def on_one_canvas(ledger: Ledger, part: str) -> dict[str, str]:
    """The measures of a part with pairs: `imprint`, or `compose-` and a blend."""
    name = part.replace("-", " --blend ")
    found = {
        f"{name}, seen": share(ledger, part, lambda row: row["seen"]),
        f"{name}, heard": share(ledger, part, lambda row: row["heard"]),
        f"{name}, seen and heard, anywhere": share(ledger, part, lambda row: row["seen"] and row["heard"]),
        f"{name}, right: and over half of the canvas": share(ledger, part, right),
        f"{name}, right and in the same place": share(ledger, part, right_in_place),
    }
    if any("second" in row for _, row in ledger.of(part)):
        found[f"{name}, heard by the second ear"] = share(ledger, part, lambda row: bool(row.get("second")))
        found[f"{name}, right by the second ear"] = share(ledger, part, right_by_second)
    if part != "imprint":
        found[f"{name}, right, best by the package's choice"] = best_of(ledger, part)
        found[f"{name}, right, a random one"] = at_random(ledger, part)
    return found


def table(ledger: Ledger, blends: Sequence[str]) -> dict[str, str]:
    """The measures of the ledger, as people read them."""
    pairs: dict[str, str] = {}
    for part in (*(f"compose-{blend}" for blend in blends), "imprint"):
        pairs |= on_one_canvas(ledger, part)
    return {
        "sound alone, heard": share(ledger, "sound", lambda row: row["heard"]),
        "real windows, played": share(ledger, "real", lambda row: row["heard"]),
        "real windows through the codec, played": share(ledger, "codec", lambda row: row["heard"]),
        "canvases that the image model learned from, seen": share(ledger, "drawn", lambda row: row["seen"]),
        "picture alone, seen": share(ledger, "picture", lambda row: row["seen"]),
        **pairs,
        "unseen synonyms": share(ledger, "synonym", lambda row: bool(row.get("seen", row.get("heard")))),
        "the same concepts by words that were seen": seen_words(ledger),
    }


PARTS = ("ceilings", "sound", "picture", "compose", "imprint", "synonym", "plain", "costs")


def main() -> None:
    """Runs what is asked for and prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--part", nargs="+", choices=PARTS, default=PARTS, help="only these")
    parser.add_argument(
        "--blend",
        nargs="+",
        choices=BLENDS.names(),
        default=[DEFAULT_BLEND],
        help="blends of the part compose",
    )
    parser.add_argument(
        "--pairs", type=int, default=len(PAIRS), help="of compose and imprint: the first ones"
    )
    parser.add_argument(
        "--seeds", type=int, help=f"samples of each prompt (default: {SEEDS}, of compose {CANDIDATES})"
    )
    parser.add_argument(
        "--work", type=Path, default=HERE / "work" / "laptop", help="where judge and sound pack lie"
    )
    parser.add_argument("--out", type=Path, help="folder of the kept results (default: in --work)")
    parser.add_argument("--varied", action="store_true", help="compose: another audio weight for each seed")
    parser.add_argument("--second-ear", action="store_true", help="ask the second ear, too")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--table", action="store_true", help="only print what is known")
    given = parser.parse_args()
    if given.varied:
        given.blend = [f"{blend}-{VARIED}" for blend in given.blend]
    torch.set_num_threads(given.threads)
    digests = "-".join(find("tiny", role).weights for role in ("image", "audio"))
    ledger = Ledger((given.out or given.work / "embedded") / f"{digests}.jsonl")
    facts = {}
    if not given.table:
        facts = costs() if "costs" in given.part else {}
        run_parts([p for p in PARTS if p in given.part], given, ledger)
    for name, value in (table(ledger, given.blend) | facts).items():
        print(f"{value:>24}  {name}")


def run_parts(parts: list[str], given: argparse.Namespace, ledger: Ledger) -> None:
    """Everything but the costs."""
    own = OneCanvas(load_embedder("tiny", torch.device("cpu")), load_tagger())
    with Session(threads=given.threads) as session:
        bench = Bench(session, Judges.load(given.work, given.second_ear), own, ledger)
        for part in parts:
            if part == "ceilings" and not any(ledger.of("real")):
                ceilings(given.work, bench.judges, ledger)
            elif part == "compose":
                for blend in given.blend:
                    judge_part(bench, f"compose-{blend}", given.seeds or CANDIDATES, given.pairs)
            elif part not in ("ceilings", "costs"):
                judge_part(bench, part, given.seeds or SEEDS, given.pairs)


if __name__ == "__main__":
    main()
