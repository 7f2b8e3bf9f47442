"""Score distillation (Poole et al., 2022, arXiv:2209.14988): a canvas follows what denoisers prefer.

Nothing is sampled. What a canvas shows is noised, denoisers say what noise they see in it, and the canvas
moves against the difference; gradients flow through the canvas and its lenses, never through a denoiser.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from eidophone.diffusion.guidance import Guided
from eidophone.diffusion.sampler import noised
from eidophone.options.kinds import Weighting

#: How a denoiser looks at a canvas: what the canvas shows, in the denoiser's coordinates, with gradients.
Projection = Callable[[Tensor, torch.Generator], Tensor]


@dataclass(frozen=True)
class LossTerm:
    """A denoiser that has a say.

    Attributes:
        denoiser: Its prompts bound.
        lens: How it sees the canvas; the result's first dimension is a batch that shares one timestep.
        alphas_cumprod: Cumulative products of alphas of its schedule, (timesteps,).
        weight: Of its loss.
        first: Iterations before it is heard.
    """

    denoiser: Guided
    lens: Projection
    alphas_cumprod: Tensor
    weight: float
    first: int = 0


@dataclass(frozen=True)
class DistillationConfig:
    """How a canvas follows; the defaults are those of Images that Sound.

    Attributes:
        iterations: In all.
        highest, lowest: Between which shares of the schedule timesteps lie.
        annealed: Timesteps fall evenly from the highest to the lowest over the iterations (Huang et al.,
            2023, arXiv:2306.12422); else they are drawn uniformly.
        weighting: w(t): "variance" is 1 - a, "clean" is sqrt((1 - a) / a), which makes the gradient the
            distance to what the denoiser takes for clean; a is the cumulative product of alphas.
        noise_share: Of the gradient's two parts, guidance and what the unguided prediction has against the
            noise, how much of the second counts. 1 is score distillation, 0 is classifier-score distillation
            (Yu et al., 2023, arXiv:2310.19415).
    """

    iterations: int = 40_000
    highest: float = 0.98
    lowest: float = 0.02
    annealed: bool = False
    weighting: Weighting = "variance"
    noise_share: float = 1.0

    def timestep(self, number: int, timesteps: int, generator: torch.Generator) -> Tensor:
        """The timestep, (), of iteration `number` (from 0) of a schedule with so many."""
        highest, lowest = (min(int(x * timesteps), timesteps - 1) for x in (self.highest, self.lowest))
        if self.annealed:
            left = 1 - number / max(1, self.iterations - 1)
            return torch.tensor(round(lowest + left * (highest - lowest)))
        return torch.randint(lowest, highest + 1, (), generator=generator)

    def weight(self, signal: Tensor) -> Tensor:
        """w of a timestep with this cumulative product of alphas."""
        return 1 - signal if self.weighting == "variance" else ((1 - signal) / signal).sqrt()


def gradient(
    denoiser: Guided, seen: Tensor, noise: Tensor, timestep: Tensor, signal: Tensor, rule: DistillationConfig
) -> Tensor:
    """w(t) (guided noise - noise) where a denoiser looks; what is not a number is 0. Without gradients.

    Args:
        denoiser: Its prompts bound.
        seen: What it sees of the canvas, (batch, *).
        noise: Unit normal, as `seen`.
        timestep: (), for the whole batch.
        signal: Cumulative product of alphas there, ().
        rule: Weighting, and the share of the noise.
    """
    with torch.no_grad():
        noisy = noised(seen, noise, signal)
        if rule.noise_share == 1:
            surplus = denoiser(noisy, timestep) - noise
        else:
            unwanted, wanted = denoiser.answers(noisy, timestep)
            surplus = denoiser.scale * (wanted - unwanted) + rule.noise_share * (unwanted - noise)
        return (rule.weight(signal) * surplus).nan_to_num(0, 0, 0)


def surrogate(seen: Tensor, push: Tensor) -> Tensor:
    """A loss, (), whose gradient for `seen` is `push`, over the size of the batch."""
    return 0.5 * (seen - (seen - push).detach()).square().sum() / len(seen)


def distil(
    canvas: nn.Module,
    optimiser: torch.optim.Optimizer,
    voices: Sequence[LossTerm],
    rule: DistillationConfig,
    generator: torch.Generator,
    done: int = 0,
) -> Iterator[int]:
    """Optimises a canvas; yields the number of finished iterations after each.

    Everything that goes on from an iteration is in `canvas`, `optimiser` and `generator`.

    Args:
        canvas: Draws without any input; see `diffusion.representation`.
        optimiser: Of its parameters.
        voices: At least one is heard from the beginning.
        rule: How the canvas follows.
        generator: On the CPU; gives timesteps, noise and what the lenses draw.
        done: Iterations that were done before.
    """
    for number in range(done, rule.iterations):
        optimiser.zero_grad()
        shown = canvas()
        losses = [_loss(voice, shown, rule, number, generator) for voice in voices if voice.first <= number]
        torch.autograd.backward(sum(losses[1:], start=losses[0]))
        optimiser.step()
        yield number + 1


def _loss(
    voice: LossTerm, shown: Tensor, rule: DistillationConfig, number: int, generator: torch.Generator
) -> Tensor:
    seen = voice.lens(shown, generator)
    timestep = rule.timestep(number, len(voice.alphas_cumprod), generator)
    noise = torch.randn(seen.shape, generator=generator).to(seen)
    signal = voice.alphas_cumprod[timestep].to(seen)
    push = gradient(voice.denoiser, seen, noise, timestep.to(seen.device), signal, rule)
    return voice.weight * surrogate(seen, push).to(shown.device)
