"""The one denoising loop, over any of diffusers' schedulers.

It yields a state after every step; progress bars, previews and cancelling belong to
the caller. It never switches gradients off; pipelines do.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from eidophone.core.errors import BadInput
from eidophone.diffusion.guidance import Denoiser, Window
from eidophone.diffusion.lcm import Lcm
from eidophone.diffusion.solvers import Ddim, DpmSolver, Solver, UniPc, cumulative_alphas_of
from eidophone.options.samplers import sampler_spec

# The facts of a training schedule; anything else in a scheduler's config belongs to its sampler.
_SCHEDULE = ("num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "trained_betas")


#: The samplers that are written out, by the names of diffusers' schedulers.
SOLVERS: dict[str, type[Solver]] = {
    "DDIMScheduler": Ddim,
    "DPMSolverMultistepScheduler": DpmSolver,
    "UniPCMultistepScheduler": UniPc,
    "LCMScheduler": Lcm,
}

#: Changes what a step begins with: (latents, timestep) -> latents.
Constraint = Callable[[Tensor, Tensor], Tensor]


def _unchanged(latents: Tensor, _: Tensor) -> Tensor:
    return latents


@dataclass(frozen=True)
class State:
    """Where sampling is after a step.

    Attributes:
        step: Number of finished steps, from 1.
        timestep: The training timestep that this step left.
        latents: Shape (batch, *).
        before: The latents that this step began with.
        predicted: The noise that the denoiser predicted in them.
        alpha: The cumulative product of alphas at `timestep`, shape ().
    """

    step: int
    timestep: Tensor
    latents: Tensor
    before: Tensor
    predicted: Tensor
    alpha: Tensor

    @property
    def clean(self) -> Tensor:
        """The estimate of the clean latents at this step, (batch, *)."""
        noise = self.predicted[:, : self.before.shape[1]]  # a learned variance may follow
        return (self.before - (1 - self.alpha).sqrt() * noise) / self.alpha.sqrt()


def training_schedule(config: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of a schedule that two blended models must share."""
    return {name: config.get(name) for name in _SCHEDULE}


