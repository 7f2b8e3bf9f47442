"""Is the embedded family any good? Prints the table of docs/embedded-family.md; nothing is picked by hand.

    python -m benchmarks.embedded                     everything (an hour on two cores)
    python -m benchmarks.embedded --part sound picture --seeds 2
    python -m benchmarks.embedded --table             what is known so far, without making anything

Independent judges: YAMNet (right class in the top five of 521) and training/networks/judge.py (right of
forty), which must have been trained before. Results are kept by the weights' digest in --out, so a run goes
on where it was stopped. The ceilings need the packs of the stages sounds and pictures.
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
from benchmarks.pairs import PAIRS, SYNONYMS, picture_prompt, picture_side, sound_prompt, sound_side
from eidophone.core.values import Result
from eidophone.models.cards import package_folder
from eidophone.models.embedders.load import load_embedder
from eidophone.models.load import load_vocoder, mel_spec_of
from eidophone.models.source import find
from eidophone.scoring.contract import judged, subject_of
from eidophone.scoring.ranking import Candidate, candidate_of, ranked
from eidophone.scoring.similarity import Similarity
from eidophone.verbs.compose.options import ComposeOptions
from eidophone.verbs.compose.pipeline import compose
from eidophone.verbs.imprint.options import ImprintOptions
from eidophone.verbs.imprint.pipeline import imprint
from eidophone.verbs.shared.run import load_models, play
from training.config import HERE
from training.data.repainted import STEPS
from training.self_training import DRAWN_ALONE, PLAYED_ALONE

SEEDS, CANDIDATES = 8, 16
FIRST_SEED = 1234
AT_ONCE = 8
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


def items(part: str) -> list[Item]:
    """What a part makes."""
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
    return [Item(f"{a}+{b}", a, b, (picture_prompt(a), sound_prompt(b)), {}) for a, b in PAIRS]


def made(part: str, item: Item, seeds: Sequence[int]) -> Iterable[Result]:
    """Samples of an item, by `compose`, or by `imprint` where that is the part."""
    given = {
        "image_prompt": item.prompts[0], "audio_prompt": item.prompts[1], "preset": "fast",
        "seed": FIRST_SEED, "index": seeds[0], "count": len(seeds), "batch_size": len(seeds), **item.more,
    }  # fmt: skip
    if part == "imprint":
        return imprint(ImprintOptions.make(**given))
    return compose(ComposeOptions.make(**given, steps=STEPS))


def fit_of(judge: Similarity, result: Result) -> dict[str, float]:
    """By what the family's own judge would rank a result."""
    candidate = candidate_of(replace(result, score=judged(subject_of(result), [judge])))
    assert candidate.looks is not None and candidate.sounds is not None
    return {"looks": candidate.looks, "sounds": candidate.sounds}


def judge_part(part: str, seeds: int, judges: Judges, ledger: Ledger, own: Similarity) -> None:
    """Makes and judges what is missing in the ledger."""
    for item in items(part):
        missing = [n for n in range(seeds) if f"{part}/{item.key}/{n}" not in ledger.rows]
        for first in range(0, len(missing), AT_ONCE):
            run = range(missing[first], missing[min(first + AT_ONCE, len(missing)) - 1] + 1)
            for result in made(part, item, run):
                row: dict[str, Any] = dict(judges.both(result, item.shown, item.played))
                if part == "compose":
                    row |= fit_of(own, result)
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
    load_models(options)
    load = seconds(lambda: load_models(options), here)
    list(compose(options))
    alone = seconds(lambda: list(compose(options)), here) - load
    weights = sum(f.stat().st_size for f in package_folder("tiny").rglob("*.safetensors"))
    return {
        f"fast, one candidate with sound, s ({torch.get_num_threads()} threads)": f"{alone:.2f}",
        "load, s": f"{load:.2f}",
        "largest memory, MB": f"{peak_mb():.0f}",
        "all weights in the package, MB": f"{weights / 1e6:.1f}",
    }


# --- the table -----------------------------------------------------------------------------------


def share(ledger: Ledger, part: str, right: Callable[[dict[str, Any]], bool]) -> str:
    """How many rows of a part are right."""
    found = [right(row) for _, row in ledger.of(part)]
    return f"{np.mean(found):.1%} of {len(found)}" if found else "not measured"


