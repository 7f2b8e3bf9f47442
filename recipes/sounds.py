"""Packs sounds as mel pictures with their concept: recordings, a soundfont and sound models, checked by ear.

`python -m recipes.sounds` writes work/sounds.npz, a contact sheet and a report. The ear is YAMNet (tagger):
a window stays only if the tagger hears its concept, and a concept stays only if it survives the way through a
picture and one of two kinds of Griffin-Lim. A concept's windows are kept in work/sounds/, so a run goes on
where it stopped.

The pack: `pictures` uint8 (N, 128, 288), white is loud, low pitch at the bottom; `concept` (N,) index into
`concepts`; `split` (N,) 0 to train on, 1 for development; `source` (N,); `spec` the settings as JSON.
"""

import argparse
import hashlib
import json
import tomllib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soxr
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from eidophone.media.spectrogram import log_mel, log_mel_from_picture, picture_from_log_mel
from eidophone.media.vocoder import GriffinLim
from eidophone.models.tagger import RATE_HZ, Tagger, load_tagger
from recipes import takes
from recipes.takes import DEV, FRAMES, SPEC, TRAIN, Concept, Take

HERE = Path(__file__).parent
RECIPE = 1  # to be raised when takes.py or soundfont.py make other sounds than before
TOP = 5  # how many of the tagger's guesses count as heard
FEWEST = 8  # windows that a concept needs
SURVIVAL = 0.2  # share of windows that must still be heard after the way through a picture
# Momentum sharpens tones and strokes, but makes surf and wind drone; the plain kind leaves noise noise.
PLAYERS = {"default": GriffinLim(SPEC), "plain": GriffinLim(SPEC, iterations=8, momentum=0)}
SMOKE = {"bell": "bell", "flute": "pipe", "rain": "drops"}
THUMB = (144, 64)


@dataclass(frozen=True)
class Settings:
    """How much to make of each concept.

    Attributes:
        train: Windows to train on.
        dev: Windows for development.
        levels: Grey levels of a stored picture; fewer make a smaller pack (28 is a step of 3.2 dB).
        play: Windows of each concept that Griffin-Lim plays to the tagger; 0 leaves that out.
        seed: Of everything that is drawn.
    """

    train: int = 48
    dev: int = 8
    levels: int = 28
    play: int = 8
    seed: int = 0


@dataclass(frozen=True)
class Windows:
    """What is left of a concept after listening.

    Attributes:
        samples: int16, shape (N, FRAMES), at SPEC.rate_hz.
        source: N strings.
        split: N numbers, TRAIN or DEV.
        kept: Raw takes in which the concept was heard.
        dropped: Raw takes in which it was not.
    """

    samples: NDArray[np.int16]
    source: tuple[str, ...]
    split: tuple[int, ...]
    kept: int
    dropped: int


def concepts() -> dict[str, Concept]:
    """Every concept of sounds.toml by name."""
    tables = tomllib.loads((HERE / "sounds.toml").read_text())["concepts"]
    return {name: Concept.from_mapping(table) for name, table in tables.items()}


# --- listening -----------------------------------------------------------------------------------


def scores(ear: Tagger, samples: Sequence[NDArray[np.float32]]) -> torch.Tensor:
    """The tagger's scores of windows at SPEC.rate_hz, shape (N, 521)."""
    heard = [soxr.resample(s, SPEC.rate_hz, RATE_HZ) for s in samples]
    return ear.scores(torch.from_numpy(np.stack(heard))).mean(1)


def confidence(ear: Tagger, found: Sequence[Take], concept: Concept) -> list[float]:
    """How surely the concept is heard in each take: its best class's score, 0 if none is a top one."""
    table = scores(ear, [take.samples for take in found])
    wanted = [ear.classes.index(name) for name in concept.heard]
    best = table[:, wanted].amax(1)
    return torch.where(best >= table.topk(TOP).values[:, -1], best, 0).tolist()


def in_turns(found: Sequence[Take], sure: Sequence[float], count: int) -> list[Take]:
    """The surest takes, one of each origin in turn, so that no recording crowds out the others."""
    ranks: dict[str, int] = {}
    order = []
    for take, confidence_ in sorted(zip(found, sure, strict=True), key=lambda pair: -pair[1]):
        rank = ranks[take.origin] = ranks.get(take.origin, -1) + 1
        order.append((rank, -confidence_, take))
    return [take for *_, take in sorted(order, key=lambda entry: entry[:2])[:count]]


