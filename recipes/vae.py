"""The picture codec: a small AutoencoderKL for canvases and spectrograms alike.

It sees three equal grey channels, as Stable Diffusion's does, and makes LATENTS x 16 x 36 of 128 x 288. The
loss is the absolute and squared difference at three scales, the same of the edges, the difference of local
grain (how strong fine texture is, wherever it lies: what makes noise sound like noise), and a small pull of
the latents towards unit normal.
"""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn
from torch.nn import functional as F

from recipes.config import Run
from recipes.data import canvases, sound_pictures
from recipes.grow import grow
from recipes.loop import Loss, Plan, fit

#: Weight of the grain's difference, and of what the first latents of a smaller codec were.
GRAIN, LOYALTY = 1.5, 0.3


def build(settings: dict[str, Any]) -> AutoencoderKL:
    """An untrained codec; with four levels, of factor 8."""
    channels, latents = settings["channels"], settings["latents"]
    levels = len(channels)
    codec = AutoencoderKL(
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        block_out_channels=tuple(channels),
        layers_per_block=1,
        latent_channels=latents,
        norm_num_groups=settings["groups"],
        sample_size=128,
        mid_block_add_attention=False,
    )
    with torch.no_grad():  # begin almost without noise: what is drowned at first is learned late
        codec.quant_conv.weight[latents:] = 0
        codec.quant_conv.bias[latents:] = -5
    return codec


def as_input(pictures: np.ndarray, device: torch.device) -> Tensor:
    """Pictures uint8 (N, H, W) as the codec's input: float32 (N, 3, H, W) in [-1, 1]."""
    grey = torch.from_numpy(pictures).to(device).float() / 127.5 - 1
    return grey[:, None].expand(-1, 3, -1, -1).contiguous()


def grain(picture: Tensor) -> Tensor:
    """Strength of what is finer than three pixels, in places of eight pixels."""
    fine = picture - F.avg_pool2d(picture, 3, 1, 1, count_include_pad=False)
    return (F.avg_pool2d(fine.square(), 8, 4) + 1e-4).sqrt()


def likeness(made: Tensor, true: Tensor) -> Tensor:
    """How far two grey pictures (N, 1, H, W) in [-1, 1] are apart: values, edges and grain."""
    total = GRAIN * (grain(made) - grain(true)).abs().mean()
    for scale in range(3):
        gap = made - true
        total = total + gap.abs().mean() + gap.square().mean()
        total = total + 1.0 * (gap[..., 1:, :] - gap[..., :-1, :]).abs().mean()
        total = total + 1.0 * (gap[..., 1:] - gap[..., :-1]).abs().mean()
        if scale < 2:
            made, true = F.avg_pool2d(made, 2), F.avg_pool2d(true, 2)
    return total


def crops(rng: np.random.Generator, pictures: np.ndarray, count: int, size: Sequence[int]) -> np.ndarray:
    """Random cut-outs (count, *size) of random pictures."""
    out = np.empty((count, *size), np.uint8)
    for n in range(count):
        picture = pictures[rng.integers(len(pictures))]
        top, left = (
            int(rng.integers(have - want + 1)) for have, want in zip(picture.shape, size, strict=True)
        )
        out[n] = picture[top : top + size[0], left : left + size[1]]
    return out


def loss_of(
    pictures: np.ndarray, settings: dict[str, Any], device: torch.device, elder: AutoencoderKL | None = None
) -> Loss:
    """The loss of one random batch, for `fit`; its first latents stay near those of `elder`."""

    def loss(vae: nn.Module, rng: np.random.Generator, noise: torch.Generator) -> Tensor:
        batch = as_input(crops(rng, pictures, settings["batch"], settings["crop"]), device)
        code = vae.encode(batch).latent_dist
        draw = torch.randn(code.mean.shape, generator=noise).to(device)
        made = vae.decode(code.mean + code.std * draw).sample
        total = likeness(made.mean(1, keepdim=True), batch[:, :1]) + settings["kl"] * code.kl().mean()
        if elder is not None:
            with torch.no_grad():
                known = elder.encode(batch).latent_dist.mean
            total = total + LOYALTY * (code.mean[:, : known.shape[1]] - known).square().mean()
        return total

    return loss


