"""Score distillation (Poole et al., 2022, arXiv:2209.14988): diffusion models optimise a canvas.

Nothing is sampled. Each model sees the canvas with noise added and predicts that noise; the canvas moves
against the difference. Gradients flow through the canvas and its projections, never through a U-Net.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from eidophone.diffusion.draws import Draws
from eidophone.diffusion.guidance import Guided
from eidophone.diffusion.sampler import noised
from eidophone.options.kinds import Weighting

#: How a model sees a canvas: (what the canvas shows, draws) -> a batch in the model's coordinates.
Projection = Callable[[Tensor, Draws], Tensor]


@dataclass(frozen=True)
class LossTerm:
    """One term of the distillation loss.

    Attributes:
        denoiser: With its prompts bound.
        projection: How it sees the canvas; differentiable. The first dimension of the result is a batch.
        alphas_cumprod: Cumulative products of alphas of its noise schedule, (timesteps,).
        weight: Factor of its loss.
        first: Iterations before the term is on.
        name: In the names of what it draws.
        lowest, highest: Its timestep range, as shares of the noise schedule; None: that of the configuration.
        separate_timesteps: Each item of the batch has its own timestep; otherwise they share one.
    """

    denoiser: Guided
    projection: Projection
    alphas_cumprod: Tensor
    weight: float
    first: int = 0
    name: str = "model"
    lowest: float | None = None
    highest: float | None = None
    separate_timesteps: bool = False


@dataclass(frozen=True)
class DistillationConfig:
    """How a canvas is optimised; the defaults are those of Images that Sound.

    Attributes:
        iterations: In all.
        highest, lowest: The timestep range, as shares of the noise schedule, both ends included.
        annealed: Timesteps fall evenly from the highest to the lowest over the iterations (Huang et al.,
            2023, arXiv:2306.12422); otherwise they are drawn uniformly.
        weighting: w(t): "variance" is 1 - a; "clean" is sqrt((1 - a) / a), which makes the gradient the
            distance to the model's estimate of the clean canvas. a is the cumulative product of alphas.
        noise_share: Weight of the gradient's second part. Its two parts are guidance, and the unconditional
            prediction minus the noise. 1 is score distillation, 0 is classifier score distillation (Yu et
            al., 2023, arXiv:2310.19415).
    """

    iterations: int = 40_000
    highest: float = 0.98
    lowest: float = 0.02
    annealed: bool = False
    weighting: Weighting = "variance"
    noise_share: float = 1.0

    def timestep(self, number: int, term: LossTerm, batch: int, draws: Draws) -> Tensor:
        """The timesteps of a term in iteration `number` (from 0): shape (), or (batch,) if separate."""
        lowest, highest = self.timestep_range(term)
        if self.annealed:
            left = 1 - number / max(1, self.iterations - 1)
            return torch.tensor(round(lowest + left * (highest - lowest)))
        shape = (batch,) if term.separate_timesteps else ()
        return draws.integers(f"{term.name} timestep", lowest, highest, shape)

    def timestep_range(self, term: LossTerm) -> tuple[int, int]:
        """The lowest and the highest timestep of a term, both included."""
        count = len(term.alphas_cumprod)
        shares = (
            self.lowest if term.lowest is None else term.lowest,
            self.highest if term.highest is None else term.highest,
        )
        lowest, highest = (min(int(share * count), count - 1) for share in shares)
        return lowest, highest

    def weight(self, alpha: Tensor) -> Tensor:
        """w of a timestep with this cumulative product of alphas."""
        return 1 - alpha if self.weighting == "variance" else ((1 - alpha) / alpha).sqrt()


def gradient(
    denoiser: Guided, seen: Tensor, noise: Tensor, timestep: Tensor, alpha: Tensor, config: DistillationConfig
) -> Tensor:
    """w(t) (guided noise - noise) for what a model sees; NaN becomes 0. Computed without gradients.

    Args:
        denoiser: With its prompts bound.
        seen: What the model sees of the canvas, (batch, *).
        noise: Unit normal, as `seen`.
        timestep: (), for the whole batch.
        alpha: Cumulative product of alphas at the timestep, ().
        config: Weighting, and the share of the noise.
    """
    with torch.no_grad():
        noisy = noised(seen, noise, alpha)
        if config.noise_share == 1:
            surplus = denoiser(noisy, timestep) - noise
        else:
            unwanted, wanted = denoiser.answers(noisy, timestep)
            surplus = denoiser.scale * (wanted - unwanted) + config.noise_share * (unwanted - noise)
        return (config.weight(alpha) * surplus).nan_to_num(0, 0, 0)


def surrogate(seen: Tensor, push: Tensor) -> Tensor:
    """A loss, (), whose gradient for `seen` is `push`, divided by the batch size."""
    return 0.5 * (seen - (seen - push).detach()).square().sum() / len(seen)


def distil(
    canvas: nn.Module,
    optimiser: torch.optim.Optimizer,
    terms: Sequence[LossTerm],
    config: DistillationConfig,
    draws: Draws,
    done: int = 0,
) -> Iterator[int]:
    """Optimises a canvas; yields the number of finished iterations after each.

    The state of `canvas`, `optimiser` and `draws` is all that later iterations depend on.

    Args:
        canvas: Draws a picture or latents without any input; see `diffusion.representation`.
        optimiser: Of its parameters.
        terms: At least one is on from the first iteration.
        config: Timesteps and weighting.
        draws: Gives "NAME timestep" and "NAME noise" of each term, and what the projections draw.
        done: Iterations that were finished before.
    """
    for number in range(done, config.iterations):
        optimiser.zero_grad()
        shown = canvas()
        losses = [
            term.weight * loss_of(term, shown, config, number, draws).to(shown.device)
            for term in terms
            if term.first <= number
        ]
        torch.autograd.backward(sum(losses[1:], start=losses[0]))
        optimiser.step()
        yield number + 1


def loss_of(term: LossTerm, shown: Tensor, config: DistillationConfig, number: int, draws: Draws) -> Tensor:
    """The loss of one term, (), before its weight.

    Args:
        term: The model.
        shown: What the canvas shows.
        config: Timesteps and weighting.
        number: Of the iteration, from 0.
        draws: See `distil`.
    """
    seen = term.projection(shown, draws)
    timesteps = config.timestep(number, term, len(seen), draws)
    noise = draws.normal(f"{term.name} noise", seen.shape).to(seen)
    if not timesteps.ndim:
        return surrogate(seen, _push(term, seen, noise, timesteps, config))
    parts = zip(torch.split(seen, 1), torch.split(noise, 1), timesteps, strict=True)
    return surrogate(seen, torch.cat([_push(term, one, its, at, config) for one, its, at in parts]))


def _push(
    term: LossTerm, seen: Tensor, noise: Tensor, timestep: Tensor, config: DistillationConfig
) -> Tensor:
    alpha = term.alphas_cumprod[timestep].to(seen)
    return gradient(term.denoiser, seen, noise, timestep.to(seen.device), alpha, config)