def make_scheduler(
    sampler: str, config: Mapping[str, Any], steps: int, *, learned_variance: bool = False
) -> Any:
    """A scheduler of diffusers with its timesteps set, for a network's training schedule.

    It always reads predictions as noise (epsilon), because denoisers speak of noise.

    Args:
        sampler: A name in `options.samplers`.
        config: A `scheduler_config.json`: its noise schedule, and the keys that the sampler reads.
        steps: Number of steps. PLMS takes ceil(N / (N // steps)) steps of a schedule with N timesteps.
        learned_variance: The denoiser returns a variance behind the noise (twice the channels), which DDPM
            uses for the noise that it adds ("learned_range"). The other samplers add none.

    Raises:
        BadInput: more steps than the schedule has timesteps for.
    """
    spec = sampler_spec(sampler)
    facts = {key: config[key] for key in _SCHEDULE if config.get(key) is not None}
    facts |= {key: config[key] for key in spec.keys if key in config}
    settings = spec.settings
    if learned_variance and sampler == "ddpm":
        settings = settings | {"variance_type": "learned_range"}
    scheduler = _scheduler(spec.scheduler, facts, settings)
    scheduler.set_timesteps(steps)
    if sampler == "plms":
        _use_published_timesteps(scheduler, steps)
    times = scheduler.timesteps
    trained = scheduler.config.num_train_timesteps
    if len(times.unique()) < steps or times.max() >= trained or (sampler == "plms" and 2 * steps > trained):
        most = getattr(scheduler, "most_steps", trained // 2)
        raise BadInput(f"--steps {steps}: too many for this model's schedule; give at most {most}.")
    return scheduler


def _scheduler(name: str, facts: dict[str, Any], settings: dict[str, Any]) -> Any:
    """One of ours where it does all that is asked for, else diffusers' own; both take the same steps."""
    if name in SOLVERS and not facts.get("thresholding"):
        return SOLVERS[name](facts)
    import diffusers

    return getattr(diffusers, name)(**facts, **settings, prediction_type="epsilon")


def _use_published_timesteps(scheduler: Any, steps: int) -> None:
    """Gives diffusers' PLMS the timesteps of the original one: range(0, N, N // steps) + 1, downwards.

    Where `steps` does not divide N, these are more than `steps`, and diffusers leaves out the highest. A
    timestep N, which the schedule does not have, is left out here (the original fails on it, as at 9 steps).
    """
    trained, offset = scheduler.config.num_train_timesteps, scheduler.config.steps_offset
    times = torch.arange(0, trained - offset, max(1, trained // steps)).flip(0) + offset
    scheduler.timesteps = torch.cat([times[:1], times[1:2], times[1:]])  # the second is asked for twice


def step_count(scheduler: Any) -> int:
    """The number of steps that sampling with this scheduler takes."""
    return len(scheduler.timesteps.unique_consecutive())


def window_from_steps(scheduler: Any, first: int, beyond: int | None = None) -> Window:
    """The window of steps first, first + 1, ..., beyond - 1 (to the end if None) of sampling.

    >>> window_from_steps(make_scheduler("ddim", {}, 10), 10).covers(0)
    False
    """
    times = scheduler.timesteps.unique_consecutive()
    inside = times[first : len(times) if beyond is None else beyond]
    if not len(inside):
        return Window(highest=-1, lowest=-1)
    return Window(highest=float(inside[0]), lowest=float(inside[-1]))


def sampling_steps(
    denoiser: Denoiser,
    noise: Tensor,
    scheduler: Any,
    done: int = 0,
    held: Constraint = _unchanged,
    **more: Any,
) -> Iterator[State]:
    """Takes unit noise down the noise schedule; yields the state after every step.

    Args:
        denoiser: Predicts the noise.
        noise: Unit normal, shape (batch, *); with `done`, the latents that sampling had left off with.
        scheduler: From `make_scheduler`, fresh, or as that sampling left it: multistep solvers remember
            their last steps.
        done: States that were yielded before.
        held: Changes what a step begins with, (latents, timestep) -> latents.
        more: Further arguments of the scheduler's steps, such as the generator of one that adds noise.
    """
    latents = noise if done else noise * scheduler.init_noise_sigma
    _, numbers = scheduler.timesteps.unique_consecutive(return_inverse=True)
    for timestep, number in zip(scheduler.timesteps[done:], numbers[done:].tolist(), strict=True):
        before = held(latents, timestep)
        predicted = denoiser(scheduler.scale_model_input(before, timestep), timestep)
        latents = scheduler.step(predicted, timestep, before, return_dict=False, **more)[0]
        alpha = scheduler.alphas_cumprod[int(timestep)].to(latents)
        yield State(number + 1, timestep, latents, before, predicted, alpha)


def noised(clean: Tensor, noise: Tensor, signal: Tensor) -> Tensor:
    """Clean latents with noise: sqrt(a) clean + sqrt(1 - a) noise.

    Args:
        clean: Latents.
        noise: Unit normal, of their shape.
        signal: a, the cumulative product of alphas at a timestep, shape ().
    """
    return signal.sqrt() * clean + (1 - signal).sqrt() * noise


def noise_from_velocity(velocity: Tensor, latents: Tensor, signal: Tensor) -> Tensor:
    """Translates a v-prediction into noise (Salimans and Ho, 2022): sqrt(a) v + sqrt(1 - a) x.

    Args:
        velocity: Predicted v = sqrt(a) noise - sqrt(1 - a) clean.
        latents: The noisy x = sqrt(a) clean + sqrt(1 - a) noise.
        signal: a, the cumulative product of alphas at this timestep, shape ().
    """
    return signal.sqrt() * velocity + (1 - signal).sqrt() * latents


def cumulative_alphas(config: Mapping[str, Any]) -> Tensor:
    """The cumulative product of alphas of a schedule, shape (num_train_timesteps,), falling."""
    return cumulative_alphas_of({key: config[key] for key in _SCHEDULE if config.get(key) is not None})
