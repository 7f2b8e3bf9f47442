"""Adapter over models shaped like Stable Diffusion: U-Net, VAE, text encoder, schedule.

Nothing outside `models` touches a network of diffusers or transformers except through this contract.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from eidophone.diffusion.guidance import Denoiser, Guided, Window
from eidophone.diffusion.walk import cumulative_alphas, noise_from_velocity
from eidophone.errors import BadInput, EidophoneError
from eidophone.models.source import Source

PREDICTIONS = ("epsilon", "v_prediction")
_LONGEST_SHOWN = 60


@dataclass(frozen=True)
class TextEncoder:
    """Words to the condition of a U-Net: all tokens' last hidden states, padded to the encoder's length."""

    tokenizer: Any
    network: Any

    def encode(self, prompt: str, what: str = "prompt") -> Tensor:
        """The condition of one prompt, shape (1, tokens, width).

        Raises:
            BadInput: the prompt is longer than the encoder reads; the message says what would be cut.
        """
        self.check_length(prompt, what)
        padded = torch.tensor([self.padded(prompt)], device=self.network.device)
        with torch.no_grad():
            condition: Tensor = self.network(padded)[0]
        return condition

    def check_length(self, prompt: str, what: str = "prompt") -> None:
        """Refuses a prompt that is longer than the encoder reads.

        Raises:
            BadInput: the message says what would be cut.
        """
        ids = self.tokenizer(prompt, truncation=False, verbose=False)["input_ids"]
        if len(ids) > self.length:
            room = self.length - 2
            lost = self.tokenizer.decode(ids[1 + room : -1]).strip()
            lost = lost if len(lost) <= _LONGEST_SHOWN else f"{lost[:_LONGEST_SHOWN].rstrip()}..."
            raise BadInput(
                f"The {what} has {len(ids) - 2} tokens and the text encoder reads {room}; "
                f"this would be cut: {lost!r}. Shorten it by at least that much."
            )

    def padded(self, prompt: str) -> list[int]:
        """The numbers of a prompt's tokens, filled up to `length`."""
        ids: list[int] = self.tokenizer(prompt, padding="max_length", max_length=self.length)["input_ids"]
        return ids

    @property
    def length(self) -> int:
        """How many tokens it reads, with the two that mark beginning and end."""
        return min(int(self.tokenizer.model_max_length), int(self.network.config.max_position_embeddings))

    @property
    def width(self) -> int:
        """How many numbers it says a token."""
        return int(self.network.config.hidden_size)


@dataclass(eq=False)
class LatentModel:
    """One diffusion model over VAE latents, in one role.

    Attributes:
        source: Where it came from, and its advice.
        unet, vae: Networks of diffusers.
        text: Its text encoder.
        schedule: Its `scheduler_config.json`.
        evaluations: U-Net evaluations so far, counted a sample (a batch of 4 counts 4).
    """

    source: Source
    unet: Any
    vae: Any
    text: TextEncoder
    schedule: Mapping[str, Any]
    evaluations: int = 0

    def __post_init__(self) -> None:
        kind = self.schedule.get("prediction_type", "epsilon")
        if kind not in PREDICTIONS:
            raise BadInput(f"{self.source.name}: predicts {kind!r}; known are {', '.join(PREDICTIONS)}.")
        if self.schedule.get("rescale_betas_zero_snr"):
            raise BadInput(
                f"{self.source.name}: its schedule ends without signal, which noise cannot express."
            )
        self._alphas = cumulative_alphas(self.schedule).to(self.device)

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

    @property
    def factor(self) -> int:
        """Pixels a latent cell, in each direction."""
        return int(2 ** (len(self.vae.config.block_out_channels) - 1))

    def latent_shape(self, height: int, width: int) -> tuple[int, int, int]:
        """(channels, rows, columns) of a canvas in pixels."""
        return int(self.unet.config.in_channels), height // self.factor, width // self.factor

    def noise_of(self, latents: Tensor, timestep: Tensor, condition: Tensor) -> Tensor:
        """The noise in the latents, whatever the network predicts; float32, on the latents' device.

        Shape:
            - latents: (batch, channels, rows, columns)
            - timestep: ()
            - condition: (1, tokens, width) for all of them, or (batch, tokens, width)
        """
        batch = latents.shape[0]
        self.evaluations += batch
        condition = condition.to(self.device, self.dtype).expand(batch, -1, -1)
        at = timestep.to(self.device)
        predicted: Tensor = self.unet(latents.to(self.device, self.dtype), at, condition, return_dict=False)[
            0
        ]
        predicted = predicted.to(latents)
        if self.schedule.get("prediction_type", "epsilon") == "epsilon":
            return predicted
        return noise_from_velocity(predicted, latents, self._alphas[at].to(latents))

    def guided(
        self, wanted: Tensor, unwanted: Tensor, scale: float, window: Window | None = None
    ) -> Denoiser:
        """A denoiser with its prompts bound: conditions from `text.encode`."""

        def both(latents: Tensor, timestep: Tensor) -> tuple[Tensor, Tensor]:
            count = len(latents)
            told = torch.cat([prompt.expand(count, -1, -1) for prompt in (unwanted, wanted)])
            without, with_prompt = self.noise_of(torch.cat([latents, latents]), timestep, told).chunk(2)
            return without, with_prompt

        window = window or Window()
        return Guided(Conditioned(self, wanted), Conditioned(self, unwanted), scale, window, both)

    def decode(self, latents: Tensor) -> Tensor:
        """Latents to pictures in [0, 1], float32, on the CPU.

        Shape:
            - Input: (batch, channels, rows, columns)
            - Output: (batch, 3, height, width)

        Raises:
            EidophoneError: the number format was too narrow and the picture is not finite.
        """
        raw = latents.to(self.vae.device, self.vae.dtype) / self.vae.config.scaling_factor
        picture = self.vae.decode(raw + (self.vae.config.shift_factor or 0), return_dict=False)[0]
        picture = (picture.float() / 2 + 0.5).cpu()
        if not torch.isfinite(picture).all():
            raise EidophoneError(
                f"{self.source.name}: the picture came out as not-a-number in {self.vae.dtype}; "
                "use --dtype float32 or bfloat16."
            )
        clamped: Tensor = picture.clamp(0, 1)
        return clamped


@dataclass(frozen=True)
class Conditioned:
    """A model with one prompt bound: a `Denoiser`."""

    model: LatentModel
    condition: Tensor

    def __call__(self, latents: Tensor, timestep: Tensor) -> Tensor:
        """See `Denoiser`."""
        return self.model.noise_of(latents, timestep, self.condition)
