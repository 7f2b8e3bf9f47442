"""The pack of sounds: mel pictures with their concept, from recordings, a soundfont and sound models.

The stage `sounds` writes sounds.npz, a contact sheet and a report. A clip is kept only if the tagger (YAMNet)
hears its concept twice: in the clip itself, and in what is played from its mel picture. The clips of each
concept are cached in sounds/, so that a stopped run goes on.

The pack: `pictures` uint8 (N, 128, 288), white is loud, low pitch at the bottom; `concept` (N,) index into
`concepts`; `split` (N,) 0 for training, 1 for development; `source` (N,); `spec` the mel settings as JSON.
"""

import hashlib
import json
import tomllib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from eidophone.media.spectrogram import log_mel, log_mel_from_picture, picture_from_log_mel
from eidophone.models.tagger import RATE_HZ, Tagger
from training.config import Run
from training.data import clips
from training.data.clips import DEV, FRAMES, TRAIN, Clip, Concept
from training.mel import PLAYER, SPEC
from training.networks.tagger import load

RECIPE = 2  # raise it when clips.py or soundfont.py start to make other sounds
TOP = 5  # a concept is heard if one of its classes is among so many of the tagger's first
FEWEST = 24  # training windows without which a concept is left out
TRIES = 12  # rounds of variations for a concept with too few windows
SMOKE = {"bell": "bell", "flute": "pipe", "rain": "drops"}
THUMB = (144, 64)
AT_ONCE = 16


@dataclass(frozen=True)
class Settings:
    """How much to make of each concept.

    Attributes:
        train: Windows for training.
        dev: Windows for development.
        levels: Grey levels of a stored picture; fewer make a smaller pack (28: steps of 3.2 dB).
        seed: Seed of every random choice.
    """

    train: int = 48
    dev: int = 8
    levels: int = 28
    seed: int = 0


@dataclass(frozen=True)
class Windows:
    """The windows of a concept.

    Attributes:
        samples: int16, shape (N, FRAMES), at SPEC.rate_hz.
        source: N strings.
        split: N numbers, TRAIN or DEV.
        kept: Number of raw clips in which the concept was heard.
        dropped: Number of those in which it was not.
    """

    samples: NDArray[np.int16]
    source: tuple[str, ...]
    split: tuple[int, ...]
    kept: int
    dropped: int


def concepts() -> dict[str, Concept]:
    """Every concept of sounds.toml by name."""
    tables = tomllib.loads(Path(__file__).with_name("sounds.toml").read_text())["concepts"]
    return {name: Concept.from_mapping(table) for name, table in tables.items()}


# --- listening -----------------------------------------------------------------------------------


def scores(ear: Tagger, samples: Sequence[NDArray[np.float32]]) -> torch.Tensor:
    """The tagger's scores of windows at SPEC.rate_hz, shape (N, 521)."""
    heard = [soxr.resample(s, SPEC.rate_hz, RATE_HZ) for s in samples]
    return ear.scores(torch.from_numpy(np.stack(heard))).mean(1)


def confidence(ear: Tagger, found: Sequence[Clip], concept: Concept) -> list[float]:
    """Confidence that each clip has the concept: the score of its best class, 0 if none is in the top TOP."""
    table = scores(ear, [clip.samples for clip in found])
    wanted = [ear.classes.index(name) for name in concept.heard]
    best = table[:, wanted].amax(1)
    return torch.where(best >= table.topk(TOP).values[:, -1], best, 0).tolist()


def heard_again(ear: Tagger, pictures: NDArray[np.uint8], concept: Concept) -> list[float]:
    """`confidence` of the sounds that are played from mel pictures, uint8 (N, bands, columns)."""
    drawn = torch.from_numpy(pictures).float() / 255
    parts = [PLAYER(log_mel_from_picture(part, SPEC)).numpy() for part in drawn.split(AT_ONCE)]
    sounds = [Clip(clips.at_peak(sound), "", DEV) for part in parts for sound in part]
    return confidence(ear, sounds, concept) if sounds else []


@dataclass(frozen=True)
class Listener:
    """Decides whether a concept is heard in clips: in the clips themselves and in what their pictures play.

    Attributes:
        ear: The tagger; without one every clip passes with confidence 1.
        concept: The concept.
        levels: Grey levels of the mel pictures.
    """

    ear: Tagger | None
    concept: Concept
    levels: int

    def plain(self, found: Sequence[Clip]) -> list[float]:
        """`confidence` of the clips themselves."""
        return confidence(self.ear, found, self.concept) if self.ear and found else [1.0] * len(found)

    def sure(self, found: Sequence[Clip], plain: Sequence[float] | None = None) -> list[float]:
        """The smaller confidence of both. Pass `plain` if you know it already."""
        both = list(self.plain(found) if plain is None else plain)
        rows = [i for i, c in enumerate(both) if c > 0]
        if not self.ear or not rows:
            return both
        drawn = pictures_of(whole_numbers([found[i] for i in rows]), self.levels)
        for row, again in zip(rows, heard_again(self.ear, drawn, self.concept), strict=True):
            both[row] = min(both[row], again)
        return both


def in_turns(found: Sequence[Clip], sure: Sequence[float], count: int) -> list[Clip]:
    """The clips with most confidence, one of each recording in turn, so that none crowds out the others."""
    ranks: dict[str, int] = {}
    order = []
    for clip, confidence_ in sorted(zip(found, sure, strict=True), key=lambda pair: -pair[1]):
        rank = ranks[clip.origin] = ranks.get(clip.origin, -1) + 1
        order.append((rank, -confidence_, clip))
    return [clip for *_, clip in sorted(order, key=lambda entry: entry[:2])[:count]]


