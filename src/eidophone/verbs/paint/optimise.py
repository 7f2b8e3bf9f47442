"""Direct sound optimization (Images from In-the-wild Sounds, ICCV 2023, section 3.4).

A picture is sampled again and again from the same noise, with gradients. Between two pictures the weights of
the caption's tokens move, so that the picture fits the caption and the sound. As published, gradients flow
through all steps and the last of ten pictures counts. That takes hours and gigabytes; `Plan` can reduce it.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from eidophone.diffusion.draws import Draws
from eidophone.diffusion.guidance import Denoiser, SideBySide
from eidophone.diffusion.sampler import State, make_scheduler, sampling_steps, step_count
from eidophone.models.embedders.contract import Embedder
from eidophone.models.latent import LatentModel
from eidophone.options.samplers import Sampler
from eidophone.verbs.paint.layout import Layout
from eidophone.verbs.paint.plays import Plays

_SOUND_SHARE = 0.9
_PERCENT = 0.01
#: Weight of the term that keeps what a picture plays like the recording.
_PLAYS_SHARE = 1.0
#: A smaller decrease of the loss does not count as progress.
_STANDSTILL = 1e-4


@dataclass(frozen=True)
class Plan:
    """How the weights are optimised; the defaults are the publication's.

    Attributes:
        trials: Number of pictures; the first has the initial weights. 1 optimises nothing.
        noun_rate, other_rate: Learning rates (Adam) for the tokens of nouns and for all others.
        condition_share: Factor of the loss's first term, the squared change of the text condition.
        gradient_steps: Gradients flow through this many last steps of the sampler; None: through all.
        checkpointed: Gradient checkpointing: less memory, more time.
        patience: Stop after this many pictures in a row without progress; None: never.
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
    """What is sampled: one picture from one start noise and one condition.

    Attributes:
        model: The image model.
        condition, unwanted: Encoded prompts, (1, tokens, width).
        guidance: Classifier-free guidance scale.
        noise: Start noise, (1, channels, rows, columns).
        sampler, steps: Name of the sampler and number of steps.
        eta: Of DDIM: 0 is deterministic, 1 adds as much noise as DDPM.
        draws: Random numbers for the noise that DDIM adds; every picture gets the same.
        layout: Of several drawings, whose conditions follow one another in `condition`; the noise holds them side
            by side as they are drawn. None: one drawing.
    """

    model: LatentModel
    condition: Tensor
    unwanted: Tensor
    guidance: float
    noise: Tensor
    sampler: Sampler
    steps: int
    eta: float = 0.0
    draws: Draws | None = None
    layout: Layout | None = None

    def added_noise(self, scheduler: Any) -> dict[str, Any]:
        """Arguments of the scheduler's steps, where they add noise; a fresh generator, in the same state each time."""
        some = self.eta > 0 and self.sampler == "ddim"
        if self.draws is None or not (some or getattr(scheduler, "ADDS_NOISE", False)):
            return {}
        generator = torch.Generator()
        generator.set_state(self.draws.generator.get_state())
        return {"generator": generator} | ({"eta": self.eta} if some else {})


@dataclass(frozen=True)
class Aim:
    """What the picture should fit.

    Attributes:
        listener: Embeds the picture for the comparison with the sound.
        sound: Unit vector of the sound, (1, dimensions).
        reader: Embeds the picture for the comparison with the caption.
        text: Unit vector of the caption, (1, dimensions).
        plays: The recording that the picture has to play like, if it plays.
    """

    listener: Embedder
    sound: Tensor
    reader: Embedder
    text: Tensor
    plays: Plays | None = None


@dataclass(frozen=True)
class Trial:
    """One sampled picture.

    Attributes:
        picture: (3, height, width) in [0, 1], on the CPU.
        weights: One per token, (tokens,), or one per token and channel of the condition, (tokens, width).
        loss: As published; lower is better.
        to_sound, to_text: Cosines of the picture with sound and caption.
        to_recording: Cosine of what the picture plays with the recording; None if it does not play.
    """

    picture: Tensor
    weights: Tensor
    loss: float
    to_sound: float
    to_text: float
    to_recording: float | None = None


def _unseen(_: State) -> None:
    """Nobody looks at the states of the sampler."""


def optimise(
    scene: Scene,
    aim: Aim,
    plan: Plan,
    weights: Tensor,
    nouns: Tensor,
    watch: Callable[[int], None],
    look: Callable[[State], None] = _unseen,
) -> Iterator[Trial]:
    """Samples a picture and updates the weights, in turn; yields every picture.

    Args:
        scene: What is sampled.
        aim: What the pictures should fit.
        plan: How the weights are optimised.
        weights: Initial weights, (tokens,) or (tokens, width); so many numbers are optimised.
        nouns: Which tokens belong to nouns, bool, (tokens,).
        watch: Called with the number of sampling steps over all pictures.
        look: Called with each state of the sampler, without gradients, for previews.
    """
    groups = [weights[mask].detach().clone().requires_grad_() for mask in (nouns, ~nouns)]
    rates = (plan.noun_rate, plan.other_rate)
    optimiser = torch.optim.Adam([{"params": [g], "lr": r} for g, r in zip(groups, rates, strict=True)])
    best, waited, steps = math.inf, 0, steps_of(scene)
    for number in range(plan.trials):
        last = number + 1 == plan.trials
        with torch.set_grad_enabled(not last):
            current = _joined(groups, nouns)
            picture = sample(scene, current, plan, partial(_report, watch, number * steps), look)
            change = change_of(scene.condition, current) * plan.condition_share
            loss, to_sound, to_text = loss_of(picture, change, aim)
            to_recording = None
            if aim.plays is not None:
                played = aim.plays.similarity(aim.plays.canvas(picture))
                loss, to_recording = loss + _PLAYS_SHARE * (1 - played), played.item()
        yield Trial(picture[0].detach(), current.detach(), loss.item(), to_sound, to_text, to_recording)
        waited = 0 if loss.item() < best - _STANDSTILL else waited + 1
        best = min(best, loss.item())
        if last or (plan.patience is not None and waited >= plan.patience):
            return
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        del picture, loss, change, current  # frees this picture's graph before the next one is built


