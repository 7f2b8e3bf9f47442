"""The codec of patches: linear, as fine as its numbers allow, and loaded like any VAE."""

from pathlib import Path

import pytest
import torch

from eidophone.models.patches import PatchCodec
from training.networks import codec


def pictures(count: int = 24) -> torch.Tensor:
    """Soft random pictures with some grain, uint8 (count, 64, 96)."""
    noise = torch.rand(count, 1, 64, 96, generator=torch.Generator().manual_seed(0))
    soft = (torch.nn.functional.avg_pool2d(noise, 9, 1, 4) + 0.03 * noise)[:, 0]
    return ((soft - soft.min()) / (soft.max() - soft.min()) * 255).to(torch.uint8)


def fitted(latents: int) -> PatchCodec:
    return codec.begun({"latents": latents, "features": 4}, pictures().numpy())


def test_as_many_numbers_as_pixels_lose_nothing() -> None:
    seen = codec.as_input(pictures(4).numpy(), torch.device("cpu"))
    coder = fitted(64).requires_grad_(False)
    back = coder.decode(coder.encode(seen).latent_dist.mean).sample
    assert (back - seen).abs().max() < 1e-4


def test_more_numbers_keep_more() -> None:
    seen = codec.as_input(pictures(8).numpy(), torch.device("cpu"))
    errors = []
    for latents in (2, 4, 8, 16, 32):
        coder = fitted(latents).requires_grad_(False)
        back = coder.decode(coder.encode(seen).latent_dist.mean).sample
        errors.append(float((back - seen).square().mean()))
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < errors[0] / 5


def test_encoding_is_linear_up_to_a_constant() -> None:
    coder = fitted(8)
    a, b = codec.as_input(pictures(2).numpy(), torch.device("cpu")).split(1)

    def code(x: torch.Tensor) -> torch.Tensor:
        return coder.encode(x).latent_dist.mean

    torch.testing.assert_close(code((a + b) / 2), (code(a) + code(b)) / 2, atol=1e-5, rtol=1e-4)
    assert torch.equal(coder.encode(a).latent_dist.mean, coder.encode(a, return_dict=False)[0].mode())


def test_levelling_changes_no_picture() -> None:
    coder, seen = fitted(8).requires_grad_(False), codec.as_input(pictures(4).numpy(), torch.device("cpu"))
    before = coder.decode(coder.encode(seen).latent_dist.mean).sample.clone()
    deviation = coder.encode(seen).latent_dist.mean.std((0, 2, 3))
    codec.levelled(coder, deviation)
    latents = coder.encode(seen).latent_dist.mean
    torch.testing.assert_close(coder.decode(latents).sample, before, atol=1e-4, rtol=1e-4)
    after = latents.std((0, 2, 3))
    assert float(after.square().mean()) == pytest.approx(1, rel=1e-3)
    assert float(after.max() / after.min()) < float(deviation.max() / deviation.min())


def test_it_is_kept_and_read_like_a_vae(tmp_path: Path) -> None:
    coder = fitted(8)
    coder.save_pretrained(tmp_path)
    again = PatchCodec.from_pretrained(tmp_path, low_cpu_mem_usage=False)
    assert again.config.latent_channels == 8 and len(again.config.block_out_channels) == 4
    assert all(torch.equal(v, again.state_dict()[k]) for k, v in coder.state_dict().items())
