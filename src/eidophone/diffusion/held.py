"""A canvas that stays near a given one while it is denoised.

What is held decides the clean canvas that a step aims at; the noise around it stays the sampler's own. So any
sampler and any blend can be held. Above the noise level where it lets go, nothing else is asked: sampling then
starts from the given canvas with that much noise (SDEdit; Meng et al., 2022, arXiv:2108.01073).
"""

from dataclasses import dataclass

from torch import Tensor

from eidophone.diffusion.guidance import Denoiser


@dataclass(frozen=True)
class Held:
    """A denoiser whose clean canvas is a given one, until it is let go and wherever it may not change.

    Attributes:
        inner: Denoises once the canvas is let go; not asked before, nor where nothing may change.
        given: The canvas, clean latents, (1 or batch, channels, rows, columns).
        alphas: The cumulative product of alphas of the schedule, (timesteps,).
        strength: From 1 down to 0: the share of the schedule's timesteps, counted from the clean end, in which
            `inner` decides. 1 lets go at once, 0 never.
        free: Where the canvas may change once it is let go, 0 to 1, (1, 1, rows, columns); None: everywhere.
        beside: Where nothing is given, so that it is never held, likewise; None: nowhere.
    """

    inner: Denoiser
    given: Tensor
    alphas: Tensor
    strength: float
    free: Tensor | None = None
    beside: Tensor | None = None

    def __call__(self, latents: Tensor, timestep: Tensor) -> Tensor:
        """See `Denoiser`."""
        alpha = self.alphas[int(timestep)].to(latents)
        kept = (latents - alpha.sqrt() * self.given.to(latents)) / (1 - alpha).sqrt()
        let_go = float(timestep) < self.strength * len(self.alphas)
        where = self.free if let_go else self.beside
        if where is None:
            return self.inner(latents, timestep) if let_go else kept
        return kept + where.to(latents) * (self.inner(latents, timestep) - kept)
