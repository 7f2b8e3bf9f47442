"""The embedder: one space for pictures, sounds and text (the stage `embedder`).

Pictures are scenes of drawings that no generator saw (drawings.py, the half `learn`), as drawn and as the
family repaints them, through a network that was pretrained on photographs. Sounds are the windows of the
sound pack, varied; some are repainted by the audio model and played by Griffin-Lim, some have a drawing in
them. Text is captions, through the family's text encoder, which stays frozen. The positives of a row are all
rows of the same concept. Pictures without a drawing, and sounds that are drawings, belong to the concept
"nothing".
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import CLIPTextModel, CLIPTokenizer

from eidophone.media.files import write_atomically
from eidophone.media.spectrogram import log_mel_from_picture
from eidophone.media.vocoder import GriffinLim
from eidophone.models.embedders.tiny import JointSpace, heard_rows
from training.cache import cached_arrays
from training.config import Run
from training.data import captions, fetch
from training.data.canvas import STYLES
from training.data.pictures import concepts
from training.data.repainted import repainted, repainted_scenes
from training.data.scenes import (
    MIXED,
    MIXED_REPAINTED,
    Shown,
    as_light,
    blurred,
    halved,
    made_up_sounds,
    scenes,
)
from training.data.sounds import concepts as sound_concepts
from training.loop import Loss, Plan, fit
from training.mel import ROUNDS, SPEC
from training.networks import backbone, text
from training.networks.export import write

TEMPERATURE = 0.1
NOTHING = "nothing"
NOTHING_PHRASES = (
    "nothing", "noise", "an abstract pattern", "a blurry texture", "static", "random noise", "silence",
    "hiss",
)  # fmt: skip
SAID = 48  # captions of each concept, as picture and as sound
EMPTY = 0.07  # share of sounds that are only a drawing
BLANKS = 80  # pictures of sounds without a drawing
NETWORK = "lite0"
MEASURED = 408  # scenes of the half `judge` to measure on


@dataclass(frozen=True)
class TrainingSet:
    """What the space learns from. Labels are indices into `names`.

    Attributes:
        names: Every concept of a picture or a sound, then NOTHING.
        shown, seen: Scenes and their labels.
        behind: Spectrograms to mix scenes with, uint8 (L, HEIGHT, WIDTH).
        drawings: Repainted scenes to lay over sounds, uint8 (M, ROWS, COLUMNS).
        sounds, played: Mel pictures, uint8 (N, ROWS, COLUMNS), and their labels.
        told, said: Pooled text, float (K, width), and its labels.
    """

    names: list[str]
    shown: Shown
    seen: Tensor
    behind: np.ndarray
    drawings: Tensor
    sounds: Tensor
    played: Tensor
    told: Tensor
    said: Tensor


def windows(run: Run, development: bool = False) -> tuple[np.ndarray, list[str]]:
    """Mel pictures of one split of the sound pack, uint8 (N, 128, 288), and their concepts."""
    if not run.packs:
        names = list(sound_concepts())
        return made_up_sounds(24), [names[n % len(names)] for n in range(24)]
    data = np.load(run.work / "sounds.npz")
    names = [str(n) for n in data["concepts"]]
    chosen = data["split"] == int(development)
    return data["pictures"][chosen], [names[i] for i in data["concept"][chosen]]


def replayed(pictures: np.ndarray, seed: int) -> np.ndarray:
    """Mel pictures after Griffin-Lim has played them, at half size: uint8 (N, ROWS, COLUMNS)."""
    rng, out = np.random.default_rng(seed), []
    for picture in as_light(pictures):
        player = GriffinLim(SPEC, int(rng.choice((1, 1, ROUNDS))))
        sound = player(log_mel_from_picture(picture[None], SPEC))
        out.append((255 * heard_rows(sound, SPEC.rate_hz, SPEC)[0]).round().to(torch.uint8))
    return torch.stack(out).numpy()


def sounds_of(run: Run, count: int) -> tuple[np.ndarray, list[str]]:
    """Training windows at half size, and `count` of them played by Griffin-Lim.

    Half of those that are played are repainted first. They are cached in replayed.npz.
    """
    pictures, names = windows(run)
    chosen = np.random.default_rng(run["seed"]).permutation(len(pictures))[:count]

    def _played() -> dict[str, np.ndarray]:
        plain, again = np.array_split(pictures[chosen], 2)
        again = repainted(again, run["seed"] + 7, run.device, "audio", run.family)
        return {"played": replayed(np.concatenate([plain, again]), 0)}

    played = cached_arrays(run.work / "replayed.npz", _played)["played"]
    return np.concatenate([halved(pictures), played]), names + [names[i] for i in chosen]


def picture_phrases(rng: np.random.Generator, table: dict[str, Any]) -> str:
    """A random caption of a picture concept, worded as for canvases."""
    things = [captions.thing(rng, table, int(rng.integers(1, 4)))]
    return captions.caption(rng, things, table["doing"], str(rng.choice(list(STYLES))), rng.random() < 0.5)


def phrases(seed: int, shown: Sequence[str], played: Sequence[str]) -> tuple[list[str], list[str]]:
    """Captions of all concepts, and the concept of each."""
    rng, said, names = np.random.default_rng(seed), list(NOTHING_PHRASES), [NOTHING] * len(NOTHING_PHRASES)
    for name, table in concepts().items():
        if name in shown:
            said += [table["one"][0], *(picture_phrases(rng, table) for _ in range(SAID - 1))]
            names += [name] * SAID
    for name, concept in sound_concepts().items():
        if name in played:
            said += [text.sound_caption(rng, list(concept.captions)) for _ in range(SAID)]
            names += [name] * SAID
    return said, names


def encoder_of(run: Run) -> tuple[CLIPTokenizer, CLIPTextModel]:
    """The text encoder that the run exported, as it ships."""
    folder = run.family / "image"
    encoder = CLIPTextModel.from_pretrained(folder / "text_encoder", dtype=torch.float32)
    return CLIPTokenizer.from_pretrained(folder / "tokenizer"), encoder.eval()


@torch.no_grad()
def pooled(tokenizer: CLIPTokenizer, encoder: CLIPTextModel, said: list[str]) -> Tensor:
    """The encoder's state at the end of each phrase, (N, width)."""
    ids = text.tokens(tokenizer, said)
    return torch.cat([encoder(input_ids=part).pooler_output for part in ids.split(256)])