def listened(
    concept: Concept, found: list[Take], ear: Tagger | None, settings: Settings, rng: np.random.Generator
) -> Windows:
    """The takes in which the concept is heard, filled up with variations that are heard too."""
    sure = confidence(ear, found, concept) if ear else [1.0] * len(found)
    chosen: list[Take] = []
    for split, count in ((TRAIN, settings.train), (DEV, settings.dev)):
        pool = [(take, c) for take, c in zip(found, sure, strict=True) if c > 0 and take.split == split]
        if pool:
            best = in_turns([t for t, _ in pool], [c for _, c in pool], count)
            chosen += best + variations(concept, best, count - len(best), ear, rng)
    kept = sum(c > 0 for c in sure)
    whole = [np.rint(take.samples * 32767).astype(np.int16) for take in chosen]
    samples = np.stack(whole) if whole else np.zeros((0, FRAMES), np.int16)
    return Windows(
        samples, tuple(t.source for t in chosen), tuple(t.split for t in chosen), kept, len(found) - kept
    )


def variations(
    concept: Concept,
    pool: Sequence[Take],
    count: int,
    ear: Tagger | None,
    rng: np.random.Generator,
    tries: int = 3,
) -> list[Take]:
    """Up to `count` variations of a pool's takes in which the concept is still heard."""
    made: list[Take] = []
    for _ in range(tries):
        if missing := max(count - len(made), 0):
            fresh = [takes.varied(pool, rng) for _ in range(missing)]
            sure = confidence(ear, fresh, concept) if ear else [1.0] * missing
            made += [take for take, c in zip(fresh, sure, strict=True) if c > 0]
    return made


def heard_in(
    ear: Tagger, concept: Concept, pictures: NDArray[np.uint8], player: GriffinLim = PLAYERS["default"]
) -> list[bool]:
    """Whether the concept is heard in each picture, (N, bands, columns), when it is played."""
    logs = log_mel_from_picture(torch.from_numpy(pictures).float() / 255, SPEC)
    found = [Take(takes.at_peak(sound), "", DEV) for part in logs.split(16) for sound in player(part).numpy()]
    return [c > 0 for take in found for c in confidence(ear, [take], concept)]


def survival(ear: Tagger, concept: Concept, pictures: NDArray[np.uint8]) -> dict[str, float]:
    """Share of pictures in which the concept is heard when they are played, for each of PLAYERS."""
    return {
        name: float(np.mean(heard_in(ear, concept, pictures, player))) for name, player in PLAYERS.items()
    }


# --- making --------------------------------------------------------------------------------------


def windows_of(
    name: str, concept: Concept, ear: Tagger | None, data: Path, work: Path, settings: Settings
) -> Windows:
    """A concept's windows: the stored ones if nothing that made them has changed, else fresh ones."""
    facts = f"{RECIPE} {concept} {settings.train} {settings.dev} {settings.seed}"
    made_by = hashlib.sha256(facts.encode()).hexdigest()
    file = work / f"{name}.npz"
    if file.exists():
        with np.load(file) as stored:
            if str(stored["made_by"]) == made_by:
                source, split = tuple(stored["source"].tolist()), tuple(stored["split"].tolist())
                return Windows(stored["samples"], source, split, int(stored["kept"]), int(stored["dropped"]))
    seed = (settings.seed, zlib.crc32(name.encode()))
    found = takes.gather(concept, data, train=round(settings.train * 1.5), dev=settings.dev * 2, seed=seed)
    windows = listened(concept, found, ear, settings, np.random.default_rng([*seed, 9]))
    work.mkdir(parents=True, exist_ok=True)
    part = work / f"{name}.part.npz"
    np.savez(part, **vars(windows), made_by=made_by)
    part.rename(file)
    return windows


def pictures_of(windows: Windows, levels: int) -> NDArray[np.uint8]:
    """Mel pictures, shape (N, bands, columns), of so many grey levels between 0 and 255."""
    samples = torch.from_numpy(windows.samples).float() / 32767
    if not len(samples):
        return np.zeros((0, SPEC.bands, takes.COLUMNS), np.uint8)
    drawn = torch.cat([picture_from_log_mel(log_mel(part, SPEC), SPEC) for part in samples.split(16)])
    steps = (drawn.clamp(0, 1) * (levels - 1)).round()
    return (steps * (255 / (levels - 1))).round().to(torch.uint8).numpy()


