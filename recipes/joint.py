"""Canvases that are both a drawing and a sound, and denoisers that learn them.

`python -m recipes.joint sounds|canvases|image|audio|export --config further --work FURTHER` goes on from an
exported family (`--elder`, else the package's). Drawings of the picture pack are drawn into sounds that the
elder's audio model made itself: inside a drawing the sound is a little softer, and the drawing's own light
shows at a level that the sound still carries. A canvas is kept if the family's embedder sees the thing and
the tagger hears the class on it. Both denoisers then learn the same canvases, each with its own part of the
caption, so that their two distributions meet, while they are held to what the elder says of its own material.
(Expert iteration as in ReST, Gulcehre et al., 2023, arXiv:2308.08998; the elder as teacher as in learning
without forgetting, Li and Hoiem, 2016, arXiv:1606.09282.)
"""

import json
import shutil
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from eidophone.media.spectrogram import log_mel_from_picture
from eidophone.models.embedders.load import load_embedder
from eidophone.models.latent import LatentModel
from eidophone.models.load import Loader
from eidophone.models.tagger import load_tagger
from recipes import captions, data
from recipes.canvas import Pack, canvas, row
from recipes.config import Run, command_line, opened
from recipes.kept import kept_arrays
from recipes.loop import Loss, Plan, fit
from recipes.mel import PLAYER, SPEC
from recipes.own import PLAYED_ALONE, folder_of, made
from recipes.pictures import concepts as things
from recipes.plain import lit, plainest
from recipes.scenes import as_light
from recipes.sounds import TOP, heard_again, scores
from recipes.sounds import concepts as sound_concepts
from recipes.takes import at_peak
from recipes.velocity import Task, levels

STAGES = ("sounds", "canvases", "image", "audio", "export")
AT_ONCE = 16
SOUND_SEED = 40_000
#: How light a drawing is inside a sound, and what the sound keeps there (1: all of it). A third of the range
#: is 29 dB. Which of them fits depends on the sound, so all are tried (docs/journal.md).
FORMS = ((0.65, 1.0), (0.75, 1.0), (0.65, 0.88), (0.7, 0.78), (0.85, 0.9), (0.6, 0.7))
COUNTS = (1, 2, 2, 3)  # objects on a canvas
#: The sound's grain in a drawing's own light, and the drawing's shading in the sound.
GRAIN, SHADING = 0.25, 0.15
#: A sound's loudest parts are lifted to this, by at most so much; black stays black.
LOUD, LIFT, QUIET = 0.95, 0.2, 0.15
TEMPERATURE = 0.1
#: A thing counts as seen if it is likeliest, or among the first three and at least so likely as drawn alone.
LEAST = 0.5
#: Share of canvases whose sound is one that people expect of the thing.
EXPECTED = 0.6
DROP = 0.12  # share of captions replaced by the empty one


# --- what canvases are made of ---------------------------------------------------------------------


def sounds(run: Run) -> dict[str, np.ndarray]:
    """The elder's own sounds in which the tagger hears the class: uint8 (N, HEIGHT, WIDTH) by concept."""

    def _played() -> dict[str, np.ndarray]:
        ear, found = load_tagger(), {}
        for name, phrases in data.sound_phrases(run).items():
            seed = SOUND_SEED + zlib.crc32(name.encode()) % 10_000 * AT_ONCE
            parts = [made(run, ("", p), seed + 8 * n, PLAYED_ALONE) for n, p in enumerate(phrases[:2])]
            pictures = np.concatenate(parts)
            heard = np.array(heard_again(ear, pictures, sound_concepts()[name])) > 0
            print(name, int(heard.sum()), "of", len(heard), flush=True)
            found[name] = pictures[heard]
        return found

    found = kept_arrays(run.work / "joint-sounds.npz", _played)
    return {name: pictures for name, pictures in found.items() if len(pictures) > 1}


def lifted(sound: np.ndarray) -> np.ndarray:
    """A sound, (bands, columns) in [0, 1], as loud as it may be."""
    room = np.clip(LOUD - np.quantile(sound, 0.98), 0, LIFT)
    louder: np.ndarray = (sound + room * (sound / QUIET).clip(0, 1)).clip(0, 1)
    return louder