def training_set(run: Run, settings: dict[str, Any]) -> TrainingSet:
    """Everything the space learns from."""
    heard, played = sounds_of(run, settings["replayed"])
    whole = windows(run)[0]
    pictures, drawn = scenes("learn", run.work, settings["scenes"], whole)
    again, painted = repainted_scenes(run, "learn", settings["repainted"], whole, tuple(dict.fromkeys(drawn)))
    blank = whole[:: max(1, len(whole) // BLANKS)]
    shown = Shown(pictures, drawn, np.full(len(pictures), MIXED))
    shown += Shown(again, painted, np.full(len(again), MIXED_REPAINTED))
    shown += Shown(blank, [""] * len(blank), np.zeros(len(blank)))
    said, spoken = phrases(run["seed"], drawn, played)
    names = [*dict.fromkeys([*drawn, *played]), NOTHING]
    label = {name: i for i, name in enumerate(names)} | {"": len(names) - 1}
    drawings = torch.from_numpy(halved(again[: len(again) // 2]))  # the second half lies over sounds

    def labels(of: list[str]) -> Tensor:
        return torch.tensor([label[name] for name in of])

    told = pooled(*encoder_of(run), said)
    return TrainingSet(
        names, shown, labels(shown.names), whole, drawings, torch.from_numpy(heard), labels(played), told,
        labels(spoken),
    )  # fmt: skip


# --- learning ------------------------------------------------------------------------------------


def sounds_varied(rng: np.random.Generator, sounds: Tensor, drawings: Tensor) -> Tensor:
    """Varied mel pictures: rotated in time, louder, softer, gated by or under a drawing, blurred, grainy."""
    out = []
    for sound, drawing in zip(sounds, drawings, strict=True):
        sound = sound.roll(int(rng.integers(sound.shape[-1])), -1)
        sound = torch.where(sound > 0.02, sound + float(rng.uniform(-0.1, 0.06)), sound)
        kind = rng.random()
        if kind < 0.2:
            sound = sound * (1 - float(rng.uniform(0.3, 0.85)) * (1 - drawing))
        elif kind < 0.7:
            sound = torch.maximum(sound, float(rng.uniform(0.5, 1.0)) * drawing)
        if rng.random() < 0.3:
            sound = blurred(sound, float(rng.uniform(1.3, 2.5)))
        grain = torch.from_numpy(rng.standard_normal(sound.shape, np.float32))
        out.append((sound + float(rng.uniform(0, 0.05)) * grain).clamp(0, 1))
    return torch.stack(out)


def contrast(rows: Tensor, labels: Tensor) -> Tensor:
    """Supervised contrastive loss of unit vectors (N, D): all rows with the same label are positives."""
    alike = rows @ rows.T / TEMPERATURE
    itself = torch.eye(len(rows), dtype=torch.bool, device=rows.device)
    alike = alike.masked_fill(itself, -1e4)
    same = (labels[:, None] == labels[None]) & ~itself
    share = alike.log_softmax(1)
    return -((share * same).sum(1) / same.sum(1).clamp(min=1)).mean()


def one_each(rng: np.random.Generator, labels: Tensor) -> Tensor:
    """Indices of two random phrases of every label."""
    rows = [rng.choice(np.nonzero((labels == label).numpy())[0], 2) for label in labels.unique()]
    return torch.from_numpy(np.concatenate(rows))


def balanced(rng: np.random.Generator, labels: Tensor, count: int) -> Tensor:
    """Random indices; every label is equally likely."""
    present = labels.unique().numpy()
    chosen = rng.choice(present, count, replace=count > len(present))
    return torch.tensor([int(rng.choice(np.nonzero((labels == label).numpy())[0])) for label in chosen])


def loss_of(taught: TrainingSet, settings: dict[str, Any], device: torch.device) -> Loss:
    """The loss of one random batch, for `fit`."""
    nothing = len(taught.names) - 1

    def draw(kept: Tensor, rows: Tensor) -> Tensor:
        return kept[rows].float() / 255

    def loss(space: nn.Module, rng: np.random.Generator, _: torch.Generator) -> Tensor:
        assert isinstance(space, JointSpace)
        shown = balanced(rng, taught.seen, settings["pictures"])
        played = balanced(rng, taught.played, settings["sounds"])
        behind = torch.from_numpy(rng.integers(len(taught.drawings), size=len(played)))
        heard = sounds_varied(rng, draw(taught.sounds, played), draw(taught.drawings, behind))
        mute = torch.from_numpy(rng.random(len(played)) < EMPTY)
        heard[mute] = draw(taught.drawings, behind)[mute]
        seen = taught.shown.varied(rng, shown, taught.behind)
        said = one_each(rng, taught.said)
        rows = [
            space.picture(seen.to(device)),
            space.sound(heard.to(device)),
            F.normalize(space.text(taught.told[said].to(device)), dim=-1),
        ]
        labels = [taught.seen[shown], taught.played[played].masked_fill(mute, nothing), taught.said[said]]
        return contrast(torch.cat(rows), torch.cat(labels).to(device))

    return loss


def train(run: Run, stop_after: int | None = None) -> JointSpace:
    """Trains it: writes embedder.pt."""
    torch.manual_seed(run["seed"])
    settings = run["embedder"]
    taught = training_set(run, settings)
    blocks = backbone.blocks_of(run, NETWORK)
    space = JointSpace(blocks, settings["widths"], settings["dimensions"], taught.told.shape[1])
    backbone.teach(run, NETWORK, space.sight)
    plan = Plan(
        steps=settings["steps"], rate=settings["rate"], seed=run["seed"],
        checkpoint_s=run["checkpoint_s"], average=0.99, stop_after=stop_after,
    )  # fmt: skip
    loss = loss_of(taught, settings, run.device)
    return fit(space, loss, plan, run.work / "embedder.pt", run.device)


# --- measuring -----------------------------------------------------------------------------------


@torch.no_grad()
def spoken(run: Run, space: JointSpace, said: list[str]) -> Tensor:
    """Embeddings of phrases."""
    return F.normalize(space.text(pooled(*encoder_of(run), said)), dim=-1)


@torch.no_grad()
def looked_at(space: JointSpace, pictures: np.ndarray) -> Tensor:
    """Embeddings of pictures, uint8 (N, height, width)."""
    return torch.cat([space.picture(as_light(picture)[None]) for picture in pictures])


def right(rows: Tensor, answers: Tensor, wanted: list[str], names: list[str], top: int = 1) -> float:
    """Share of rows whose own name is among the `top` closest answers."""
    found = (rows @ answers.T).topk(top).indices.tolist()
    return float(np.mean([name in [names[i] for i in row] for row, name in zip(found, wanted, strict=True)]))


def measure(run: Run, space: JointSpace) -> dict[str, float]:
    """Retrieval on data that it did not learn from: the judge's drawings and the development windows."""
    space = space.cpu().eval()
    whole = windows(run)[0]
    count = min(MEASURED, run["embedder"]["scenes"])
    drawn, shown = scenes("judge", run.work, count, whole)
    shapes = list(dict.fromkeys(shown))
    again = min(MEASURED // 4, run["embedder"]["repainted"])
    soft, painted = repainted_scenes(run, "judge", again, whole, tuple(shapes))
    pictures, repaints = looked_at(space, drawn), looked_at(space, soft)
    plain = spoken(run, space, [f"a painting of {captions.article(concepts()[n]['one'][0])}" for n in shapes])
    heard, played = windows(run, development=True)
    with torch.no_grad():
        sounds = torch.cat([space.sound(part) for part in as_light(halved(heard)).split(64)])
    tones = list(dict.fromkeys(played))
    calls = spoken(run, space, [sound_concepts()[n].captions[0] for n in tones])
    both = [n for n in tones if n in shapes]
    mixed = [i for i, n in enumerate(played) if n in both]
    prototypes = torch.stack([F.normalize(pictures[np.array(shown) == n].mean(0), dim=0) for n in both])
    their_own = [played[i] for i in mixed]
    return {
        f"picture to text, of {len(shapes)}": right(pictures, plain, shown, shapes),
        f"picture to text, top 5 of {len(shapes)}": right(pictures, plain, shown, shapes, 5),
        f"repainted picture to text, of {len(shapes)}": right(repaints, plain, painted, shapes),
        f"repainted picture to text, top 5 of {len(shapes)}": right(repaints, plain, painted, shapes, 5),
        f"sound to text, of {len(tones)}": right(sounds, calls, played, tones),
        f"sound to text, top 5 of {len(tones)}": right(sounds, calls, played, tones, 5),
        f"sound to picture, of {len(both)}": right(sounds[mixed], prototypes, their_own, both),
    }


def export(run: Run, space: JointSpace, folder: Path) -> None:
    """Writes `config.json` and float16 `model.safetensors`."""
    settings = run["embedder"]
    folder.mkdir(parents=True, exist_ok=True)
    encoder = run.family / "image" / "text_encoder" / "model.safetensors"
    facts = {
        "blocks": list(backbone.blocks_of(run, NETWORK)),
        "widths": settings["widths"],
        "dimensions": settings["dimensions"],
        "mel_spec": SPEC.to_dict(),
        "nothing": list(NOTHING_PHRASES),
        "text_width": space.text.in_features,
        "text_encoder": fetch.sha256(encoder),
    }
    write(folder / "config.json", facts)
    half = {key: value.half().cpu().contiguous() for key, value in space.state_dict().items()}
    write_atomically(folder / "model.safetensors", lambda draft: save_file(half, draft))


def make(run: Run, stop_after: int | None = None) -> None:
    """The stage `embedder`: trains, exports and measures it."""
    space = train(run, stop_after)
    export(run, space, run.family / "embedder")
    measures = measure(run, space)
    (run.work / "embedder.json").write_text(json.dumps(measures, indent=1) + "\n")
    for name, value in measures.items():
        print(f"{value:7.1%}  {name}")