def spread(pictures: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    """Up to `count` pictures, evenly from the first to the last.

    >>> spread(np.arange(9), 3).tolist()
    [0, 4, 8]
    """
    places = np.linspace(0, len(pictures) - 1, min(count, len(pictures))).round().astype(int)
    return pictures[places]


def contact_sheet(pictures: dict[str, NDArray[np.uint8]], file: Path, across: int = 10) -> None:
    """One row of thumbnails, drawn at random, for each concept."""
    wide, high = THUMB
    sheet = Image.new("L", (90 + across * (wide + 4), len(pictures) * (high + 6)), 60)
    pen = ImageDraw.Draw(sheet)
    for row, (name, shown) in enumerate(pictures.items()):
        pen.text((4, row * (high + 6) + 24), name, fill=255)
        order = np.random.default_rng(row).permutation(len(shown))[:across]
        for column, picture in enumerate(shown[order]):
            thumb = Image.fromarray(picture).resize(THUMB, Image.Resampling.BOX)
            sheet.paste(thumb, (90 + column * (wide + 4), row * (high + 6)))
    sheet.save(file)


def build(wanted: dict[str, Concept], ear: Tagger | None, data: Path, out: Path, settings: Settings) -> None:
    """Makes the pack, the contact sheet and the report in `out`."""
    made: dict[str, tuple[Windows, NDArray[np.uint8]]] = {}
    report = {}
    for name, concept in wanted.items():
        windows = windows_of(name, concept, ear, data, out / "sounds", settings)
        drawn = pictures_of(windows, settings.levels)
        played = spread(drawn, settings.play)
        lives = survival(ear, concept, played) if ear and len(played) else {}
        enough = windows.kept >= FEWEST
        fine = enough and max(lives.values(), default=1.0) >= SURVIVAL
        report[name] = {
            "kept": windows.kept, "dropped": windows.dropped, "train": windows.split.count(TRAIN),
            "dev": windows.split.count(DEV), "heard_after_griffin_lim": lives, "in_pack": fine,
        }  # fmt: skip
        print(name, json.dumps(report[name]), flush=True)
        if fine:
            made[name] = windows, drawn
    save(made, out / "sounds.npz")
    contact_sheet({name: drawn for name, (_, drawn) in made.items()}, out / "sounds.png")
    (out / "sounds.json").write_text(json.dumps(report, indent=1))
    absent = [name for name in wanted if name not in made]
    print(f"{len(made)} concepts; left out: {', '.join(absent) or 'none'}")


def save(made: dict[str, tuple[Windows, NDArray[np.uint8]]], file: Path) -> None:
    """Writes the pack; see the module's first words for its arrays."""
    part = file.with_suffix(".part.npz")
    np.savez_compressed(
        part,
        pictures=np.concatenate([drawn for _, drawn in made.values()]),
        concept=np.concatenate(
            [np.full(len(drawn), i, np.int16) for i, (_, drawn) in enumerate(made.values())]
        ),
        concepts=np.array(list(made)),
        split=np.concatenate([np.array(w.split, np.int8) for w, _ in made.values()]),
        source=np.array([s for w, _ in made.values() for s in w.source]),
        spec=np.array(json.dumps(SPEC.to_dict())),
    )
    part.rename(file)
    print(f"{file.name}: {file.stat().st_size / 1e6:.1f} MB")


def main(argv: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m recipes.sounds", description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=HERE / "work", help="folder for the pack")
    parser.add_argument(
        "--data", type=Path, default=HERE.parent.parent / "shared" / "data", help="recordings"
    )
    parser.add_argument("--only", nargs="+", metavar="CONCEPT", help="make these concepts only")
    parser.add_argument(
        "--smoke", action="store_true", help="seconds, no network: a few sound models, unheard"
    )
    parser.add_argument("--threads", type=int, default=1, help="one is fastest where others work too")
    for name, default in vars(Settings()).items():
        parser.add_argument(f"--{name}", type=int, default=default, help=f"see Settings (default: {default})")
    args = parser.parse_args(argv)
    settings = Settings(args.train, args.dev, args.levels, args.play, args.seed)
    wanted = concepts()
    if unknown := sorted(set(args.only or ()) - wanted.keys()):
        parser.error(f"no concept {unknown[0]!r}; there are: {', '.join(wanted)}")
    if args.smoke:
        wanted = {n: Concept(wanted[n].heard, wanted[n].captions, synth=model) for n, model in SMOKE.items()}
        settings = replace(settings, train=8, dev=2)
    if args.only:
        wanted = {name: wanted[name] for name in wanted if name in args.only}
    torch.set_num_threads(args.threads)
    args.out.mkdir(parents=True, exist_ok=True)
    build(wanted, None if args.smoke else load_tagger(), args.data, args.out, settings)


if __name__ == "__main__":
    main()
