"""Direct sound optimisation (Images from In-the-wild Sounds, ICCV 2023, section 3.4): token weights that fit.

A picture is sampled again and again from one noise, with gradients; between two samplings the weights of the
caption's tokens move so that the picture fits the caption and the sound. Published: gradients through all
steps, ten pictures, the last one counts. That costs hours and gigabytes, so `Plan` can cut each of it."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from eidophone.diffusion.guidance import Denoiser
from eidophone.diffusion.sampler import make_scheduler, sampling_steps
from eidophone.models.embedders.contract import Embedder
from eidophone.models.latent import LatentModel
from eidophone.options.samplers import Sampler

_SOUND_SHARE = 0.9
_PERCENT = 0.01
#: A loss that falls by less has not fallen.
_STANDSTILL = 1e-4


@dataclass(frozen=True)
class Plan:
    """How the weights are optimised; the defaults are the publication's.

    Attributes:
        trials: Pictures that are sampled, the first from the weights as they were given. 1 optimises nothing.
        noun_rate, other_rate: Learning rates (Adam) of the nouns' tokens and of all others.
        condition_share: Of the loss's first term, which holds the condition where the plain caption has it.
        gradient_steps: Gradients flow through this many last steps of the sampler; None: through all.
        checkpointed: Compute every step twice and keep nothing of it between: less memory, more time.
        patience: Stop after so many trials in a row that are no better; None: never.
    """

    trials: int = 10
    noun_rate: float = 0.01
    other_rate: float = 0.01
    condition_share: float = 0.01
    gradient_steps: int | None = None
    checkpointed: bool = False
    patience: int | None = None


@dataclass(frozen=True)
class Scene:
    """What is sampled: one picture of one noise under one condition.

    Attributes:
        model: Draws.
        condition, unwanted: Encoded prompts, (1, tokens, width).
        guidance: Scale.
        noise: Start, (1, channels, rows, columns).
        sampler, steps: How the ladder is walked.
    """

    model: LatentModel
    condition: Tensor
    unwanted: Tensor
    guidance: float
    noise: Tensor
    sampler: Sampler
    steps: int


@dataclass(frozen=True)
class Aim:
    """What the picture should fit.

    Attributes:
        listener: Embeds the picture for the comparison with the sound.
        sound: Unit vector of the sound, (1, dimensions).
        reader: Embeds the picture for the comparison with the caption.
        text: Unit vector of the caption, (1, dimensions).
    """

    listener: Embedder
    sound: Tensor
    reader: Embedder
    text: Tensor


@dataclass(frozen=True)
class Trial:
    """One sampled picture.

    Attributes:
        picture: (3, height, width) in [0, 1], on the CPU.
        weights: Of the tokens, (tokens,).
        loss: As published; lower is better.
        to_sound, to_text: Cosines of the picture with sound and caption.
    """

    picture: Tensor
    weights: Tensor
    loss: float
    to_sound: float
    to_text: float


def optimise(
    scene: Scene, aim: Aim, plan: Plan, weights: Tensor, nouns: Tensor, watch: Callable[[int], None]
) -> Iterator[Trial]:
    """Samples and improves in turn; yields every picture.

    Args:
        weights: Where the tokens' weights begin, (tokens,).
        nouns: Which tokens belong to nouns, bool, (tokens,).
        watch: Told how many steps of the sampler are done, over all trials.
    """
    groups = [weights[mask].detach().clone().requires_grad_() for mask in (nouns, ~nouns)]
    rates = (plan.noun_rate, plan.other_rate)
    optimiser = torch.optim.Adam([{"params": [g], "lr": r} for g, r in zip(groups, rates, strict=True)])
    best, waited = math.inf, 0
    for number in range(plan.trials):
        last = number + 1 == plan.trials
        with torch.set_grad_enabled(not last):
            current = _joined(groups, nouns)
            picture = sample(scene, current, plan, partial(_tell, watch, number * scene.steps))
            loss, to_sound, to_text = loss_of(
                picture, change_of(scene.condition, current) * plan.condition_share, aim
            )
        yield Trial(picture[0].detach(), current.detach(), loss.item(), to_sound, to_text)
        waited = 0 if loss.item() < best - _STANDSTILL else waited + 1
        best = min(best, loss.item())
        if last or (plan.patience is not None and waited >= plan.patience):
            return
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        del picture, loss, current  # nothing of this trial's graph may live on beside the next


def _tell(watch: Callable[[int], None], before: int, done: int) -> None:
    watch(before + done)


def _joined(groups: list[Tensor], nouns: Tensor) -> Tensor:
    """The two groups as one row of weights, (tokens,)."""
    joined = torch.empty(len(nouns), dtype=groups[0].dtype, device=groups[0].device)
    return joined.masked_scatter(nouns, groups[0]).masked_scatter(~nouns, groups[1])


def sample(scene: Scene, weights: Tensor, plan: Plan, watch: Callable[[int], None]) -> Tensor:
    """One picture, (1, 3, height, width), with gradients for the weights through the plan's last steps."""
    model = scene.model
    condition = weighted(scene.condition, weights.to(scene.condition))
    denoiser: Denoiser = model.guided(condition, scene.unwanted, scene.guidance)
    if plan.checkpointed:
        denoiser = _Checkpointed(denoiser)
    scheduler = make_scheduler(scene.sampler, model.schedule, scene.steps)
    states = sampling_steps(denoiser, scene.noise, scheduler)
    count = len(scheduler.timesteps)
    first = 0 if plan.gradient_steps is None else count - plan.gradient_steps
    latents = scene.noise
    for number in range(count):
        with torch.set_grad_enabled(torch.is_grad_enabled() and number >= first):
            state = next(states)
        latents = state.latents
        watch(state.step)
    if plan.checkpointed and latents.requires_grad:
        decoded: Tensor = checkpoint(model.decode, latents, use_reentrant=False)
        return decoded
    return model.decode(latents)