def steps_of(scene: Scene) -> int:
    """The number of sampling steps of one picture."""
    return step_count(make_scheduler(scene.sampler, scene.model.schedule, scene.steps))


def _report(watch: Callable[[int], None], before: int, done: int) -> None:
    watch(before + done)


def _joined(groups: list[Tensor], nouns: Tensor) -> Tensor:
    """The weights of nouns and others in the order of the tokens: (tokens,) or (tokens, width)."""
    joined = torch.zeros((len(nouns), *groups[0].shape[1:]), dtype=groups[0].dtype, device=groups[0].device)
    return joined.index_put((nouns,), groups[0]).index_put((~nouns,), groups[1])


def sample(
    scene: Scene,
    weights: Tensor,
    plan: Plan,
    watch: Callable[[int], None],
    look: Callable[[State], None] = _unseen,
) -> Tensor:
    """One picture, (1, 3, height, width) in [0, 1], differentiable through the plan's last steps."""
    model = scene.model
    condition = weighted(scene.condition, weights.to(scene.condition))
    denoiser = _denoiser(scene, condition)
    if plan.checkpointed:
        denoiser = _Checkpointed(denoiser)
    scheduler = make_scheduler(scene.sampler, model.schedule, scene.steps)
    states = sampling_steps(denoiser, scene.noise, scheduler, **scene.added_noise(scheduler))
    count = len(scheduler.timesteps)
    first = 0 if plan.gradient_steps is None else count - plan.gradient_steps
    latents = scene.noise
    for number in range(count):
        with torch.set_grad_enabled(torch.is_grad_enabled() and number >= first):
            state = next(states)
        latents = state.latents
        with torch.no_grad():
            look(state)
        watch(state.step)
    if plan.checkpointed and latents.requires_grad:
        decoded: Tensor = checkpoint(model.decode, latents, use_reentrant=False)
    else:
        decoded = model.decode(latents)
    return scene.layout.together(decoded) if scene.layout else decoded


def _denoiser(scene: Scene, condition: Tensor) -> Denoiser:
    model, layout = scene.model, scene.layout
    if layout is None:
        return model.guided(condition, scene.unwanted, scene.guidance)
    parts = condition.chunk(len(layout.drawn), 1)
    columns = tuple(wide // model.vae_scale_factor for wide in layout.drawn)
    drawings: list[Denoiser] = [model.guided(part, scene.unwanted, scene.guidance) for part in parts]
    return SideBySide(tuple(drawings), columns)


@dataclass(frozen=True)
class _Checkpointed:
    """A denoiser that is computed again in the backward pass, instead of keeping its activations."""

    inner: Denoiser

    def __call__(self, latents: Tensor, timestep: Tensor) -> Tensor:
        """See `Denoiser`."""
        if not torch.is_grad_enabled():
            return self.inner(latents, timestep)
        found: Any = checkpoint(self.inner, latents, timestep, use_reentrant=False)
        predicted: Tensor = found
        return predicted


def change_of(condition: Tensor, weights: Tensor) -> Tensor:
    """The squared difference between the condition and the weighted condition, summed over all numbers.

    The weighted condition is taken after its mean was restored, as the U-Net sees it.
    """
    plain = condition.float()  # half precision would overflow
    return (plain - weighted(plain, weights.to(plain))).square().sum()


def loss_of(picture: Tensor, change: Tensor, aim: Aim) -> tuple[Tensor, float, float]:
    """The published loss of a picture, and its cosines with sound and caption.

    The sum of three terms: `change` (already scaled), half the squared angle to the caption, and 0.9 x (1 -
    0.01 x logit), where the logit is the scaled cosine with the sound.
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
    """The trial with the lowest loss among those at least as similar to the sound as the first trial.

    The loss alone might improve the caption at the expense of the sound. Of equals, the first.
    """
    faithful = [i for i, trial in enumerate(trials) if trial.to_sound >= trials[0].to_sound]
    return min(faithful, key=lambda i: trials[i].loss)


#: A mean below this share of the standard deviation is treated as 0.
_NO_MEAN = 0.005


def weighted(condition: Tensor, weights: Tensor) -> Tensor:
    """The condition times the weights, scaled so that its mean stays that of the condition.

    Some text encoders end in a normalisation without bias, so their mean is 0 and the quotient of two means
    would be arbitrary; for those, the mean square stays instead.

    Args:
        condition: (batch, tokens, width).
        weights: (tokens,) or (tokens, width).

    Returns:
        As `condition`.
    """
    raised = condition * (weights[:, None] if weights.ndim == 1 else weights)
    if condition.mean().abs() < _NO_MEAN * condition.std():
        return raised * (condition.square().mean() / raised.square().mean()).sqrt()
    return raised * (condition.mean() / raised.mean())