def listened(found: list[Clip], by: Listener, settings: Settings, rng: np.random.Generator) -> Windows:
    """The clips in which the concept is heard; if too few, with variations in which it is heard, too."""
    plain = by.plain(found)
    sure, chosen = by.sure(found, plain), list[Clip]()
    for split, count in ((TRAIN, settings.train), (DEV, settings.dev)):
        rows = [i for i, clip in enumerate(found) if clip.split == split]
        good = [i for i in rows if sure[i] > 0]
        best = in_turns([found[i] for i in good], [sure[i] for i in good], count)
        pool = [found[i] for i in rows if plain[i] > 0] or [found[i] for i in rows]
        chosen += best + variations(pool, count - len(best), by, rng)
    kept = sum(c > 0 for c in sure)
    return Windows(
        whole_numbers(chosen), tuple(t.source for t in chosen), tuple(t.split for t in chosen), kept,
        len(found) - kept,
    )  # fmt: skip


def whole_numbers(found: Sequence[Clip]) -> NDArray[np.int16]:
    """Samples of clips as int16, (N, FRAMES)."""
    whole = [np.rint(clip.samples * 32767).astype(np.int16) for clip in found]
    return np.stack(whole) if whole else np.zeros((0, FRAMES), np.int16)


def variations(pool: Sequence[Clip], count: int, by: Listener, rng: np.random.Generator) -> list[Clip]:
    """Up to `count` variations of clips, all with the concept audible."""
    made: list[Clip] = []
    for _ in range(TRIES):
        if pool and len(made) < count:
            fresh = [clips.varied(pool, rng, by.concept.semitones) for _ in range(max(count, FEWEST))]
            made += [clip for clip, c in zip(fresh, by.sure(fresh), strict=True) if c > 0]
    return made[: max(count, 0)]


# --- making --------------------------------------------------------------------------------------


def windows_of(
    name: str, concept: Concept, ear: Tagger | None, data: Path, work: Path, settings: Settings
) -> Windows:
    """A concept's windows: the cached ones, unless something that made them has changed."""
    facts = f"{RECIPE} {concept} {settings.train} {settings.dev} {settings.levels} {settings.seed}"
    made_by = hashlib.sha256(facts.encode()).hexdigest()
    file = work / f"{name}.npz"
    if file.exists():
        with np.load(file) as stored:
            if str(stored["made_by"]) == made_by:
                source, split = tuple(stored["source"].tolist()), tuple(stored["split"].tolist())
                return Windows(stored["samples"], source, split, int(stored["kept"]), int(stored["dropped"]))
    seed = (settings.seed, zlib.crc32(name.encode()))
    found = clips.gather(concept, data, train=round(settings.train * 1.5), dev=settings.dev * 2, seed=seed)
    by = Listener(ear, concept, settings.levels)
    windows = listened(found, by, settings, np.random.default_rng([*seed, 9]))
    work.mkdir(parents=True, exist_ok=True)
    part = work / f"{name}.part.npz"
    np.savez(part, **vars(windows), made_by=made_by)
    part.rename(file)
    return windows


def pictures_of(samples: NDArray[np.int16], levels: int) -> NDArray[np.uint8]:
    """Mel pictures (N, bands, columns) of sounds (N, FRAMES), with `levels` grey levels from 0 to 255."""
    sounds = torch.from_numpy(samples).float() / 32767
    if not len(sounds):
        return np.zeros((0, SPEC.n_mels, clips.COLUMNS), np.uint8)
    drawn = torch.cat([picture_from_log_mel(log_mel(part, SPEC), SPEC) for part in sounds.split(AT_ONCE)])
    steps = (drawn.clamp(0, 1) * (levels - 1)).round()
    return (steps * (255 / (levels - 1))).round().to(torch.uint8).numpy()


def contact_sheet(pictures: dict[str, NDArray[np.uint8]], file: Path, across: int = 10) -> None:
    """Writes a contact sheet: a row of random thumbnails for each concept."""
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
    """Writes the pack, the contact sheet and the report into `out`."""
    made: dict[str, tuple[Windows, NDArray[np.uint8]]] = {}
    report = {}
    for name, concept in wanted.items():
        windows = windows_of(name, concept, ear, data, out / "sounds", settings)
        train = windows.split.count(TRAIN)
        fine = train >= min(FEWEST, settings.train)
        report[name] = {
            "kept": windows.kept, "dropped": windows.dropped, "train": train,
            "dev": windows.split.count(DEV), "in_pack": fine,
        }  # fmt: skip
        print(name, json.dumps(report[name]), flush=True)
        if fine:
            made[name] = windows, pictures_of(windows.samples, settings.levels)
    save(made, out / "sounds.npz")
    contact_sheet({name: drawn for name, (_, drawn) in made.items()}, out / "sounds.png")
    (out / "sounds.json").write_text(json.dumps(report, indent=1))
    absent = [name for name in wanted if name not in made]
    print(f"{len(made)} concepts; left out: {', '.join(absent) or 'none'}")


def save(made: dict[str, tuple[Windows, NDArray[np.uint8]]], file: Path) -> None:
    """Writes the pack; its arrays are described at the top of this module."""
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


def make(run: Run, only: Sequence[str] = ()) -> None:
    """The stage `sounds`.

    Args:
        run: A smoke run makes a few sound models, which nothing listens to.
        only: Names of concepts; all of them if empty.
    """
    wanted, ear = concepts(), load(run) if run.packs else None
    if not run.packs:
        wanted = {n: Concept(wanted[n].heard, wanted[n].captions, synth=model) for n, model in SMOKE.items()}
    if only:
        wanted = {name: wanted[name] for name in wanted if name in only}
    build(wanted, ear, run.recordings, run.work, Settings(**run["sounds"]))