@dataclass(frozen=True)
class _Checkpointed:
    """A denoiser that is computed again on the way back instead of being remembered."""

    inner: Denoiser

    def __call__(self, latents: Tensor, timestep: Tensor) -> Tensor:
        """See `Denoiser`."""
        if not torch.is_grad_enabled():
            return self.inner(latents, timestep)
        found: Any = checkpoint(self.inner, latents, timestep, use_reentrant=False)
        predicted: Tensor = found
        return predicted


def change_of(condition: Tensor, weights: Tensor) -> Tensor:
    """The square of what the weights change of the condition, summed over all tokens and numbers."""
    plain = condition.float()  # half precision would overflow
    return (plain - plain * weights.to(plain)[:, None]).square().sum()


def loss_of(picture: Tensor, change: Tensor, aim: Aim) -> tuple[Tensor, float, float]:
    """The published loss of a picture, and its cosines with sound and caption.

    `change` (its share of the loss already taken), plus the squared angle to the caption, plus 0.9 of what
    the sound's similarity lacks to 100 percent.
    """
    seen = aim.listener.picture(picture)
    to_sound = (seen * aim.sound).sum()
    read = seen if aim.reader is aim.listener else aim.reader.picture(picture)
    to_text = (read * aim.text).sum()
    missing = 1 - _PERCENT * aim.listener.logit_scale * to_sound
    return change + spherical(to_text) + _SOUND_SHARE * missing, to_sound.item(), to_text.item()


def spherical(cosine: Tensor) -> Tensor:
    """2 arcsin(|u - v| / 2)^2 of unit vectors with this cosine: half the square of the angle between them.

    >>> round(float(spherical(torch.tensor(0.0))), 4)  # a right angle: (pi / 2)^2 / 2
    1.2337
    """
    half_chord = ((1 - cosine).clamp(min=1e-12) / 2).sqrt()
    return 2 * half_chord.clamp(max=1).asin().square()


def best_of(trials: list[Trial]) -> int:
    """Which trial has the lowest loss of those that are no further from the sound than the first.

    The loss alone may trade the sound for the caption. The first of equals.
    """
    faithful = [i for i, trial in enumerate(trials) if trial.to_sound >= trials[0].to_sound]
    return min(faithful, key=lambda i: trials[i].loss)


#: Share of the deviation below which a mean is a remainder.
_NO_MEAN = 0.005


def weighted(condition: Tensor, weights: Tensor) -> Tensor:
    """Each token's numbers times its weight, then scaled so that the mean stays that of the condition.

    Some text encoders end in a normalisation that leaves no mean; a quotient of two remainders would say
    nothing there, so the mean square stays instead.

    Shape:
        - condition: (batch, tokens, width)
        - weights: (tokens,)
        - Output: as `condition`
    """
    raised = condition * weights[:, None]
    if condition.mean().abs() < _NO_MEAN * condition.std():
        return raised * (condition.square().mean() / raised.square().mean()).sqrt()
    return raised * (condition.mean() / raised.mean())
