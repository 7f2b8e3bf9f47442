"""Laws of several prompts on one canvas: weights, views, and bands that sum to the whole."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from eidophone.diffusion.chains import view_of
from eidophone.diffusion.frequencies import BANDS, SPREAD, band_of, low_pass
from eidophone.diffusion.guidance import Blend, Part, Seen, Window
from eidophone.diffusion.prompts import BandBlend, Prompted, Speaker, mean_of

T = torch.tensor(500)
X = torch.randn(2, 4, 16, 24, generator=torch.Generator().manual_seed(0))
WEIGHTS = st.floats(0.01, 100)


def field(seed: int):
    """A denoiser whose answer depends on the place, and on the latents."""
    said = torch.randn(X.shape, generator=torch.Generator().manual_seed(seed))
    return lambda latents, timestep: said + 0.3 * latents.tanh()


@given(WEIGHTS, WEIGHTS, WEIGHTS)
def test_two_equal_prompts_count_as_one_of_both_weights(first: float, a: float, b: float) -> None:
    ship = Seen(field(2), view_of(["flip"]))
    two = mean_of([Prompted(field(1), first), Prompted(ship, a), Prompted(ship, b)])
    one = mean_of([Prompted(field(1), first), Prompted(ship, a + b)])
    assert torch.allclose(two(X, T), one(X, T), atol=1e-5)


@given(WEIGHTS, WEIGHTS, WEIGHTS)
def test_only_the_proportion_of_weights_counts(a: float, b: float, factor: float) -> None:
    told = [field(1), field(2)]
    same = [mean_of([Prompted(told[0], a * f), Prompted(told[1], b * f)])(X, T) for f in (1, factor)]
    assert torch.allclose(same[0], same[1], atol=1e-5)
    expected = (a * told[0](X, T) + b * told[1](X, T)) / (a + b)
    assert torch.allclose(same[0], expected, atol=1e-5)


def test_equal_prompts_in_all_views_are_one_if_the_model_does_not_care_about_places() -> None:
    model = lambda latents, timestep: latents.tanh()  # noqa: E731
    views = [view_of(names) for names in (["flip"], ["mirror"], ["jigsaw"], ["flip", "negate"])]
    mean = mean_of([Prompted(Seen(model, view), 1 + i) for i, view in enumerate(views)])
    assert torch.allclose(mean(X, T), X.tanh(), atol=1e-6)


def test_one_prompt_alone_is_itself() -> None:
    alone = field(1)
    assert mean_of([Prompted(alone, 0.3)]) is alone


@pytest.mark.parametrize("shape", [(2, 4, 16, 56), (3, 128, 96), (1, 8, 8), (5, 1, 7)])
def test_bands_sum_to_the_whole(shape: tuple[int, ...]) -> None:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(3))
    parts = [band_of(x, band) for band in BANDS]
    assert torch.allclose(sum(parts), x, atol=1e-6) and torch.equal(band_of(x, "all"), x)
    assert all(part.shape == x.shape for part in parts)


def test_the_low_pass_keeps_what_is_even_and_passes_a_wave_as_a_gaussian_does() -> None:
    assert torch.allclose(low_pass(torch.full((1, 32, 40), 0.7)), torch.tensor(0.7))
    y = torch.arange(512.0, dtype=torch.float64)
    for waves in (2, 8, 16):
        wave = torch.cos(2 * torch.pi * waves * y / 512)[None, :, None].expand(1, 512, 8)
        gain = torch.exp(torch.tensor(-2 * (torch.pi * waves * SPREAD) ** 2))
        middle = slice(128, 384)
        assert torch.allclose(
            low_pass(wave)[:, middle], gain * wave[:, middle], atol=6e-3
        )  # cut off at three deviations


@given(st.floats(0.01, 0.99))
def test_a_band_blend_of_whole_prompts_is_the_plain_blend(share: float) -> None:
    image, sound = (Prompted(field(1)), Prompted(field(2), 0.4)), (Prompted(field(3)),)
    banded = BandBlend((Speaker(image, 1 - share), Speaker(sound, share)))
    plain = Blend((Part(mean_of(image), 1 - share), Part(mean_of(sound), share)))
    assert torch.allclose(banded(X, T), plain(X, T), atol=1e-5)


def test_each_band_listens_to_its_own_prompts() -> None:
    face, rain, bell = field(1), field(2), field(3)
    image = (Prompted(face, band="low-pass"), Prompted(rain, 2.0, "high-pass"))
    (low, high) = (band_of(denoiser(X, T), band) for denoiser, band in zip((face, rain), BANDS, strict=True))
    assert torch.allclose(BandBlend((Speaker(image, 1.0),))(X, T), low + high, atol=1e-5)
    # a sound in the low band alone shares that band by its weight, and leaves the other
    shared = BandBlend((Speaker(image, 0.75), Speaker((Prompted(bell, band="low-pass"),), 0.25)))
    expected = band_of(0.75 * face(X, T) + 0.25 * bell(X, T), "low-pass") + high
    assert torch.allclose(shared(X, T), expected, atol=1e-5)


def test_every_prompt_is_asked_once() -> None:
    asked: list[str] = []

    def _counted(latents: Tensor, timestep: Tensor) -> Tensor:
        asked.append("once")
        return latents

    blend = BandBlend((Speaker((Prompted(_counted), Prompted(field(1), band="low-pass")), 1.0),))
    blend(X, T)
    blend(X, T)
    assert len(asked) == 2  # once in each call


def test_a_band_that_nobody_decides_is_refused() -> None:
    late = Speaker((Prompted(field(1)),), 0.5, Window(highest=400))
    coarse = Speaker((Prompted(field(2), band="low-pass"),), 0.5)
    with pytest.raises(ValueError, match="no model is on at timestep 500"):
        BandBlend((late, coarse))(X, T)
