"""Self-made canvases that are both a drawing and a sound, and the training of both denoisers on them.

    python -m training.joint sounds|canvases|image|audio|export --preset further --work WORK

Starts from an exported family (`--init-from`, by default the package's). Drawings of the pack are drawn into
sounds that the earlier audio model made. Inside a drawing the sound is a little softer, and the drawing adds light
at a level that leaves the sound audible. A canvas is kept if the family's embedder sees the thing and the tagger
hears the concept. Both denoisers then learn the same canvases, each with its own part of the caption, so that
their two distributions meet; on other material they learn to predict what the earlier model predicts. (Expert
iteration as in ReST, Gulcehre et al., 2023, arXiv:2308.08998; the earlier model as teacher as in learning without
forgetting, Li and Hoiem, 2016, arXiv:1606.09282.) docs/journal.md says what came of it.
"""

import json
import shutil
import sys
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from eidophone.core.errors import EidophoneError
from eidophone.media.spectrogram import log_mel_from_picture
from eidophone.models.embedders.load import load_embedder
from eidophone.models.latent import LatentModel
from eidophone.models.load import Loader
from eidophone.models.tagger import load_tagger
from training.cache import cached_arrays
from training.config import Run, TrainingError, claim, command_line, opened
from training.data import captions
from training.data.canvas import Pack, canvas, row
from training.data.clips import at_peak
from training.data.examples import sound_phrases
from training.data.iconic import brightened, favour_iconic
from training.data.pictures import concepts as things
from training.data.scenes import as_light
from training.data.sounds import TOP, heard_again, scores
from training.data.sounds import concepts as sound_concepts
from training.loop import Loss, Plan, fit
from training.mel import PLAYER, SPEC
from training.networks.velocity import Task, levels
from training.self_training import PLAYED_ALONE, folder_of, made

STAGES = ("sounds", "canvases", "image", "audio", "export")
Role = Literal["image", "audio"]
CPU = torch.device("cpu")
AT_ONCE = 16
SOUND_SEED = 40_000
#: Brightness of a drawing inside a sound (a third of the range is 29 dB), and the share of the sound kept there.
FORMS = ((0.65, 1.0), (0.75, 1.0), (0.65, 0.88), (0.7, 0.78), (0.85, 0.9), (0.6, 0.7))
COUNTS = (1, 2, 2, 3)  # objects on a canvas
#: How much of the sound's grain the drawing's own light takes on, and of the drawing's shading the sound.
GRAIN, SHADING = 0.25, 0.15
#: Loud parts of a sound are lifted to LOUD, by at most LIFT; below QUIET by less, so that black stays black.
LOUD, LIFT, QUIET = 0.95, 0.2, 0.15
TEMPERATURE = 0.1
#: Seen: the likeliest thing, or among the first three and at least this share as likely as in the drawing alone.
LEAST = 0.5
#: Share of canvases whose sound is one that people expect of the thing.
EXPECTED = 0.6
DROP = 0.12  # share of captions replaced by the empty one


# --- what canvases are made of ---------------------------------------------------------------------


def sounds(run: Run) -> dict[str, np.ndarray]:
    """The earlier model's own sounds in which the tagger hears the concept.

    Returns:
        Mel pictures by concept, uint8 (N, HEIGHT, WIDTH), N at least 2. Cached in joint-sounds.npz.
    """

    def _played() -> dict[str, np.ndarray]:
        ear, found = load_tagger(), {}
        for name, phrases in sound_phrases(run).items():
            seed = SOUND_SEED + zlib.crc32(name.encode()) % 10_000 * AT_ONCE
            parts = [made(run, ("", p), seed + 8 * n, PLAYED_ALONE) for n, p in enumerate(phrases[:2])]
            pictures = np.concatenate(parts)
            heard = np.array(heard_again(ear, pictures, sound_concepts()[name])) > 0
            print(name, int(heard.sum()), "of", len(heard), flush=True)
            found[name] = pictures[heard]
        return found

    found = cached_arrays(run.work / "joint-sounds.npz", _played)
    return {name: pictures for name, pictures in found.items() if len(pictures) > 1}