def drawn_into(
    sound: np.ndarray, grey: np.ndarray, alpha: np.ndarray, form: tuple[float, float]
) -> np.ndarray:
    """A drawing in a sound.

    Args:
        sound: (bands, columns) in [0, 1].
        grey, alpha: The drawing's tones and where it is, likewise.
        form: One of `FORMS`.
    """
    light, keeps = form
    inside = np.quantile(grey[alpha > 0.5], 0.9) if (alpha > 0.5).any() else 1.0
    tones = (grey / max(inside, 0.3)).clip(0, 1)
    grain = (1 - GRAIN) + GRAIN * (sound / max(np.quantile(sound, 0.9), 0.1)).clip(0, 1)
    within = np.maximum(keeps * sound * ((1 - SHADING) + SHADING * tones), light * tones * grain)
    whole: np.ndarray = (sound * (1 - alpha) + alpha * within).clip(0, 1)
    return whole


@dataclass
class Trial:
    """A canvas before anybody looked at it or listened to it."""

    thing: str
    sound: str
    caption: str
    form: tuple[float, float]
    picture: np.ndarray
    drawing: np.ndarray


def trial(run: Run, pack: Pack, known: dict[str, np.ndarray], number: int) -> Trial:
    """Canvas number so many."""
    rng = np.random.default_rng((run["seed"], number, 5))
    settings = run["joint"]
    thing = str(rng.choice(run["canvases"]["concepts"]))
    fitting = [name for name in settings["expected"].get(thing, ()) if name in known]
    name = str(rng.choice(fitting if fitting and rng.random() < EXPECTED else list(known)))
    count, form = int(rng.choice(COUNTS)), FORMS[rng.integers(len(FORMS))]
    layer, head = row(pack, rng, [thing], count, 0.0, calm=True)
    sound = lifted(as_light(known[name][rng.integers(len(known[name]))]).numpy())
    sound = np.roll(sound, int(rng.integers(sound.shape[1])), 1)
    grey = layer.grey ** rng.uniform(0.75, 1.25)
    phrase = captions.thing(rng, things()[thing], count, head)
    words = captions.caption(rng, [phrase], things()[thing]["doing"], "plain", black=False)
    return Trial(thing, name, words, form, drawn_into(sound, grey, layer.alpha, form), grey * layer.alpha)


@dataclass
class Chooser:
    """Sees with the family's embedder and hears with the tagger."""

    names: Sequence[str]

    def __post_init__(self) -> None:
        self.embedder, self.ear = load_embedder("tiny", torch.device("cpu")), load_tagger()
        said = [f"a painting of {captions.article(things()[name]['one'][0])}" for name in self.names]
        self.phrases = self.embedder.text(said)

    @torch.no_grad()
    def likely(self, pictures: Sequence[np.ndarray]) -> Tensor:
        """How likely each picture shows each of the names, (N, names)."""
        light = torch.from_numpy(np.stack(pictures)).float()[:, None].expand(-1, 3, -1, -1)
        return (self.embedder.picture(light) @ self.phrases.T / TEMPERATURE).softmax(-1)

    def kept(self, trials: Sequence[Trial]) -> list[Trial]:
        """Those that are seen and heard."""
        said = self.likely([t.picture for t in trials])
        alone = self.likely([t.drawing for t in trials])
        right = [list(self.names).index(t.thing) for t in trials]
        seen = [t for t, p, a, k in zip(trials, said, alone, right, strict=True) if _seen(p, a, k)]
        return [t for t, sure in zip(seen, self.hears(seen), strict=True) if sure]

    def hears(self, trials: Sequence[Trial]) -> list[bool]:
        """Whether the tagger has the class among its first guesses in what each canvas plays."""
        if not trials:
            return []
        drawn = torch.from_numpy(np.stack([t.picture for t in trials])).float()
        played = [at_peak(sound) for sound in PLAYER(log_mel_from_picture(drawn, SPEC)).numpy()]
        table = scores(self.ear, played)
        least = table.topk(TOP).values[:, -1]
        wanted = [[self.ear.classes.index(c) for c in sound_concepts()[t.sound].heard] for t in trials]
        return [bool(row[w].max() >= bar) for row, w, bar in zip(table, wanted, least, strict=True)]


