"""The codec between pictures and latents, for canvases and spectrograms alike (the stage `codec`).

It starts as the best linear code of 8 x 8 patches, their principal components. Then the patches learn to
overlap, and a small network learns to correct what they miss. The loss is the absolute and squared difference
at three scales, the same for edges, and the difference in grain: the strength of fine texture, which makes
noise sound like noise.
"""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eidophone.models.patches import PatchCodec
from training.config import Run
from training.data.examples import canvases, sound_pictures
from training.loop import Loss, Plan, fit, trained

PATCH = 8
AT_ONCE = 16
GRAIN = 0.5  # weight of the difference in grain
DIRT = 0.03  # standard deviation of noise on the latents, so that small errors of a U-Net stay invisible
#: The standard deviation of a latent channel is its natural one to this power: 0 makes all channels equal.
LEVELLING = 0.5


def as_input(pictures: np.ndarray, device: torch.device) -> Tensor:
    """Pictures uint8 (N, H, W) as the codec's input: float32 (N, 3, H, W) in [-1, 1]."""
    grey = torch.from_numpy(pictures).to(device).float() / 127.5 - 1
    return grey[:, None].expand(-1, 3, -1, -1).contiguous()


def patches(pictures: np.ndarray) -> np.ndarray:
    """All patches of pictures uint8 (N, H, W), float32 (patches, PATCH * PATCH) in [-1, 1]."""
    count, high, wide = pictures.shape
    blocks = pictures.reshape(count, high // PATCH, PATCH, wide // PATCH, PATCH).transpose(0, 1, 3, 2, 4)
    return blocks.reshape(-1, PATCH * PATCH).astype(np.float32) / 127.5 - 1


def empty(settings: dict[str, Any]) -> PatchCodec:
    """An untrained codec that reduces by PATCH."""
    return PatchCodec(settings["latents"], (settings["features"],) * (PATCH.bit_length()))


@torch.no_grad()
def begun(settings: dict[str, Any], pictures: np.ndarray) -> PatchCodec:
    """The best linear code of patches without overlap; its latents have mean 0 and deviation 1 overall."""
    codec = empty(settings)
    found = patches(pictures)
    mean = float(found.mean())
    power, directions = np.linalg.eigh(np.cov(found.T))
    power, directions = (
        power[::-1][: settings["latents"]].copy(),
        directions[:, ::-1][:, : settings["latents"]],
    )
    scale = np.sqrt(power) ** (LEVELLING - 1)
    scale /= np.sqrt((power * scale**2).mean())
    analysis = torch.from_numpy((directions * scale).T.reshape(-1, 1, PATCH, PATCH).copy()).float()
    synthesis = torch.from_numpy((directions / scale).T.reshape(-1, PATCH, PATCH).copy()).float()
    middle = slice(PATCH // 2, PATCH // 2 + PATCH)
    codec.analysis.weight.zero_()[:, :, middle, middle] = analysis
    bias = codec.analysis.bias
    assert bias is not None
    bias.copy_(-torch.from_numpy(scale * mean * directions.sum(0)).float())
    codec.synthesis.weight[:, 0].zero_()[:, middle, middle] = synthesis
    synthesis_bias = codec.synthesis.bias
    assert synthesis_bias is not None
    synthesis_bias[0] = mean
    for parameter in codec.touch_up[-1].parameters():
        parameter.zero_()
    return codec


def grain(picture: Tensor) -> Tensor:
    """Local strength of structure finer than three pixels, in blocks of eight pixels."""
    fine = picture - F.avg_pool2d(picture, 3, 1, 1, count_include_pad=False)
    return (F.avg_pool2d(fine.square(), 8, 4) + 1e-4).sqrt()


def likeness(made: Tensor, true: Tensor) -> Tensor:
    """Distance of two grey pictures (N, 1, H, W) in [-1, 1]: values, edges and grain."""
    total = GRAIN * (grain(made) - grain(true)).abs().mean()
    for scale in range(3):
        gap = made - true
        total = total + gap.abs().mean() + 4 * gap.square().mean()
        total = total + (gap[..., 1:, :] - gap[..., :-1, :]).abs().mean()
        total = total + (gap[..., 1:] - gap[..., :-1]).abs().mean()
        if scale < 2:
            made, true = F.avg_pool2d(made, 2), F.avg_pool2d(true, 2)
    return total


def crops(rng: np.random.Generator, pictures: np.ndarray, count: int, size: Sequence[int]) -> np.ndarray:
    """Random crops (count, *size) of random pictures."""
    out = np.empty((count, *size), np.uint8)
    for n in range(count):
        picture = pictures[rng.integers(len(pictures))]
        top, left = (
            int(rng.integers(have - want + 1)) for have, want in zip(picture.shape, size, strict=True)
        )
        out[n] = picture[top : top + size[0], left : left + size[1]]
    return out


def loss_of(pictures: np.ndarray, settings: dict[str, Any], device: torch.device) -> Loss:
    """The loss of one random batch, for `fit`."""

    def loss(codec: nn.Module, rng: np.random.Generator, noise: torch.Generator) -> Tensor:
        assert isinstance(codec, PatchCodec)
        batch = as_input(crops(rng, pictures, settings["batch"], settings["crop"]), device)
        code = codec.encode(batch).latent_dist.mean
        code = code + DIRT * torch.randn(code.shape, generator=noise).to(device)
        # Overall deviation 1; larger latents would make the noise above harmless.
        level = (code.square().mean() - 1).square()
        return likeness(codec.decode(code).sample[:, :1], batch[:, :1]) + level

    return loss


def examples(run: Run) -> np.ndarray:
    """Pictures to learn from, half canvases and half spectrograms, uint8 (N, HEIGHT, WIDTH)."""
    drawn, heard = canvases(run)[0], sound_pictures(run)[0]
    return np.concatenate([kept[:: max(1, len(kept) // run["codec"]["pictures"])] for kept in (drawn, heard)])


def train(run: Run, stop_after: int | None = None) -> nn.Module:
    """The stage `codec`: writes codec.pt. From here on the latents are fixed."""
    torch.manual_seed(run["seed"])
    settings, pictures = run["codec"], examples(run)
    plan = Plan(
        steps=settings["steps"], rate=settings["rate"], seed=run["seed"], checkpoint_s=run["checkpoint_s"],
        average=0.99, stop_after=stop_after,
    )  # fmt: skip
    codec = begun(settings, pictures)
    return fit(codec, loss_of(pictures, settings, run.device), plan, run.work / "codec.pt", run.device)


@torch.no_grad()
def deviations(run: Run, codec: PatchCodec) -> list[float]:
    """Standard deviation of each latent channel, measured once and cached in deviations.json."""
    file = run.work / "deviations.json"
    if not file.exists():
        pictures = examples(run)
        sample = as_input(pictures[:: max(1, len(pictures) // 400)], run.device)
        latents = torch.cat([codec.encode(part).latent_dist.mean for part in sample.split(16)])
        file.write_text(json.dumps(latents.std((0, 2, 3)).tolist()))
    found: list[float] = json.loads(file.read_text())
    return found


@torch.no_grad()
def levelled(codec: PatchCodec, deviation: Tensor) -> PatchCodec:
    """Scales the latent channels towards equal deviations, 1 overall; decoding undoes it exactly.

    A channel much stronger than the noise would stay visible at the noisiest level, where sampling starts
    from pure noise.
    """
    factor = deviation**LEVELLING / deviation
    factor /= (deviation * factor).square().mean().sqrt()
    codec.analysis.weight *= factor[:, None, None, None]
    assert codec.analysis.bias is not None
    codec.analysis.bias *= factor
    codec.synthesis.weight /= factor[:, None, None, None]
    return codec


@torch.no_grad()
def encoded(codec: PatchCodec, pictures: np.ndarray) -> Tensor:
    """Latents (N, channels, H / 8, W / 8) of pictures uint8 (N, H, W)."""
    device = codec.analysis.weight.device
    parts = [pictures[i : i + AT_ONCE] for i in range(0, len(pictures), AT_ONCE)]
    return torch.cat([codec.encode(as_input(part, device)).latent_dist.mean for part in parts])


@torch.no_grad()
def through(codec: PatchCodec, pictures: np.ndarray) -> np.ndarray:
    """Pictures after encoding and decoding, uint8 (N, H, W)."""
    made = [codec.decode(part).sample[:, 0] for part in encoded(codec, pictures).split(AT_ONCE)]
    whole: np.ndarray = (127.5 * (torch.cat(made).clamp(-1, 1) + 1)).round().to(torch.uint8).cpu().numpy()
    return whole


def load(run: Run) -> PatchCodec:
    """The trained codec: the moving average in codec.pt, with scaled channels."""
    codec = trained(empty(run["codec"]), run.work / "codec.pt", run.device)
    return levelled(codec, torch.tensor(deviations(run, codec), device=run.device))
