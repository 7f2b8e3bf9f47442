"""The two U-Nets: one learns captioned canvases, the other captioned spectrograms (stages `image`, `audio`).

They share the codec, the text encoder and the noise schedule, so that a noisy latent means the same to both.
They predict v.
"""

from dataclasses import dataclass

import numpy as np
import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from torch import Tensor, nn

from training import self_training
from training.cache import save_whole
from training.config import Run
from training.data.examples import canvases, sound_phrases, sound_pictures
from training.data.sounds import concepts, heard_again
from training.data.textures import HEIGHT, WIDTH
from training.loop import Loss, Plan, fit, made_once, trained
from training.networks import codec, tagger, text
from training.networks.translate import translated
from training.networks.velocity import Task, levels
from training.networks.widen import widened

DROP = 0.1  # share of empty captions, for classifier-free guidance
CAPTIONS_PER_SOUND = 24
FEWEST_LASTING = 12  # windows; a concept with fewer keeps all of its windows
#: A concept of which a smaller share is heard comes twice as often.
SELDOM = 0.6


def build(run: Run, which: str) -> UNet2DConditionModel:
    """An untrained U-Net for latents of 16 x 36; text enters at the two lower levels."""
    settings, latents = run["unet"] | run[which], run["codec"]["latents"]
    return UNet2DConditionModel(
        sample_size=(16, 36),
        in_channels=latents,
        out_channels=latents,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=tuple(settings["channels"]),
        time_embedding_dim=settings["channels"][-1],
        layers_per_block=1,
        cross_attention_dim=run["text"]["width"],
        attention_head_dim=settings["heads"],
        norm_num_groups=settings["groups"],
    )


def schedule() -> DDIMScheduler:
    """Stable Diffusion's noise schedule, extended to a signal of 0.015, with v prediction.

    Stable Diffusion ends at 0.068, where the mean of a canvas is still visible. Sampling from pure noise then
    gives medium loudness or a grey ground (Lin et al., WACV 2024).
    """
    return DDIMScheduler(
        num_train_timesteps=1000, beta_start=0.00085, beta_end=0.02, beta_schedule="scaled_linear",
        clip_sample=False, set_alpha_to_one=False, steps_offset=1, prediction_type="v_prediction",
    )  # fmt: skip


@dataclass(frozen=True)
class TrainingSet:
    """What a U-Net learns from.

    Attributes:
        latents: float16 (N, channels, h, w).
        first, count: First row in `conditions` that fits each latent, and the number of such rows, (N,).
        conditions: float16 (M, length, width); row 0 is the empty caption.
        roll: Share of latents that are rotated in time (along the width).
    """

    latents: Tensor
    first: Tensor
    count: Tensor
    conditions: Tensor
    roll: float


def lasting(run: Run) -> tuple[np.ndarray, list[str]]:
    """The training spectrograms in which the tagger hears the concept after encoding and decoding.

    Concepts with fewer than FEWEST_LASTING of them keep all their spectrograms.
    """
    pictures, names = sound_pictures(run)
    kept = np.ones(len(names), bool)
    if run.packs:
        ear, known, coder = tagger.load(run), concepts(), codec.load(run)
        for name in dict.fromkeys(names):
            rows = np.array([i for i, other in enumerate(names) if other == name])
            lasts = np.array(heard_again(ear, codec.through(coder, pictures[rows]), known[name])) > 0
            if lasts.sum() >= FEWEST_LASTING:
                kept[rows] = lasts
    return pictures[kept], [name for name, lasts in zip(names, kept, strict=True) if lasts]


@dataclass(frozen=True)
class ConceptExamples:
    """Spectrograms of one concept to learn from.

    Attributes:
        pictures: uint8 (N, HEIGHT, WIDTH).
        chance: Probability of each, (N,); sums to 1.
        repeats: How often the concept comes, relative to others.
    """

    pictures: np.ndarray
    chance: np.ndarray
    repeats: int = 1


def concept_examples(run: Run) -> dict[str, ConceptExamples]:
    """The spectrograms of every concept: recordings and, with self-training, sounds of the earlier model.

    Sounds that are heard under drawings, too, are more likely. Concepts that the earlier model seldom played
    well, and those that are learned from recordings only, come twice as often.
    """
    pictures, names = lasting(run)
    found, recordings_only = {}, self_training.recordings_only(run)
    for name in dict.fromkeys(names):
        real = pictures[[i for i, other in enumerate(names) if other == name]]
        kept = (
            self_training.self_made(run, name)
            if "self_training" in run.settings and name not in recordings_only
            else None
        )
        if kept is None:
            found[name] = ConceptExamples(
                real, np.full(len(real), 1 / len(real)), 1 + (name in recordings_only)
            )
            continue
        share = run["audio"]["self_made_share"] if len(kept.pictures) >= FEWEST_LASTING else 0.0
        chance = [(1 - share) * self_training.chances(self_training.recorded_under_drawings(run, name, real))]
        if share:
            chance.append(share * self_training.chances(kept.under_drawings))
            real = np.concatenate([real, kept.pictures])
        found[name] = ConceptExamples(real, np.concatenate(chance), 1 + (kept.share < SELDOM))
    return found


