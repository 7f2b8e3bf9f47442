"""Score distillation: its gradient by another computation, and where a known denoiser pulls a canvas."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from eidophone.diffusion.canvas import random_crops
from eidophone.diffusion.distillation import (
    DistillationConfig,
    LossTerm,
    distil,
    gradient,
    loss_of,
    surrogate,
)
from eidophone.diffusion.draws import Draws
from eidophone.diffusion.guidance import Guided
from eidophone.diffusion.representation import ImplicitPicture, LatentGrid, PixelGrid
from eidophone.diffusion.sampler import cumulative_alphas

SIGNALS = cumulative_alphas({"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"})
SIZE = (8, 12)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def bent(slope: float) -> Callable[[Tensor, Tensor], Tensor]:
    """A denoiser that is no formula of anything; with weights, so that gradients could flow through it."""
    return lambda latents, timestep: torch.tanh(slope * latents) + timestep / 1000


@pytest.mark.parametrize("weighting", ["variance", "clean"])
@pytest.mark.parametrize("noise_share", [1.0, 0.25, 0.0])
def test_the_gradient_is_weighted_guided_noise_less_noise(weighting: str, noise_share: float) -> None:
    guided = Guided(bent(0.5), bent(0.2), 7.5)
    config = DistillationConfig(weighting=weighting, noise_share=noise_share)
    shown = torch.randn(2, 3, *SIZE, generator=seeded(0)).requires_grad_()
    noise = torch.randn(2, 3, *SIZE, generator=seeded(1))
    timestep = torch.tensor(321)
    push = gradient(guided, shown, noise, timestep, SIGNALS[timestep], config)
    surrogate(shown, push).backward()

    a, x, e = float(SIGNALS[321]), shown.detach().numpy().astype(np.float64), noise.numpy()
    noisy = np.sqrt(a) * x + np.sqrt(1 - a) * e
    wanted, unwanted = np.tanh(0.5 * noisy) + 0.321, np.tanh(0.2 * noisy) + 0.321
    surplus = 7.5 * (wanted - unwanted) + noise_share * (unwanted - e)
    weight = 1 - a if weighting == "variance" else np.sqrt((1 - a) / a)
    assert np.allclose(shown.grad.numpy(), weight * surplus / 2, rtol=1e-4, atol=1e-5)


def test_gradients_flow_through_the_canvas_and_its_projection_only() -> None:
    """One iteration of plain descent moves the levels by the chain config, done by hand."""
    canvas = PixelGrid(1, *SIZE, seed=3)
    start = canvas.levels.detach().clone()
    config = DistillationConfig(iterations=1, annealed=True, highest=0.5, lowest=0.5)
    term = LossTerm(Guided(bent(0.5), bent(0.2), 3.0), lambda shown, _: 2 * shown - 1, SIGNALS, 0.7)
    assert list(
        distil(canvas, torch.optim.SGD(canvas.parameters(), 0.1), [term], config, Draws.seeded(5))
    ) == [1]

    noise = torch.randn((1, 1, *SIZE), generator=seeded(5)).numpy()
    a, drawn = float(SIGNALS[500]), 1 / (1 + np.exp(-start.numpy()))
    noisy = np.sqrt(a) * (2 * drawn - 1) + np.sqrt(1 - a) * noise
    unwanted = np.tanh(0.2 * noisy) + 0.5
    guided = unwanted + 3 * (np.tanh(0.5 * noisy) + 0.5 - unwanted)
    by_hand = 0.7 * (1 - a) * (guided - noise) * 2 * drawn * (1 - drawn)
    moved = (start - canvas.levels.detach()).numpy() / 0.1
    assert np.allclose(moved, by_hand, rtol=1e-3, atol=1e-5)


def test_what_is_not_a_number_pulls_nowhere() -> None:
    shown, timestep = torch.zeros(1, 1, *SIZE), torch.tensor(10)
    broken = Guided(lambda x, _: x / 0, lambda x, _: x / 0, 2.0)
    assert not gradient(broken, shown, shown, timestep, SIGNALS[10], DistillationConfig()).any()


def test_the_implicit_picture_is_the_published_function_of_place() -> None:
    height, width = SIZE
    canvas = ImplicitPicture(1, height, width, seed=9)
    drawn = canvas()[0, 0].detach().numpy()

    torch.manual_seed(9)
    frequencies = 10 * torch.randn(2, 128).numpy()
    y, x = np.mgrid[:height, :width]
    places = np.stack([y.ravel() / height, x.ravel() / width], 1)
    phases = 2 * np.pi * places @ frequencies
    values = np.concatenate([np.sin(phases), np.cos(phases)], 1)
    weights = {name: p.detach().numpy().squeeze() for name, p in canvas.named_parameters()}
    for layer in range(3):
        values = values @ weights[f"layers.{layer}.0.weight"].T + weights[f"layers.{layer}.0.bias"]
        values = np.maximum(values, 0)
        values = (values - values.mean(0)) / np.sqrt(values.var(0) + 1e-5)
    values = 1 / (1 + np.exp(-(values @ weights["layers.3.weight"] + weights["layers.3.bias"])))
    assert np.allclose(drawn, values.reshape(SIZE), atol=1e-4)
    assert {w.shape[0] for n, w in weights.items() if n.endswith("0.weight")} == {256}


def gaussian(mean: Tensor, std: float = 0.1) -> Guided:
    """The exact noise for data around a mean."""

    def _noise(noisy: Tensor, timestep: Tensor) -> Tensor:
        a = SIGNALS[timestep]
        return (1 - a).sqrt() * (noisy - a.sqrt() * mean) / (a * std**2 + 1 - a)

    return Guided(_noise, _noise, 1.0)


@pytest.mark.parametrize("annealed", [True, False])
@pytest.mark.parametrize(
    "make",
    [lambda: ImplicitPicture(1, *SIZE, seed=0, scale=2.0, features=64), lambda: PixelGrid(1, *SIZE, seed=0)],
    ids=["implicit", "pixels"],
)
def test_a_picture_is_pulled_to_a_known_mean(make: Callable[[], nn.Module], annealed: bool) -> None:
    mean = 2 * torch.rand(1, 1, *SIZE, generator=seeded(7)) - 1
    mean = 0.8 * mean
    config = DistillationConfig(iterations=300, annealed=annealed)
    canvas = make()
    term = LossTerm(gaussian(mean), lambda shown, _: 2 * shown - 1, SIGNALS, 1.0)
    before = (2 * canvas() - 1 - mean).abs().mean()
    rate = 0.003 if isinstance(canvas, ImplicitPicture) else 0.1
    for _ in distil(canvas, torch.optim.AdamW(canvas.parameters(), rate), [term], config, Draws.seeded(1)):
        pass
    after = (2 * canvas() - 1 - mean).abs().mean()
    assert before > 0.3 and after < 0.06


def test_latents_are_pulled_between_two_models_by_their_weights() -> None:
    canvas, shape = LatentGrid(4, *SIZE), (1, 4, *SIZE)
    means = [torch.full(shape, 2.0), torch.full(shape, -1.0)]
    terms = [
        LossTerm(gaussian(mean), lambda shown, _: shown, SIGNALS, weight)
        for mean, weight in zip(means, (2.0, 1.0), strict=True)
    ]
    optimiser = torch.optim.AdamW(canvas.parameters(), 0.05, weight_decay=0)
    for _ in distil(
        canvas, optimiser, terms, DistillationConfig(iterations=300, annealed=True), Draws.seeded(2)
    ):
        pass
    assert torch.allclose(canvas.latents.detach(), torch.full(shape, 1.0), atol=0.15)


def test_a_term_is_on_from_its_first_iteration() -> None:
    canvas = LatentGrid(1, *SIZE)
    terms = [
        LossTerm(gaussian(torch.zeros(1, 1, *SIZE)), lambda shown, _: shown, SIGNALS, 0.0),
        LossTerm(gaussian(torch.ones(1, 1, *SIZE)), lambda shown, _: shown, SIGNALS, 1.0, first=3),
    ]
    optimiser = torch.optim.AdamW(canvas.parameters(), 0.05, weight_decay=0)
    moved = []
    for _ in distil(canvas, optimiser, terms, DistillationConfig(iterations=5), Draws.seeded(0)):
        moved.append(bool(canvas.latents.any()))
    assert moved == [False, False, False, True, True]


def term(**more: object) -> LossTerm:
    return LossTerm(gaussian(torch.zeros(1)), lambda shown, _: shown, SIGNALS, 1.0, **more)


def timesteps(config: DistillationConfig, of: LossTerm, count: int) -> list[int]:
    return [int(config.timestep(i, of, 1, Draws.seeded(i))) for i in range(count)]


def test_timesteps_are_within_their_shares() -> None:
    drawn = timesteps(DistillationConfig(), term(), 2000)
    assert min(drawn) >= 20 and max(drawn) <= 980 and min(drawn) < 30 and max(drawn) > 970
    assert DistillationConfig().timestep_range(term()) == (20, 980)
    own = timesteps(DistillationConfig(), term(lowest=0.5, highest=0.6), 500)
    assert min(own) >= 500 and max(own) <= 600 and min(own) < 510 and max(own) > 590
    fall = timesteps(DistillationConfig(iterations=7, annealed=True, highest=1.0), term(), 7)
    assert fall[0] == 999 and fall[-1] == 20 and all(a > b for a, b in pairwise(fall))


def test_separate_timesteps_equal_one_item_at_a_time() -> None:
    """The loss of a batch whose items have their own timesteps is the mean of the items' losses."""
    shown, config = torch.randn(3, 1, *SIZE, generator=seeded(0)), DistillationConfig()
    kind = LossTerm(Guided(bent(0.5), bent(0.2), 3.0), lambda x, _: x, SIGNALS, 1.0, separate_timesteps=True)
    whole = loss_of(kind, shown, config, 0, Draws.seeded(4))
    drawn = Draws.seeded(4)
    at = drawn.integers("", 20, 980, (3,))
    noise = drawn.normal("", shown.shape)
    assert len(set(at.tolist())) == 3
    parts = [
        surrogate(x, gradient(kind.denoiser, x, e, t, SIGNALS[t], config))
        for x, e, t in zip(shown.split(1), noise.split(1), at, strict=True)
    ]
    assert whole == pytest.approx(float(sum(parts)) / 3, rel=1e-5)