def lifted(sound: np.ndarray) -> np.ndarray:
    """A sound, (bands, columns) in [0, 1], raised towards full level."""
    room = np.clip(LOUD - np.quantile(sound, 0.98), 0, LIFT)
    louder: np.ndarray = (sound + room * (sound / QUIET).clip(0, 1)).clip(0, 1)
    return louder


def drawn_into(
    sound: np.ndarray, grey: np.ndarray, alpha: np.ndarray, form: tuple[float, float]
) -> np.ndarray:
    """A drawing in a sound, (bands, columns) in [0, 1].

    Args:
        sound: (bands, columns) in [0, 1].
        grey, alpha: The drawing's tones and its opacity, likewise.
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
    """A canvas that has not been judged yet.

    Attributes:
        thing, sound: Its two concepts.
        caption: What it shows.
        form: One of `FORMS`.
        picture, drawing: The canvas and the drawing alone, (HEIGHT, WIDTH) in [0, 1].
    """

    thing: str
    sound: str
    caption: str
    form: tuple[float, float]
    picture: np.ndarray
    drawing: np.ndarray


def trial(run: Run, pack: Pack, known: dict[str, np.ndarray], number: int) -> Trial:
    """Canvas `number` of the run, from drawings and sounds by concept."""
    rng = np.random.default_rng((run["seed"], number, 5))
    settings = run["joint"]
    thing = str(rng.choice(run["canvases"]["concepts"]))
    fitting = [name for name in settings["expected"].get(thing, ()) if name in known]
    name = str(rng.choice(fitting if fitting and rng.random() < EXPECTED else list(known)))
    count, form = int(rng.choice(COUNTS)), FORMS[rng.integers(len(FORMS))]
    layer, head = row(pack, rng, [thing], count, 0.0, simple=True)
    sound = lifted(as_light(known[name][rng.integers(len(known[name]))]).numpy())
    sound = np.roll(sound, int(rng.integers(sound.shape[1])), 1)
    grey = layer.grey ** rng.uniform(0.75, 1.25)
    phrase = captions.thing(rng, things()[thing], count, head)
    words = captions.caption(rng, [phrase], things()[thing]["doing"], "plain", black=False)
    return Trial(thing, name, words, form, drawn_into(sound, grey, layer.alpha, form), grey * layer.alpha)


@dataclass
class Chooser:
    """Sees with the family's embedder and hears with the tagger.

    Attributes:
        names: Concepts that a drawing may be taken for.
    """

    names: Sequence[str]

    def __post_init__(self) -> None:
        self.embedder, self.ear = load_embedder("tiny", CPU), load_tagger()
        said = [f"a painting of {captions.article(things()[name]['one'][0])}" for name in self.names]
        self.phrases = self.embedder.text(said)

    @torch.no_grad()
    def likely(self, pictures: Sequence[np.ndarray]) -> Tensor:
        """The probability of each name for each picture, (N, names)."""
        light = torch.from_numpy(np.stack(pictures)).float()[:, None].expand(-1, 3, -1, -1)
        return (self.embedder.picture(light) @ self.phrases.T / TEMPERATURE).softmax(-1)

    def kept(self, trials: Sequence[Trial]) -> list[Trial]:
        """The canvases whose thing is seen and whose sound is heard."""
        said = self.likely([t.picture for t in trials])
        alone = self.likely([t.drawing for t in trials])
        right = [list(self.names).index(t.thing) for t in trials]
        seen = [t for t, p, a, k in zip(trials, said, alone, right, strict=True) if _seen(p, a, k)]
        return [t for t, sure in zip(seen, self.hears(seen), strict=True) if sure]

    def hears(self, trials: Sequence[Trial]) -> list[bool]:
        """Whether the tagger has the concept among its first guesses for each canvas."""
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
    """Canvases that are both, cached in joint.npz.

    Returns:
        `pictures` uint8 (N, HEIGHT, WIDTH); `words`, `things`, `sounds` (N,); `forms` (N, 2); `tried` ().
    """

    def _chosen() -> dict[str, np.ndarray]:
        known, found, tried = sounds(run), list[Trial](), 0
        pack, chooser = _iconic_pack(run), Chooser(run["canvases"]["concepts"])
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

    return cached_arrays(run.work / "joint.npz", _chosen)


def _iconic_pack(run: Run) -> Pack:
    """The iconic drawings of the pack, brightened; all of one form are equally likely."""
    if not (run.work / "pictures.npz").exists():
        raise TrainingError(f"{run.work} has no drawings: run the stage pictures of training.train first.")
    found = Pack.load(run.work / "pictures.npz", things())
    return brightened(favour_iconic(found, np.ones(len(found.simple))))


# --- learning from them ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Material:
    """What a denoiser learns from.

    Attributes:
        latents: float16 (N, channels, height, width).
        conditions: One for each, float16 (N, length, width).
    """

    latents: Tensor
    conditions: Tensor

    def some(self, rng: np.random.Generator, count: int) -> tuple[Tensor, Tensor]:
        """Random rows of both, float32; the latents are rotated in time by a random number of cells."""
        rows = torch.from_numpy(rng.integers(len(self.latents), size=count))
        turns = rng.integers(self.latents.shape[-1], size=count)
        clean = [one.roll(int(n), -1) for one, n in zip(self.latents[rows].float(), turns, strict=True)]
        return torch.stack(clean), self.conditions[rows].float()


def material(model: LatentModel, pictures: np.ndarray, words: Sequence[str]) -> Material:
    """Pictures, uint8 (N, HEIGHT, WIDTH), and a caption of each, encoded by a model."""
    said = {word: model.text.encode(word).half() for word in dict.fromkeys(words)}
    parts = [as_light(pictures[n : n + AT_ONCE]) for n in range(0, len(pictures), AT_ONCE)]
    with torch.inference_mode():
        latents = torch.cat([model.encode(p[:, None].expand(-1, 3, -1, -1)).half() for p in parts])
    return Material(latents.clone(), torch.cat([said[word] for word in words]))


def joint_material(run: Run, role: Role, model: LatentModel) -> Material:
    """The canvases that are both, with the model's own part of each caption."""
    found = canvases(run)
    if role == "image":
        return material(model, found["pictures"], [str(w) for w in found["words"]])
    return material(model, found["pictures"], phrases_of(run, [str(n) for n in found["sounds"]]))