def examples(run: Run) -> np.ndarray:
    """What the codec learns from: as many canvases as spectrograms, uint8 (N, HEIGHT, WIDTH)."""
    drawn, heard = canvases(run)[0], sound_pictures(run)[0]
    return np.concatenate([kept[:: max(1, len(kept) // run["vae"]["pictures"])] for kept in (drawn, heard)])


def plan_of(run: Run, section: str, stop_after: int | None) -> Plan:
    """Length and rate of one of the codec's two stages."""
    settings = run[section]
    return Plan(
        steps=settings["steps"], rate=settings["rate"], seed=run["seed"], checkpoint_s=run["checkpoint_s"],
        average=0.99, stop_after=stop_after,
    )  # fmt: skip


def train(run: Run, stop_after: int | None = None) -> nn.Module:
    """The vae stage: encoder and decoder together, work/vae.pt. After it the latents are fixed."""
    torch.manual_seed(run["seed"])
    settings, elder = run["vae"], None
    vae = build(settings)
    if run.elder:
        vae, elder = grown(run, vae)
    loss = loss_of(examples(run), settings, run.device, elder)
    return fit(vae, loss, plan_of(run, "vae", stop_after), run.work / "vae.pt", run.device)


def grown(run: Run, vae: AutoencoderKL) -> tuple[AutoencoderKL, AutoencoderKL]:
    """The codec begun from a shipped one with fewer latents, and that one, frozen."""
    elder = AutoencoderKL.from_pretrained(run.elder / "image" / "vae").to(run.device).requires_grad_(False)
    vae.load_state_dict(grow(elder.state_dict(), vae.state_dict(), paired=("encoder.conv_out", "quant_conv")))
    return vae, elder


def train_decoder(run: Run, stop_after: int | None = None) -> nn.Module:
    """The decoder stage.

    Only the decoder goes on learning, work/decoder.pt; it may run beside the denoisers.
    """
    settings = run["vae"] | run["decoder"]
    vae = read(run, "vae").train().requires_grad_(True)
    vae.encoder.requires_grad_(False)
    vae.quant_conv.requires_grad_(False)
    loss = loss_of(examples(run), settings, run.device)
    return fit(vae, loss, plan_of(run, "decoder", stop_after), run.work / "decoder.pt", run.device)


def read(run: Run, name: str) -> AutoencoderKL:
    """The moving average of the codec in work/<name>.pt."""
    vae = build(run["vae"])
    vae.load_state_dict(torch.load(run.work / f"{name}.pt", map_location="cpu", weights_only=True)["mean"])
    return vae.to(run.device).eval().requires_grad_(False)


@torch.no_grad()
def spread(run: Run) -> dict[str, list[float]]:
    """Mean and standard deviation of each latent channel, measured once; kept in work/scale.json."""
    file = run.work / "scale.json"
    if not file.exists():
        pictures = examples(run)
        sample = as_input(pictures[:: max(1, len(pictures) // 96)], run.device)
        codec = read(run, "vae")
        means = torch.cat([codec.encode(part).latent_dist.mean for part in sample.split(16)])
        facts = {"mean": means.mean((0, 2, 3)).tolist(), "std": means.std((0, 2, 3)).tolist()}
        file.write_text(json.dumps(facts))
    found: dict[str, list[float]] = json.loads(file.read_text())
    return found


@torch.no_grad()
def balanced(codec: AutoencoderKL, mean: Tensor, std: Tensor) -> AutoencoderKL:
    """Moves each latent channel to mean 0 and deviation 1, and undoes it before decoding.

    Exact: it is folded into the linear layers on both sides. A denoiser then spends its strength evenly.
    """
    into, out = codec.quant_conv, codec.post_quant_conv
    count = len(mean)
    into.weight[:count] /= std[:, None, None, None]
    into.bias[:count] = (into.bias[:count] - mean) / std
    into.bias[count:] -= 2 * std.log()
    out.bias += out.weight[:, :, 0, 0] @ mean
    out.weight *= std[None, :, None, None]
    codec.register_to_config(scaling_factor=1.0)
    return codec


def load(run: Run) -> AutoencoderKL:
    """The codec as it stands, balanced: the encoder of the vae stage, the best decoder there is."""
    codec = read(run, "decoder" if (run.work / "decoder.pt").exists() else "vae")
    facts = {name: torch.tensor(values, device=run.device) for name, values in spread(run).items()}
    return balanced(codec, **facts)
