"""The coloured pair: stage I draws 32 x 72 pixels from words, stage II enlarges them to 128 x 288.

It has the form of DeepFloyd IF. Stage II gets stage I's picture, enlarged four times and a little noisy, in
three more channels, and the noise level as a class label. Both are conditioned on the family's text encoder
and predict v. The colour part of the error has more weight than the grey part, which is often given in use.
All noise levels have the same weight, because the highest ones decide the colour.
"""

from dataclasses import dataclass

import numpy as np
import torch
from diffusers import DDIMScheduler, DDPMScheduler, UNet2DConditionModel
from torch import Tensor, nn
from torch.nn import functional as F

from training.cache import save_whole
from training.config import Run
from training.data.canvas import choose
from training.data.colour_canvas import SCENES, ColourPack, colour_canvas
from training.data.examples import FAVOURED, sound_pictures
from training.data.pictures import coloured_concepts
from training.data.textures import HEIGHT, WIDTH
from training.loop import Loss, Plan, fit, made_once, trained
from training.networks import colour_words, text
from training.networks.velocity import Task, levels

TIMES = 4  # enlargement by stage II
SMALL = (HEIGHT // TIMES, WIDTH // TIMES)
DROP = 0.1  # share of empty captions, for classifier-free guidance
COLOUR_WEIGHT = 6.0
NOISIEST = 300  # highest noise level of stage I's picture in stage II, of 1,000


def build(run: Run, which: str) -> UNet2DConditionModel:
    """An untrained stage.

    Text enters stage I at its two lowest levels and, pooled, with the timestep; it enters stage II only in
    the middle block.
    """
    settings = run[which]
    large = which == "upscaler"
    told = 0 if large else 2
    plain = len(settings["channels"]) - told
    return UNet2DConditionModel(
        sample_size=(HEIGHT, WIDTH) if large else SMALL,
        in_channels=6 if large else 3,
        out_channels=3,
        down_block_types=(*["DownBlock2D"] * plain, *["CrossAttnDownBlock2D"] * told),
        up_block_types=(*["CrossAttnUpBlock2D"] * told, *["UpBlock2D"] * plain),
        block_out_channels=tuple(settings["channels"]),
        layers_per_block=1,
        cross_attention_dim=run["text"]["width"],
        attention_head_dim=settings["heads"],
        norm_num_groups=settings["groups"],
        class_embed_type="timestep" if large else None,
        addition_embed_type=None if large else "text",
        addition_embed_type_num_heads=settings["heads"],
    )


def schedule() -> DDIMScheduler:
    """The noise schedule of both stages, with v prediction; pictures are in [-1, 1].

    The mean over all pixels is much less noisy than a pixel. A cosine schedule hides the mean colour of a
    picture only at its last few levels; this one hides it in the last quarter, where words must decide it.
    """
    return DDIMScheduler(
        num_train_timesteps=1000, beta_start=1e-4, beta_end=0.02, beta_schedule="linear", clip_sample=True,
        steps_offset=1, prediction_type="v_prediction",
    )  # fmt: skip


def image_noising() -> DDPMScheduler:
    """The noise schedule for stage I's picture in stage II."""
    return DDPMScheduler(num_train_timesteps=1000, beta_schedule="squaredcos_cap_v2")


@dataclass(frozen=True)
class Drawn:
    """Coloured canvases, drawn once for both stages.

    Attributes:
        small: uint8 (N, 3, 32, 72).
        large: The first of them at full size, uint8 (M, 3, 128, 288).
        told: Row of `conditions` of each, (N,).
        conditions: float16 (K, length, width); row 0 is the empty caption.
    """

    small: Tensor
    large: Tensor
    told: Tensor
    conditions: Tensor


def reduced(picture: np.ndarray) -> np.ndarray:
    """A picture at a quarter of its size, by means over blocks."""
    rows, columns = SMALL
    mean: np.ndarray = picture.reshape(rows, TIMES, columns, TIMES, 3).mean((1, 3))
    return mean


def planes(picture: np.ndarray) -> np.ndarray:
    """A picture (rows, columns, 3) in [0, 1] as uint8 (3, rows, columns)."""
    return np.moveaxis((255 * picture).round().astype(np.uint8), -1, 0)


def draw(run: Run) -> Drawn:
    """Draws all canvases and encodes their captions."""
    wanted, tables = run["colours"], coloured_concepts()
    pack = ColourPack.load(run.work / "colours.npz", tables) if run.packs else ColourPack.made_up(tables)
    sounds, size = sound_pictures(run)[0], (HEIGHT, WIDTH)
    concepts = wanted.get("concepts") or [name for name in tables if name not in SCENES]
    shares = {name: FAVOURED.get(name, 1.0) for name in concepts}
    small = np.empty((wanted["count"], 3, *SMALL), np.uint8)
    large = np.empty((wanted["large"], 3, *size), np.uint8)
    row, told = {"": 0}, []
    for number in range(len(small)):
        concept = choose(np.random.default_rng((run["seed"], number, 5)), shares)
        made = colour_canvas(pack, (run["seed"], number, 6), concept, sounds)
        small[number] = planes(reduced(made.picture))
        if number < len(large):
            large[number] = planes(made.picture)
        told.append(row.setdefault(made.caption, len(row)))
    conditions = text.encode(*text.load(run), list(row)).half().cpu()
    return Drawn(torch.from_numpy(small), torch.from_numpy(large), torch.tensor(told), conditions)


def drawn(run: Run) -> Drawn:
    """The coloured canvases of the run, cached in training-set-colours.pt."""
    file = run.work / "training-set-colours.pt"
    made_once(file, lambda: save_whole(vars(draw(run)), file))
    return Drawn(**torch.load(file, weights_only=True, mmap=True))


def pixels(stored: Tensor) -> Tensor:
    """uint8 pictures as float32 in [-1, 1]."""
    return stored.float() / 127.5 - 1


def enlarged(small: Tensor) -> Tensor:
    """Stage I's picture at stage II's size, (batch, 3, rows, columns)."""
    return F.interpolate(small, scale_factor=TIMES, mode="bilinear", align_corners=True)


def conditions_of(training_set: Drawn, rows: Tensor, rng: np.random.Generator) -> Tensor:
    """Text conditions of canvases; some are replaced by the empty caption."""
    told = training_set.told[rows].clone()
    told[torch.from_numpy(rng.random(len(rows)) < DROP)] = 0
    return training_set.conditions[told].float()


def colour_error(made: Tensor, goal: Tensor) -> Tensor:
    """Squared error of each sample, (batch,), with more weight on its colour part."""
    error = made.float() - goal
    colour = error - error.mean(1, keepdim=True)
    return error.square().mean((1, 2, 3)) + COLOUR_WEIGHT * colour.square().mean((1, 2, 3))


def pixel_loss(training_set: Drawn, batch: int, device: torch.device) -> Loss:
    """The loss of stage I, for `fit`."""
    alphas = schedule().alphas_cumprod

    def loss(net: nn.Module, rng: np.random.Generator, noise: torch.Generator) -> Tensor:
        rows = torch.from_numpy(rng.integers(len(training_set.small), size=batch))
        clean = pixels(training_set.small[rows])
        clean = clean.flip(-1) if rng.random() < 0.5 else clean
        step = levels(rng, batch, len(alphas))
        task = Task.of(clean, step, alphas, noise)
        told = conditions_of(training_set, rows, rng)
        made = net(task.mixed.to(device), step.to(device), told.to(device)).sample
        return colour_error(made, task.goal.to(device)).mean()

    return loss


def crops(
    training_set: Drawn, rows: Tensor, rng: np.random.Generator, size: list[int]
) -> tuple[Tensor, Tensor]:
    """Crops of canvases and of the enlarged small ones; both in [-1, 1], shape (batch, 3, *size)."""
    high, wide = size[0] // TIMES, size[1] // TIMES
    tops = rng.integers(SMALL[0] - high + 1, size=len(rows))
    lefts = rng.integers(SMALL[1] - wide + 1, size=len(rows))
    whole, parts = enlarged(pixels(training_set.small[rows])), []
    for n, (top, left) in enumerate(zip(TIMES * tops, TIMES * lefts, strict=True)):
        cut = np.s_[:, top : top + size[0], left : left + size[1]]
        parts.append((pixels(training_set.large[rows[n]][cut]), whole[n][cut]))
    fine, coarse = (torch.stack(side) for side in zip(*parts, strict=True))
    return fine, coarse


def upscaler_loss(training_set: Drawn, batch: int, size: list[int], device: torch.device) -> Loss:
    """The loss of stage II, for `fit`; `size` is [rows, columns] of its crops."""
    alphas, noising = schedule().alphas_cumprod, image_noising()

    def loss(net: nn.Module, rng: np.random.Generator, noise: torch.Generator) -> Tensor:
        rows = torch.from_numpy(rng.integers(len(training_set.large), size=batch))
        clean, coarse = crops(training_set, rows, rng, size)
        step, level = levels(rng, batch, len(alphas)), torch.from_numpy(rng.integers(NOISIEST, size=batch))
        task = Task.of(clean, step, alphas, noise)
        beside = noising.add_noise(coarse, torch.randn(coarse.shape, generator=noise), level)
        fed = torch.cat([task.mixed, beside], 1).to(device)
        told = conditions_of(training_set, rows, rng)
        made = net(fed, step.to(device), told.to(device), class_labels=level.to(device)).sample
        return colour_error(made, task.goal.to(device)).mean()

    return loss


def train(run: Run, which: str, stop_after: int | None = None) -> UNet2DConditionModel:
    """Trains `pixel` (stage I) or `upscaler` (stage II): writes pixel.pt or upscaler.pt."""
    settings, training_set, file = run[which], drawn(run), run.work / f"{which}.pt"
    words = colour_words.train(run) if which == "pixel" and not file.exists() else None
    torch.manual_seed(run["seed"])
    net = build(run, which)
    if words:
        net.add_embedding.load_state_dict(words.pool.state_dict())
    if which == "pixel":
        loss = pixel_loss(training_set, settings["batch"], run.device)
    else:
        loss = upscaler_loss(training_set, settings["batch"], settings["crop"], run.device)
    plan = Plan(
        steps=settings["steps"], rate=settings["rate"], seed=run["seed"], checkpoint_s=run["checkpoint_s"],
        stop_after=stop_after,
    )  # fmt: skip
    return fit(net, loss, plan, file, run.device)


def train_pixel(run: Run, stop_after: int | None = None) -> None:
    """The stage `pixel`."""
    train(run, "pixel", stop_after)


def train_upscaler(run: Run, stop_after: int | None = None) -> None:
    """The stage `upscaler`."""
    train(run, "upscaler", stop_after)


def load(run: Run, which: str) -> UNet2DConditionModel:
    """A trained stage: the moving average in its checkpoint."""
    return trained(build(run, which), run.work / f"{which}.pt", run.device)