def test_crops_are_windows_at_whole_pixels_everywhere() -> None:
    columns = torch.arange(64.0).expand(1, 1, 16, 64).clone().requires_grad_()
    crops = random_crops(columns, 200, (16, 16), (16, 16), Draws.seeded(0))
    assert crops.shape == (200, 1, 16, 16)
    lefts = crops[:, 0, 0, 0].detach()
    assert torch.equal(crops[:, 0], (lefts[:, None, None] + torch.arange(16.0)).expand(-1, 16, -1))
    assert lefts.min() == 0 and lefts.max() == 48
    crops.sum().backward()
    assert columns.grad.sum() == crops.numel()


def test_published_windows_have_768_offsets_and_64_pixels() -> None:
    """256 x 256 windows of 256 x 1024, each with its own left edge in 0 ... 768, resized to 64 x 64."""
    columns = torch.arange(1024.0).expand(1, 1, 256, 1024)
    crops = random_crops(columns, 4000, (256, 256), (64, 64), Draws.seeded(1))
    assert crops.shape == (4000, 1, 64, 64)
    # without antialiasing, pixel 0 of 64 is the mean of pixels 1 and 2 of 256
    lefts = (crops[:, 0, 0, 0] - 1.5).round().int()
    assert torch.allclose(crops[:, 0, 0, 0] - 1.5, lefts.float(), atol=1e-3)
    assert lefts.min() == 0 and lefts.max() == 768
    assert lefts.float().mean() == pytest.approx(384, abs=12)