def phrases_of(run: Run, names: Sequence[str]) -> list[str]:
    """A phrase for each sound concept: its first one half of the time, else a random one."""
    rng, known = np.random.default_rng(run["seed"]), sound_phrases(run)
    return [known[n][0 if rng.random() < 0.5 else rng.integers(len(known[n]))] for n in names]


def own_material(run: Run, role: Role, model: LatentModel) -> Material:
    """What the earlier model must not forget: simple canvases, or its own sounds."""
    if role == "audio":
        known = sounds(run)
        names = [name for name, pictures in known.items() for _ in pictures]
        return material(model, np.concatenate(list(known.values())), phrases_of(run, names))
    pack, wanted = _iconic_pack(run), run["canvases"]["concepts"]
    drawn = [
        canvas(pack, (run["seed"], 7 * n), wanted[n % len(wanted)], simple=True)
        for n in range(run["joint"]["own"])
    ]
    pictures = np.stack([(255 * one.picture).round().astype(np.uint8) for one in drawn])
    return material(model, pictures, [one.caption for one in drawn])


def loss_of(
    both: Material, own: Material, teacher: nn.Module, silent: Tensor, alphas: Tensor,
    settings: dict[str, int], device: torch.device = CPU,
) -> Loss:  # fmt: skip
    """The loss of one random batch, for `fit`.

    Args:
        both: Canvases that are both; their goal is v.
        own: Other material; its goal is the teacher's prediction.
        teacher: The earlier U-Net.
        silent: The condition of the empty prompt, (length, width).
        alphas: Cumulative products of the noise schedule.
        settings: `batch` and `kept`, how many of each a batch has.
        device: Of the networks; everything else is on the CPU.
    """

    def loss(net: nn.Module, rng: np.random.Generator, noise: torch.Generator) -> Tensor:
        clean, told = both.some(rng, settings["batch"])
        told[torch.from_numpy(rng.random(len(told)) < DROP)] = silent
        task, step = _noised(rng, clean, alphas, noise)
        kept, kept_told = own.some(rng, settings["kept"])
        kept_task, kept_step = _noised(rng, kept, alphas, noise)
        with torch.no_grad():
            goal = teacher(*(part.to(device) for part in (kept_task.mixed, kept_step, kept_told))).sample
        mixed, steps = torch.cat([task.mixed, kept_task.mixed]), torch.cat([step, kept_step])
        found = net(mixed.to(device), steps.to(device), torch.cat([told, kept_told]).to(device)).sample
        goals, weight = torch.cat([task.goal.to(device), goal]), torch.cat([task.weight, kept_task.weight])
        whole = Task(mixed, goals, weight)
        return whole.mean((found - whole.goal).square().mean((1, 2, 3)))

    return loss


