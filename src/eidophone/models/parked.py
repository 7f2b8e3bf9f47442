"""Networks that lie in main memory and visit a small GPU for each call (`--low-memory`)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from eidophone.models.latent import LatentModel
from eidophone.models.predictor import NoisePredictor


class Parked:
    """Called like the network that it holds; only one call's weights are on the device at a time.

    Attributes:
        network: Lies on the CPU between calls.
        device: Where it runs.
    """

    def __init__(self, network: nn.Module, device: torch.device) -> None:
        self.network, self.device = network, device
        if device.type == "cuda":  # pinned memory is copied about twice as fast
            for weight in (*network.parameters(), *network.buffers()):
                weight.data = weight.data.pin_memory()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.network, name)

    def __call__(self, *given: Any, **more: Any) -> Any:
        """Calls the network on the device."""
        with self._visiting():
            return self.network(*given, **more)

    def encode(self, pictures: Tensor) -> Any:
        """Of a VAE, on the device."""
        with self._visiting():
            return self.network.encode(pictures)  # type: ignore[operator]

    def decode(self, latents: Tensor) -> Any:
        """Of a VAE, on the device, one sample at a time."""
        with self._visiting():
            parts = [self.network.decode(one)[0] for one in latents.split(1)]  # type: ignore[operator]
        return (torch.cat(parts),)

    @contextmanager
    def _visiting(self) -> Iterator[None]:
        """Puts copies of the weights in place; the originals stay, so nothing is copied back."""
        places = [
            (kept, name, weight)
            for layer in self.network.modules()
            for kept in (layer._parameters, layer._buffers)
            for name, weight in kept.items()
            if weight is not None
        ]
        try:
            with torch.inference_mode(False):
                for kept, name, weight in places:
                    kept[name] = weight.to(self.device, non_blocking=True)  # type: ignore[assignment]
            yield
        finally:
            for kept, name, weight in places:
                kept[name] = weight  # type: ignore[assignment]


def park(model: LatentModel, device: torch.device) -> None:
    """Makes a model that was loaded on the CPU run on a device, one network at a time. Its text encoder stays.

    Args:
        model: Its networks are on the CPU.
        device: A GPU.
    """
    model.predictor = NoisePredictor(model.source, Parked(model.network, device), model.schedule)
    if not isinstance(model.vae, Parked):
        model.vae = Parked(model.vae, device)