def _seen(likely: Tensor, alone: Tensor, right: int) -> bool:
    first = likely.topk(3).indices.tolist()
    return first[0] == right or (right in first and bool(likely[right] > LEAST * alone[right]))


def canvases(run: Run) -> dict[str, np.ndarray]:
    """Canvases that are both: `pictures` uint8 (N, HEIGHT, WIDTH), `words`, `things`, `sounds`, `forms`."""

    def _kept() -> dict[str, np.ndarray]:
        known, found, tried = sounds(run), list[Trial](), 0
        pack, chooser = _plain_forms(run), Chooser(run["canvases"]["concepts"])
        while len(found) < run["joint"]["count"]:
            found += chooser.kept([trial(run, pack, known, tried + n) for n in range(AT_ONCE)])
            tried += AT_ONCE
            if tried % (16 * AT_ONCE) == 0:
                print(len(found), "of", tried, flush=True)
        return {
            "pictures": np.stack([(255 * t.picture).round().astype(np.uint8) for t in found]),
            "words": np.array([t.caption for t in found]),
            "things": np.array([t.thing for t in found]),
            "sounds": np.array([t.sound for t in found]),
            "forms": np.array([t.form for t in found]),
            "tried": np.array(tried),
        }

    return kept_arrays(run.work / "joint.npz", _kept)


def _plain_forms(run: Run) -> Pack:
    found = Pack.load(run.work / "pictures.npz", things())
    return lit(plainest(found, np.ones(len(found.calm))))


# --- learning from them ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Material:
    """Latents, float16 (N, channels, h, w), and a condition for each, float16 (N, length, width)."""

    latents: Tensor
    conditions: Tensor

    def some(self, rng: np.random.Generator, count: int) -> tuple[Tensor, Tensor]:
        """Random rows of both, turned around in time by a random number of cells, float32."""
        rows = torch.from_numpy(rng.integers(len(self.latents), size=count))
        turns = rng.integers(self.latents.shape[-1], size=count)
        clean = [one.roll(int(n), -1) for one, n in zip(self.latents[rows].float(), turns, strict=True)]
        return torch.stack(clean), self.conditions[rows].float()


def material(model: LatentModel, pictures: np.ndarray, words: Sequence[str]) -> Material:
    """Pictures uint8 (N, HEIGHT, WIDTH) and what is said of each, as a model reads them."""
    said = {word: model.text.encode(word).half() for word in dict.fromkeys(words)}
    parts = [as_light(pictures[n : n + AT_ONCE]) for n in range(0, len(pictures), AT_ONCE)]
    with torch.inference_mode():
        latents = torch.cat([model.encode(p[:, None].expand(-1, 3, -1, -1)).half() for p in parts])
    return Material(latents.clone(), torch.cat([said[word] for word in words]))


def joint_material(run: Run, which: str, model: LatentModel) -> Material:
    """The canvases that are both, with a model's own part of what is said of them."""
    found = canvases(run)
    if which == "image":
        return material(model, found["pictures"], [str(w) for w in found["words"]])
    return material(model, found["pictures"], phrases_of(run, [str(n) for n in found["sounds"]]))


def phrases_of(run: Run, names: Sequence[str]) -> list[str]:
    """A random phrase for each concept of sounds, every second time its first."""
    rng, known = np.random.default_rng(run["seed"]), data.sound_phrases(run)
    return [known[n][0 if rng.random() < 0.5 else rng.integers(len(known[n]))] for n in names]


def own_material(run: Run, which: str, model: LatentModel) -> Material:
    """What the elder is to be remembered for: calm drawings, or its own sounds."""
    if which == "audio":
        known = sounds(run)
        names = [name for name, pictures in known.items() for _ in pictures]
        return material(model, np.concatenate(list(known.values())), phrases_of(run, names))
    pack, wanted = _plain_forms(run), run["canvases"]["concepts"]
    drawn = [
        canvas(pack, (run["seed"], 7 * n), wanted[n % len(wanted)], calm=True)
        for n in range(run["joint"]["own"])
    ]
    pictures = np.stack([(255 * one.picture).round().astype(np.uint8) for one in drawn])
    return material(model, pictures, [one.caption for one in drawn])