def _noised(
    rng: np.random.Generator, clean: Tensor, alphas: Tensor, noise: torch.Generator
) -> tuple[Task, Tensor]:
    step = levels(rng, len(clean), len(alphas))
    return Task.of(clean, step, alphas, noise), step


def earlier_model(run: Run, role: Role) -> LatentModel:
    """The model that the run starts from, on the CPU."""
    return Loader(CPU, torch.float32, offline=True).model(folder_of(run, role), role)


def train(run: Run, role: Role, stop_after: int | None = None) -> nn.Module:
    """Trains a denoiser: writes joint-image.pt or joint-audio.pt."""
    torch.manual_seed(run["seed"])
    earlier, settings = earlier_model(run, role), run["joint"]
    net: nn.Module = earlier_model(run, role).network.requires_grad_(True)
    both, own = joint_material(run, role, earlier), own_material(run, role, earlier)
    teacher = earlier.network.requires_grad_(False).to(run.device)
    plan = Plan(
        steps=settings["steps"], rate=settings["rate"], seed=run["seed"], checkpoint_s=run["checkpoint_s"],
        stop_after=stop_after,
    )  # fmt: skip
    silent = earlier.text.encode("")[0].float()
    loss = loss_of(both, own, teacher, silent, earlier.alphas_cumprod.cpu(), settings, run.device)
    return fit(net, loss, plan, run.work / f"joint-{role}.pt", run.device)


def export(run: Run) -> None:
    """Writes joint/image and joint/audio: the earlier models with the denoisers as trained so far.

    Raises:
        TrainingError: a denoiser has not been trained.
    """
    roles: tuple[Role, ...] = ("image", "audio")
    for role in roles:
        if not (run.work / f"joint-{role}.pt").exists():
            raise TrainingError(f"{run.work} has no joint-{role}.pt: run `training.joint {role}` first.")
    for role in roles:
        model = earlier_model(run, role)
        folder = run.work / "joint" / role
        shutil.copytree(model.source.path, folder, dirs_exist_ok=True)
        state = torch.load(run.work / f"joint-{role}.pt", map_location="cpu", weights_only=True)
        model.network.load_state_dict(state["mean"])
        model.network.half().save_pretrained(folder / "unet")
        print(json.dumps({"folder": str(folder), "step": state["step"]}), flush=True)


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = command_line("python -m training.joint", __doc__)
    parser.add_argument("stage", choices=STAGES)
    parser.add_argument("--stop-after", type=int, help="stop a network after this step; a later call goes on")
    given = parser.parse_args(arguments)
    try:
        run = opened(given)
        if "joint" not in run.settings:
            raise TrainingError(f"The preset {run.name} has no table `joint`; use --preset further.")
        claim(run)
        stages: dict[str, Callable[[], object]] = {
            "sounds": lambda: sounds(run), "canvases": lambda: canvases(run), "export": lambda: export(run),
        }  # fmt: skip
        stages.get(given.stage, lambda: train(run, given.stage, given.stop_after))()
    except (TrainingError, EidophoneError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
