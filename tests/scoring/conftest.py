"""A small embedder that is a formula, and results that cost nothing."""

import hashlib
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from eidophone.core.recipe import Recipe
from eidophone.core.values import Clip, Picture, Result
from eidophone.media.mel import MelSpec

SPEC = MelSpec(
    rate_hz=8000,
    n_fft=256,
    win_length=256,
    hop_length=64,
    n_mels=32,
    f_max=4000.0,
    floor=1e-3,
    log_floor=1e-5,
    ceiling=20,
)


class Formula:
    """Pictures by their coarse light, sounds by the energy of eight stretches, texts by their checksum."""

    name = "formula"
    senses = frozenset({"picture", "sound", "text"})
    logit_scale = 1.0
    sees_whole = False
    nothing: tuple[str, ...] = ()

    def picture(self, pixels: Tensor) -> Tensor:
        return F.normalize(F.adaptive_avg_pool2d(pixels.mean(1, keepdim=True), (2, 4)).flatten(1) - 0.5)

    def sound(self, samples: Tensor, rate_hz: int) -> Tensor:
        return F.normalize(F.adaptive_avg_pool1d(samples.abs()[:, None], 8)[:, 0] - 0.1)

    def text(self, phrases: Sequence[str]) -> Tensor:
        seeds = [int(hashlib.sha256(p.encode()).hexdigest()[:8], 16) for p in phrases]
        rows = [torch.randn(8, generator=torch.Generator().manual_seed(s)) for s in seeds]
        return F.normalize(torch.stack(rows))


@pytest.fixture
def formula() -> Formula:
    return Formula()


@pytest.fixture
def make_result() -> Callable[..., Result]:
    def make(index: int = 0, *, width: int = 72, dc: float = 0.0, **more: object) -> Result:
        rng = np.random.default_rng(index)
        gray = rng.random((32, width), np.float32)
        noise = 0.3 * rng.standard_normal((1, width * SPEC.hop_length)).astype(np.float32).clip(-1, 1)
        recipe = Recipe.model_validate({
            "format": 1, "verb": "compose", "index": index, "seed": index, "vocoder": "", "versions": {},
            "options": {"image_prompt": "castle", "audio_prompt": "dog barking"},
            "models": {}, "mel_spec": SPEC.to_dict(),
        })  # fmt: skip
        clip = Clip((noise - noise.mean() + np.float32(dc)).astype(np.float32), SPEC.rate_hz)
        given = {"captions": ("castle", "dog barking"), "recipe": Recipe.model_validate(recipe)} | more
        given["recipe"] = given["recipe"].changed(verb=given.setdefault("verb", "compose"))
        return Result(index=index, picture=Picture.from_gray(gray), spectrogram=gray, clip=clip, **given)

    return make
