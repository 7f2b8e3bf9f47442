"""What the adapters of all U-Nets share: their predictions become noise, with prompts bound and guided."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from eidophone.core.errors import BadInput
from eidophone.diffusion.guidance import Guided, Window
from eidophone.diffusion.sampler import cumulative_alphas, noise_from_velocity
from eidophone.models.cards import quoted
from eidophone.models.source import DiffusionFiles

PREDICTIONS = ("epsilon", "v_prediction")

#: Predicts noise: (noisy, timestep, condition) -> noise.
Asked = Callable[[Tensor, Tensor, Tensor], Tensor]


class NoisePredictor:
    """A U-Net of diffusers and its schedule; the base of adapters, which are dataclasses.

    Attributes:
        source: Where it came from, and its advice.
        unet: The network.
        schedule: Its `scheduler_config.json`.
        evaluations: U-Net evaluations so far, counted a sample (a batch of 4 counts 4).
        alphas_cumprod: Cumulative products of alphas of its schedule, (timesteps,).
    """

    source: DiffusionFiles
    unet: Any
    schedule: Mapping[str, Any]
    evaluations: int
    alphas_cumprod: Tensor

    def __post_init__(self) -> None:
        kind = self.schedule.get("prediction_type", "epsilon")
        if kind not in PREDICTIONS:
            raise BadInput(f"{self.source.name}: predicts {kind!r}; known are {', '.join(PREDICTIONS)}.")
        if self.schedule.get("rescale_betas_zero_snr"):
            raise BadInput(
                f"{self.source.name}: its schedule ends without signal, which noise cannot express."
            )
        self.alphas_cumprod = cumulative_alphas(self.schedule).to(self.device)

    @property
    def device(self) -> torch.device:
        """Where its networks lie."""
        found: torch.device = self.unet.device
        return found

    @property
    def dtype(self) -> torch.dtype:
        """The number format of its U-Net."""
        found: torch.dtype = self.unet.dtype
        return found

    def predicted(
        self,
        noisy: Tensor,
        timestep: Tensor,
        condition: Tensor,
        seen: Tensor | None = None,
        *,
        variance: bool = False,
        **more: Any,
    ) -> Tensor:
        """The noise in `noisy`, whatever the network predicts; in its format and on its device.

        Args:
            noisy: Shape (batch, channels, rows, columns).
            timestep: Shape ().
            condition: (1, tokens, width) for all of them, or (batch, tokens, width).
            seen: Channels that the network sees beside the noisy ones.
            variance: Keep the learned variance, in further channels behind the noise.
            more: Further arguments of the network.
        """
        batch, channels = noisy.shape[:2]
        self.evaluations += batch
        condition = condition.to(self.device, self.dtype).expand(batch, -1, -1)
        at = timestep.to(self.device)
        given = noisy if seen is None else torch.cat([noisy, seen.to(noisy)], 1)
        given = given.to(self.device, self.dtype)
        answer: Tensor = self.unet(given, at, condition, return_dict=False, **more)[0]
        noise, learned = answer[:, :channels].to(noisy), answer[:, channels:].to(noisy)
        if self.schedule.get("prediction_type", "epsilon") != "epsilon":
            noise = noise_from_velocity(noise, noisy, self.alphas_cumprod[at].to(noisy))
        return torch.cat([noise, learned], 1) if variance else noise


@dataclass(frozen=True)
class Conditioned:
    """A model with one prompt bound: a `Denoiser`."""

    noise_of: Asked
    condition: Tensor

    def __call__(self, latents: Tensor, timestep: Tensor) -> Tensor:
        """See `Denoiser`."""
        return self.noise_of(latents, timestep, self.condition)


def guided_by(
    noise_of: Asked, wanted: Tensor, unwanted: Tensor, scale: float, window: Window | None = None
) -> Guided:
    """A denoiser with its prompts bound, which asks for both in one call where that is quicker."""

    def both(noisy: Tensor, timestep: Tensor) -> tuple[Tensor, Tensor]:
        count = len(noisy)
        told = torch.cat([prompt.expand(count, -1, -1) for prompt in (unwanted, wanted)])
        without, with_prompt = noise_of(torch.cat([noisy, noisy]), timestep, told).chunk(2)
        return without, with_prompt

    window = window or Window()
    return Guided(Conditioned(noise_of, wanted), Conditioned(noise_of, unwanted), scale, window, both)


def check_condition(model: NoisePredictor, width: int) -> None:
    """Refuses a text encoder whose width the U-Net does not hear.

    Raises:
        BadInput: the two come from different models.
    """
    config = model.unet.config
    heard = config.get("encoder_hid_dim") or config.cross_attention_dim
    if isinstance(heard, int) and heard != width:
        raise BadInput(
            f"{quoted(model.source.name)}: its text encoder says {width} numbers a token and its "
            f"U-Net hears {heard}; they come from different models, fetch the folder again."
        )
