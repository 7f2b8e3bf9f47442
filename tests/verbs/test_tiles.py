"""A VAE in Stable Diffusion's layout on wide canvases: bounded memory, and no seam."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import eidophone
from eidophone.models.latent import LatentModel
from eidophone.models.load import Loader
from eidophone.verbs.shared import canvas
from eidophone.verbs.shared.canvas import decode_wide, encode_wide

HEIGHT, WIDTH, WINDOW = 32, 512, 128


@pytest.fixture(scope="module")
def model(pair: tuple[Path, Path]) -> LatentModel:
    return Loader(torch.device("cpu"), torch.float32, offline=True).model(str(pair[0]), "image")


@pytest.fixture(scope="module")
def pictures() -> torch.Tensor:
    """Blurred noise, which looks alike everywhere, so that no edge of the picture hides a seam."""
    noise = torch.randn(1, 3, HEIGHT + 8, WIDTH + 8, generator=torch.Generator().manual_seed(0))
    return (0.5 + F.avg_pool2d(noise, 9, 1)).clamp(0, 1)


def jumps(found: torch.Tensor) -> np.ndarray:
    """Mean difference of each column from the next one."""
    return found.diff(dim=-1).abs().mean((0, 1, 2)).numpy()


@pytest.mark.parametrize("loop", [False, True])
@torch.inference_mode()
def test_encoding_in_tiles_is_nearly_encoding_as_a_whole(model, pictures, loop: bool) -> None:
    """Its norms see a tile instead of the canvas, so it is the nearer, the larger the tiles."""
    whole = model.encode(pictures)
    tiled = {width: encode_wide(model, pictures, width, loop) for width in (WINDOW, 2 * WINDOW)}
    assert tiled[WINDOW].shape == whole.shape == (1, *model.latent_shape(HEIGHT, WIDTH))
    inside = slice(4, -4) if loop else slice(None)  # a loop's ends see each other
    off = {width: ((found - whole)[..., inside].norm() / whole.norm()) for width, found in tiled.items()}
    assert off[2 * WINDOW] < 0.6 * off[WINDOW] < 0.2
    assert jumps(tiled[WINDOW]).max() < 1.3 * jumps(whole).max()


@torch.inference_mode()
def test_decoding_in_tiles_is_nearly_decoding_as_a_whole(model, pictures) -> None:
    latents = model.encode(pictures)
    whole = model.decode(latents)
    tiled = {width: decode_wide(model, latents, width, False) for width in (WINDOW, 2 * WINDOW)}
    assert tiled[WINDOW].shape == whole.shape == pictures.shape
    off = {width: (found - whole).abs().mean() / whole.std() for width, found in tiled.items()}
    assert off[2 * WINDOW] < 0.6 * off[WINDOW] < 0.3
    assert jumps(tiled[WINDOW]).max() < 1.3 * jumps(whole).max()


@torch.inference_mode()
def test_a_canvas_of_one_window_is_encoded_as_it_is(model, pictures) -> None:
    assert torch.equal(encode_wide(model, pictures, WIDTH, False), model.encode(pictures))


@pytest.mark.parametrize("width", [WIDTH, 4 * WIDTH])
@torch.inference_mode()
def test_the_vae_never_sees_more_than_a_tile(model, pictures, width: int) -> None:
    seen: list[int] = []
    layers = (model.vae.encoder.conv_in, model.vae.decoder.conv_out)
    hooks = [
        layer.register_forward_hook(lambda _, given, __: seen.append(given[0].shape[-1])) for layer in layers
    ]
    wide = pictures.repeat(1, 1, 1, width // WIDTH)
    decode_wide(model, encode_wide(model, wide, WINDOW, False), WINDOW, False)
    for hook in hooks:
        hook.remove()
    assert len(seen) >= 2 * width // WINDOW and set(seen) == {WINDOW}


def test_little_memory_means_narrow_tiles(settings: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"count": 1, "steps": 1, "width": 128, **settings}
    (plain,) = eidophone.compose("a castle", "a bell", window_width=128, **told)
    (same,) = eidophone.compose("a castle", "a bell", window_width=128, low_memory=True, **told)
    assert np.array_equal(plain.spectrogram, same.spectrogram)  # narrower than a tile
    monkeypatch.setattr("eidophone.verbs.compose.run.NARROW_TILE", 64)
    assert canvas.NARROW_TILE == 512
    (tiled,) = eidophone.compose("a castle", "a bell", window_width=128, low_memory=True, **told)
    assert 0 < np.abs(plain.spectrogram - tiled.spectrogram).mean() < 0.05
