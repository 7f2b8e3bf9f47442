"""From what a network predicts to noise, with prompts bound and guided."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor

from eidophone.core.errors import BadInput
from eidophone.diffusion.guidance import Guided, Window
from eidophone.diffusion.sampler import cumulative_alphas
from eidophone.models.cards import quoted
from eidophone.models.families import FAMILIES
from eidophone.models.files import DiffusionFiles
from eidophone.models.networks.reuse import Reuse
from eidophone.models.predictions import PREDICTIONS
from eidophone.models.pretrained import running

#: Predicts noise: (noisy, timestep, condition) -> noise.
Asked = Callable[..., Tensor]


class DiffusionModel(Protocol):
    """What all adapters of diffusion models offer: `LatentModel` and `PixelModel`."""

    @property
    def source(self) -> DiffusionFiles:
        """Its files and default settings."""

    @property
    def network(self) -> Any:
        """The denoising network."""

    @property
    def schedule(self) -> Mapping[str, Any]:
        """Its noise schedule, and what the network predicts."""

    @property
    def evaluations(self) -> int:
        """Evaluations of the network so far, per sample (a batch of 4 counts 4)."""

    @property
    def alphas_cumprod(self) -> Tensor:
        """Cumulative products of alphas of the noise schedule, (timesteps,)."""

    @property
    def device(self) -> torch.device:
        """Where the network is."""

    @property
    def dtype(self) -> torch.dtype:
        """The number format of the network."""


@dataclass(eq=False)
class NoisePredictor:
    """A denoising network that answers with noise, whatever it was trained to predict.

    Attributes:
        source: Its files; they say which family it belongs to.
        network: The network.
        schedule: Its noise schedule, and what it predicts.
        evaluations: Evaluations so far, per sample.
        reuse_steps: Denoisers that are made from now on compute the inner features of the network at every so
            many-th step only; 1 at every step. Networks that cannot do this ignore it.
        alphas_cumprod: Cumulative products of alphas of the schedule, (timesteps,).
    """

    source: DiffusionFiles
    network: Any
    schedule: Mapping[str, Any]
    evaluations: int = 0
    reuse_steps: int = 1
    alphas_cumprod: Tensor = field(init=False)

    def __post_init__(self) -> None:
        kind, name = self.schedule.get("prediction_type", "epsilon"), quoted(self.source.name)
        if kind not in PREDICTIONS:
            raise BadInput(
                f"{name}: its network predicts {kind!r}, which is not supported; supported are "
                f"{', '.join(PREDICTIONS)}."
            )
        if self.schedule.get("rescale_betas_zero_snr"):
            raise BadInput(
                f"{name}: its noise schedule ends in pure noise (zero terminal SNR), where a noise prediction "
                "says nothing about the picture; use a model with a plain schedule."
            )
        self._prediction = PREDICTIONS[kind]
        self._ask = FAMILIES[self.source.family].ask
        self.alphas_cumprod = cumulative_alphas(self.schedule).to(self.device)

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        found: torch.device = self.network.device
        return found

    @property
    def dtype(self) -> torch.dtype:
        """The number format of the network."""
        found: torch.dtype = self.network.dtype
        return found

    def reuse(self) -> Reuse | None:
        """A fresh memory for the inner features of one denoiser; None where all are computed at every step."""
        return (
            Reuse(self.reuse_steps)
            if self.reuse_steps > 1 and getattr(self.network, "REUSES", False)
            else None
        )

    def __call__(
        self,
        noisy: Tensor,
        timestep: Tensor,
        condition: Tensor,
        seen: Tensor | None = None,
        *,
        variance: bool = False,
        **more: Any,
    ) -> Tensor:
        """The noise in `noisy`; in its format and on its device.

        Args:
            noisy: Shape (batch, channels, rows, columns).
            timestep: Shape ().
            condition: (1, tokens, width) for all of them, or (batch, tokens, width).
            seen: Channels that the network sees beside the noisy ones.
            variance: Keep the learned variance, in further channels behind the noise.
            more: Further inputs of the network.
        """
        batch, channels = noisy.shape[:2]
        self.evaluations += batch
        condition = condition.to(self.device, self.dtype).expand(batch, -1, -1)
        timestep = timestep.to(self.device)
        alpha = self.alphas_cumprod[timestep.long()].to(noisy)
        given, at = self._prediction.given(noisy, timestep, alpha)
        given = given if seen is None else torch.cat([given, seen.to(given)], 1)
        with running(f"{quoted(self.source.name)}: its denoising network"):
            answer = self._ask(self.network, given.to(self.device, self.dtype), at, condition, **more)
        noise, learned = answer[:, :channels].to(noisy), answer[:, channels:].to(noisy)
        noise = self._prediction.noise(noise, noisy, alpha)
        return torch.cat([noise, learned], 1) if variance else noise


@dataclass(frozen=True)
class Conditioned:
    """A model with one prompt bound: a `Denoiser`."""

    noise_of: Asked
    condition: Tensor
    reuse: Reuse | None = None

    def __call__(self, latents: Tensor, timestep: Tensor) -> Tensor:
        """See `Denoiser`."""
        more = {} if self.reuse is None else {"reuse": self.reuse}
        return self.noise_of(latents, timestep, self.condition, **more)


def guided_by(
    noise_of: Asked,
    wanted: Tensor,
    unwanted: Tensor,
    scale: float,
    window: Window | None = None,
    fresh: Callable[[], Reuse | None] = lambda: None,
) -> Guided:
    """A denoiser with its prompts bound, which evaluates both in one call where that is faster.

    Args:
        noise_of: Predicts noise.
        wanted, unwanted: Conditions, (1 or batch, tokens, width).
        scale: Of the guidance.
        window: When it is guided; None: always.
        fresh: Makes a memory for inner features.
    """
    together = fresh()

    def both(noisy: Tensor, timestep: Tensor) -> tuple[Tensor, Tensor]:
        count = len(noisy)
        conditions = torch.cat([prompt.expand(count, -1, -1) for prompt in (unwanted, wanted)])
        asked = Conditioned(noise_of, conditions, together)
        without, with_prompt = asked(torch.cat([noisy, noisy]), timestep).chunk(2)
        return without, with_prompt

    with_it, without_it = (Conditioned(noise_of, prompt, fresh()) for prompt in (wanted, unwanted))
    return Guided(with_it, without_it, scale, window or Window(), both)


def check_condition(model: DiffusionModel, width: int) -> None:
    """Refuses a text encoder whose output the network cannot take.

    Args:
        model: The model.
        width: Of the text encoder's output, per token.

    Raises:
        BadInput: the two come from different models.
    """
    taken = FAMILIES[model.source.family].width(model.network.config)
    if taken is not None and taken != width:
        raise BadInput(
            f"{quoted(model.source.name)}: its text encoder gives {width} numbers per token, but its denoising "
            f"network takes {taken}; the two come from different models, so fetch the folder again."
        )


class Predicting:
    """What every adapter says of its network, from its predictor of noise."""

    predictor: NoisePredictor

    @property
    def evaluations(self) -> int:
        """Evaluations of the network so far, per sample (a batch of 4 counts 4)."""
        return self.predictor.evaluations

    @property
    def alphas_cumprod(self) -> Tensor:
        """Cumulative products of alphas of the noise schedule, (timesteps,)."""
        return self.predictor.alphas_cumprod

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return self.predictor.device

    @property
    def dtype(self) -> torch.dtype:
        """The number format of the network."""
        return self.predictor.dtype
