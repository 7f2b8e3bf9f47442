"""What diffusion networks predict, translated into noise exactly.

All denoisers here speak of one noise schedule: x = sqrt(a) x0 + sqrt(1 - a) n, where x0 is clean, n is unit
normal noise and a is the schedule's cumulative product of alphas at a timestep. Networks differ in what they
predict from x. Each prediction determines n, and so x0; no approximation is involved.

Flow matching (Lipman et al., 2022, arXiv:2210.02747; rectified flow: Liu et al., 2022, arXiv:2209.03003) also
differs in what it is given: x_t = (1 - t) x0 + t n for t in [0, 1]. The ratio of noise to signal,
sigma = sqrt((1 - a) / a), is t / (1 - t) there, so t = sigma / (1 + sigma). Scaling x by
1 / (sqrt(a) + sqrt(1 - a)) gives x_t. A `shift` in a scheduler's settings only moves where its own sampler puts
its steps; the network is asked at t itself.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from eidophone.diffusion.sampler import noise_from_velocity

#: (prediction, x, a) -> noise.
Translation = Callable[[Tensor, Tensor, Tensor], Tensor]

#: Timesteps that flow-matching networks count from clean to noise.
FLOW_TIMESTEPS = 1000


@dataclass(frozen=True)
class Prediction:
    """A kind of prediction.

    Attributes:
        noise: Its translation into noise, from the prediction, the noisy x and a.
        flow: Whether the network sees x_t of flow matching, and 1000 t as its timestep.
    """

    noise: Translation
    flow: bool = False

    def given(self, noisy: Tensor, timestep: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
        """What the network is given: its input and its timestep.

        Args:
            noisy: x, (batch, *).
            timestep: Of the schedule, ().
            alpha: a at that timestep, ().
        """
        if not self.flow:
            return noisy, timestep
        return noisy / (alpha.sqrt() + (1 - alpha).sqrt()), FLOW_TIMESTEPS * flow_time(alpha)


def flow_time(alpha: Tensor) -> Tensor:
    """The time t of flow matching that has the noise level of a.

    >>> import torch
    >>> flow_time(torch.tensor([1.0, 0.5, 0.0]))
    tensor([0.0000, 0.5000, 1.0000])
    """
    return (1 - alpha).sqrt() / (alpha.sqrt() + (1 - alpha).sqrt())


def noise_from_clean(clean: Tensor, noisy: Tensor, alpha: Tensor) -> Tensor:
    """Noise from an estimate of x0: (x - sqrt(a) x0) / sqrt(1 - a)."""
    return (noisy - alpha.sqrt() * clean) / (1 - alpha).sqrt()


def noise_from_flow(flow: Tensor, noisy: Tensor, alpha: Tensor) -> Tensor:
    """Noise from the velocity v = n - x0 of flow matching: x_t + (1 - t) v."""
    return noisy / (alpha.sqrt() + (1 - alpha).sqrt()) + (1 - flow_time(alpha)) * flow


#: By what `scheduler_config.json` calls them.
PREDICTIONS: dict[str, Prediction] = {
    "epsilon": Prediction(lambda noise, _x, _a: noise),
    "v_prediction": Prediction(noise_from_velocity),
    "sample": Prediction(noise_from_clean),
    "flow_prediction": Prediction(noise_from_flow, flow=True),
}