def heard(run: Run) -> tuple[np.ndarray, list[str]]:
    """Spectrograms to learn from, rotated in time, louder or softer, and the concept of each.

    uint8 (N, HEIGHT, WIDTH).
    """
    known, names = concept_examples(run), list[str]()
    order = [name for name, kept in known.items() for _ in range(kept.repeats)]
    out = np.empty((run["canvases"]["sounds"], HEIGHT, WIDTH), np.uint8)
    for n in range(len(out)):
        rng, name = np.random.default_rng((run["seed"], n, 2)), order[n % len(order)]
        row = rng.choice(len(known[name].chance), p=known[name].chance)
        sound = known[name].pictures[row].astype(np.float32) / 255
        sound = np.roll(sound, int(rng.integers(sound.shape[1])), 1) if rng.random() < 0.6 else sound
        sound = np.where(sound > 0.02, sound + rng.uniform(-0.08, 0.08), sound).clip(0, 1)
        out[n] = (255 * sound).round()
        names.append(name)
    return out, names


def training_set(run: Run, which: str) -> TrainingSet:
    """The training set of the U-Net `image` or `audio`, cached in training-set-*.pt."""
    file = run.work / f"training-set-{which}.pt"
    made_once(file, lambda: save_whole(vars(make_training_set(run, which)), file))
    return TrainingSet(**torch.load(file, weights_only=True))


def make_training_set(run: Run, which: str) -> TrainingSet:
    """Encodes pictures and captions."""
    rng, texts = np.random.default_rng(run["seed"]), [""]
    if which == "image":
        pictures, words, _ = canvases(run)
        first, count = list(range(1, len(words) + 1)), [1] * len(words)
        texts += words
    else:
        pictures, names = heard(run)
        start = {}
        for name, phrases in sound_phrases(run).items():
            start[name] = len(texts)
            texts += [text.sound_caption(rng, phrases) for _ in range(CAPTIONS_PER_SOUND)]
        first = [start[name] for name in names]
        count = [CAPTIONS_PER_SOUND] * len(names)
    conditions = text.encode(*text.load(run), texts).half().cpu()
    latents = codec.encoded(codec.load(run), pictures).half().cpu()
    return TrainingSet(
        latents, torch.tensor(first), torch.tensor(count), conditions, 0.0 if which == "image" else 0.5
    )


def loss_of(taught: TrainingSet, batch: int, device: torch.device) -> Loss:
    """The loss of one random batch, for `fit`."""
    alphas = schedule().alphas_cumprod

    def loss(net: nn.Module, rng: np.random.Generator, noise: torch.Generator) -> Tensor:
        rows = torch.from_numpy(rng.integers(len(taught.latents), size=batch))
        clean = taught.latents[rows].float()
        for n in np.nonzero(rng.random(batch) < taught.roll)[0]:
            clean[n] = clean[n].roll(int(rng.integers(clean.shape[-1])), -1)
        step = levels(rng, batch, len(alphas))
        told = taught.first[rows] + torch.from_numpy(rng.integers(taught.count[rows].numpy()))
        told[torch.from_numpy(rng.random(batch) < DROP)] = 0
        task = Task.of(clean, step, alphas, noise)
        made = net(task.mixed.to(device), step.to(device), taught.conditions[told].float().to(device)).sample
        return task.mean((made.float() - task.goal.to(device)).square().mean((1, 2, 3)))

    return loss


def train(run: Run, which: str, stop_after: int | None = None) -> UNet2DConditionModel:
    """Trains `image` or `audio`: writes image.pt or audio.pt.

    Both start from the earlier family's if there is one. Otherwise audio starts from the trained image U-Net.
    """
    torch.manual_seed(run["seed"])
    settings = run[which]
    net = build(run, which)
    if run.init_from:
        net.load_state_dict(widened(translated(run, which), net))
    elif which == "audio":
        known = torch.load(run.work / "image.pt", map_location="cpu", weights_only=True)["mean"]
        net.load_state_dict(widened(known, net))
    plan = Plan(
        steps=settings["steps"], rate=settings["rate"], seed=run["seed"], checkpoint_s=run["checkpoint_s"],
        stop_after=stop_after,
    )  # fmt: skip
    loss = loss_of(training_set(run, which), settings["batch"], run.device)
    return fit(net, loss, plan, run.work / f"{which}.pt", run.device)


def train_image(run: Run, stop_after: int | None = None) -> None:
    """The stage `image`."""
    train(run, "image", stop_after)


def train_audio(run: Run, stop_after: int | None = None) -> None:
    """The stage `audio`."""
    train(run, "audio", stop_after)


def load(run: Run, which: str) -> UNet2DConditionModel:
    """A trained U-Net: the moving average in its checkpoint."""
    return trained(build(run, which), run.work / f"{which}.pt", run.device)
