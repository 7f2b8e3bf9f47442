"""A wider network that begins as a narrower one does what that one did."""

import pytest
import torch
from diffusers.models.embeddings import TimestepEmbedding, Timesteps
from diffusers.models.resnet import ResnetBlock2D

pytest.importorskip("mido", reason="needs the extra `training`")

from training.config import Run
from training.networks.unet import build
from training.networks.widen import sources, widened


def block(wide_in: int, wide_out: int) -> ResnetBlock2D:
    """One residual block as the denoisers have them."""
    return ResnetBlock2D(in_channels=wide_in, out_channels=wide_out, temb_channels=12, groups=4).eval()


def test_a_block_of_twice_the_width_gives_every_channel_twice() -> None:
    torch.manual_seed(0)
    thin, wide = block(8, 16), block(16, 32)
    wide.load_state_dict(widened(thin.state_dict(), wide))
    seen, time = torch.randn(2, 8, 5, 6), torch.randn(2, 12)
    with torch.no_grad():
        made, wanted = wide(seen.repeat_interleave(2, 1), time), thin(seen, time)
    torch.testing.assert_close(made, wanted.repeat_interleave(2, 1), rtol=1e-4, atol=1e-5)


def test_copies_can_grow_apart() -> None:
    torch.manual_seed(0)
    thin, wide = torch.nn.Linear(4, 3), torch.nn.Linear(8, 3)
    weight = widened(thin.state_dict(), wide)["weight"]
    torch.testing.assert_close(weight[:, ::2] + weight[:, 1::2], thin.weight.detach())
    assert (weight[:, ::2] - weight[:, 1::2]).abs().min() > 0


def test_a_timestep_says_the_same_in_twice_as_many_waves() -> None:
    torch.manual_seed(0)
    nets = [torch.nn.ModuleDict({"time_embedding": TimestepEmbedding(n, 12)}) for n in (8, 16)]
    nets[1].load_state_dict(widened(nets[0].state_dict(), nets[1]))
    at = torch.tensor([3, 500, 999])
    said = [net["time_embedding"](Timesteps(n, True, 0)(at)) for n, net in zip((8, 16), nets, strict=True)]
    torch.testing.assert_close(*said)


def test_the_part_that_grew_is_doubled_and_what_stands_before_it_kept() -> None:
    assert sources(6, 8).tolist() == [0, 1, 2, 3, 4, 4, 5, 5]
    assert sources(3, 6).tolist() == [0, 0, 1, 1, 2, 2]
    with pytest.raises(ValueError, match="more than once"):
        sources(4, 9)


def test_a_wider_denoiser_begins_near_the_narrow_one(tmp_path) -> None:
    """Attention over twice the channels is sharper: that keeps it from being exact."""
    torch.manual_seed(0)
    run = Run.open("smoke", tmp_path, "cpu")
    thin = build(run, "image").eval()
    wider = Run("smoke", tmp_path, run.settings | {"audio": {"channels": [16, 16, 32]}}, run.device, False)
    fresh = build(wider, "audio").eval()
    latents, told = torch.randn(2, run["codec"]["latents"], 4, 8), torch.randn(2, 5, run["text"]["width"])

    def said(net: torch.nn.Module) -> torch.Tensor:
        with torch.no_grad():
            return net(latents, torch.tensor(300), told).sample

    before = (said(fresh) - said(thin)).square().mean()
    fresh.load_state_dict(widened(thin.state_dict(), fresh))
    assert (said(fresh) - said(thin)).square().mean() < before / 20