def loss_of(
    both: Material, own: Material, elder: nn.Module, silent: Tensor, alphas: Tensor, settings: dict[str, int]
) -> Loss:
    """Canvases that are both as they are, own material as the elder sees it; for `fit`."""

    def loss(net: nn.Module, rng: np.random.Generator, noise: torch.Generator) -> Tensor:
        clean, told = both.some(rng, settings["batch"])
        told[torch.from_numpy(rng.random(len(told)) < DROP)] = silent
        task, step = _noised(rng, clean, alphas, noise)
        kept, kept_told = own.some(rng, settings["kept"])
        kept_task, kept_step = _noised(rng, kept, alphas, noise)
        with torch.no_grad():
            goal = elder(kept_task.mixed, kept_step, kept_told).sample
        mixed, steps = torch.cat([task.mixed, kept_task.mixed]), torch.cat([step, kept_step])
        found = net(mixed, steps, torch.cat([told, kept_told])).sample
        wrong = (found - torch.cat([task.goal, goal])).square().mean((1, 2, 3))
        weight = torch.cat([task.weight, kept_task.weight])
        mean: Tensor = (wrong * weight).mean() / weight.mean()
        return mean

    return loss


def _noised(
    rng: np.random.Generator, clean: Tensor, alphas: Tensor, noise: torch.Generator
) -> tuple[Task, Tensor]:
    step = levels(rng, len(clean), len(alphas))
    return Task.of(clean, step, alphas, noise), step


def elder_of(run: Run, which: str) -> LatentModel:
    """The model that the run goes on from."""
    return Loader(run.device, torch.float32, offline=True).model(folder_of(run, which), which)  # type: ignore[arg-type]


def train(run: Run, which: str, stop_after: int | None = None) -> nn.Module:
    """work/joint-image.pt or work/joint-audio.pt."""
    torch.manual_seed(run["seed"])
    elder, settings = elder_of(run, which), run["joint"]
    net: nn.Module = elder_of(run, which).unet.requires_grad_(True)
    teacher = elder.unet.requires_grad_(False)
    both, own = joint_material(run, which, elder), own_material(run, which, elder)
    plan = Plan(
        steps=settings["steps"], rate=settings["rate"], seed=run["seed"], checkpoint_s=run["checkpoint_s"],
        stop_after=stop_after,
    )  # fmt: skip
    silent = elder.text.encode("")[0].float()
    loss = loss_of(both, own, teacher, silent, elder.signals.cpu(), settings)
    return fit(net, loss, plan, run.work / f"joint-{which}.pt", run.device)


def export(run: Run) -> None:
    """work/joint/image and work/joint/audio: the elder's folders with the denoisers as they are so far."""
    for which in ("image", "audio"):
        model = elder_of(run, which)
        folder = run.work / "joint" / which
        shutil.copytree(model.source.path, folder, dirs_exist_ok=True)
        state = torch.load(run.work / f"joint-{which}.pt", map_location="cpu", weights_only=True)
        model.unet.load_state_dict(state["mean"])
        model.unet.half().save_pretrained(folder / "unet")
        print(json.dumps({"folder": str(folder), "step": state["step"]}), flush=True)


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = command_line("python -m recipes.joint", __doc__)
    parser.add_argument("stage", choices=STAGES)
    parser.add_argument("--elder", type=Path, help="an exported family to go on from; else the package's")
    given = parser.parse_args(arguments)
    run = opened(given)
    stages: dict[str, Callable[[], object]] = {
        "sounds": lambda: sounds(run), "canvases": lambda: canvases(run), "export": lambda: export(run),
    }  # fmt: skip
    stages.get(given.stage, lambda: train(run, given.stage, given.stop_after))()


if __name__ == "__main__":
    main()