def best_of(ledger: Ledger) -> str:
    """How many pairs are right in the candidate that ranks first by the embedder (see `scoring.ranking`)."""
    by_pair: dict[str, list[Candidate[dict[str, Any]]]] = {}
    for key, row in ledger.of("compose"):
        _, pair, number = key.split("/")
        candidate = Candidate(row, int(number), row["looks"], row["sounds"])
        by_pair.setdefault(pair, []).append(candidate)
    best = [ranked(candidates)[0].item for candidates in by_pair.values()]
    found = [row["seen"] and row["heard"] for row in best]
    size = min((len(rows) for rows in by_pair.values()), default=0)
    return f"{np.mean(found):.1%} of {len(found)} pairs, N = {size}" if found else "not measured"


def seen_words(ledger: Ledger) -> str:
    """How often the plain words of the synonyms' concepts are right, for comparison."""
    heard = [c for _, c in SYNONYMS["heard"]]
    sides = {"picture": [c for _, c in SYNONYMS["seen"]], "sound": heard, "plain": heard}
    found = [
        row.get("seen", row.get("heard"))
        for part, wanted in sides.items()
        for key, row in ledger.of(part)
        if key.split("/")[1] in wanted
    ]
    return f"{np.mean(found):.1%} of {len(found)}" if found else "not measured"


def table(ledger: Ledger) -> dict[str, str]:
    """The measures of the ledger, as people read them."""
    return {
        "sound alone, heard": share(ledger, "sound", lambda row: row["heard"]),
        "real windows, played": share(ledger, "real", lambda row: row["heard"]),
        "real windows through the codec, played": share(ledger, "codec", lambda row: row["heard"]),
        "canvases that the image model learned from, seen": share(ledger, "drawn", lambda row: row["seen"]),
        "picture alone, seen": share(ledger, "picture", lambda row: row["seen"]),
        "compose, seen": share(ledger, "compose", lambda row: row["seen"]),
        "compose, heard": share(ledger, "compose", lambda row: row["heard"]),
        "compose, both, N = 1": share(ledger, "compose", lambda row: row["seen"] and row["heard"]),
        "compose, both, best by the embedder": best_of(ledger),
        "imprint, both, N = 1": share(ledger, "imprint", lambda row: row["seen"] and row["heard"]),
        "unseen synonyms": share(ledger, "synonym", lambda row: row.get("seen", row.get("heard"))),
        "the same concepts by words that were seen": seen_words(ledger),
    }


PARTS = ("ceilings", "sound", "picture", "compose", "imprint", "synonym", "plain", "costs")


def main() -> None:
    """Runs what is asked for and prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--part", nargs="+", choices=PARTS, default=PARTS, help="only these")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="samples of a prompt (compose: twice that)")
    parser.add_argument(
        "--work", type=Path, default=HERE / "work" / "laptop", help="where judge and sound pack lie"
    )
    parser.add_argument("--out", type=Path, help="folder of the kept results (default: in --work)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--table", action="store_true", help="only print what is known")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    digests = "-".join(find("tiny", role).weights for role in ("image", "audio"))
    ledger = Ledger((given.out or given.work / "embedded") / f"{digests}.jsonl")
    facts = {}
    if not given.table:
        facts = costs() if "costs" in given.part else {}
        run_parts([p for p in PARTS if p in given.part], given, ledger)
    for name, value in (table(ledger) | facts).items():
        print(f"{value:>24}  {name}")


def run_parts(parts: list[str], given: argparse.Namespace, ledger: Ledger) -> None:
    """Everything but the costs."""
    judges, own = Judges.load(given.work), Similarity(load_embedder("tiny", torch.device("cpu")))
    for part in parts:
        if part == "ceilings" and not any(ledger.of("real")):
            ceilings(given.work, judges, ledger)
        elif part not in ("ceilings", "costs"):
            seeds = given.seeds * (CANDIDATES // SEEDS if part == "compose" else 1)
            judge_part(part, seeds, judges, ledger, own)


if __name__ == "__main__":
    main()
