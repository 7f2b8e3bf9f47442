"""Weights kept as 8-bit integers, for networks that would not fit otherwise (`--quantize int8`).

Each output channel of a linear layer or a convolution has a scale of its own: its largest weight becomes 127. A layer
turns its weights back into the run's number format when it is called, so only one layer's weights are unpacked at a
time. It takes half the memory of bfloat16 and a quarter of float32, and computes what it computed before, with weights
that are off by at most half a step: 1/254 of the largest of their channel.
"""

import gc
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_LARGEST = 127
#: Layers with fewer channels on a side, the first and the last ones, stay as they are: they are small and decide much.
_FEWEST = 9


class Packed(nn.Module):
    """Stands for a linear layer or a convolution.

    Attributes:
        packed: int8, of the weight's shape.
        scale: Of each output channel, (channels, 1, ...), in the number format of the layer.
        bias: As the layer's.
    """

    packed: Tensor
    scale: Tensor

    def __init__(self, layer: nn.Linear | nn.Conv2d) -> None:
        super().__init__()
        weight = layer.weight.detach()
        largest = weight.float().flatten(1).abs().amax(1).clamp(min=torch.finfo(torch.float32).tiny)
        scale = (largest / _LARGEST).reshape(-1, *[1] * (weight.ndim - 1))
        self.register_buffer("packed", (weight.float() / scale).round().to(torch.int8))
        self.register_buffer("scale", scale.to(weight.dtype))
        self.bias = layer.bias
        self._convolution: dict[str, Any] | None = None
        if isinstance(layer, nn.Conv2d):
            names = ("stride", "padding", "dilation", "groups")
            self._convolution = {name: getattr(layer, name) for name in names}

    @property
    def weight(self) -> Tensor:
        """The weights in the number format of the layer."""
        return self.packed.to(self.scale.dtype) * self.scale

    def forward(self, given: Tensor) -> Tensor:
        """As the layer."""
        if self._convolution is None:
            return F.linear(given, self.weight, self.bias)
        return F.conv2d(given, self.weight, self.bias, **self._convolution)


def pack(network: nn.Module) -> int:
    """Packs the layers of a network in place, one after another.

    Returns:
        How many layers were packed.
    """
    count = 0
    for parent in list(network.modules()):
        for name, layer in list(parent.named_children()):
            if _packable(layer):
                assert isinstance(layer, nn.Linear | nn.Conv2d)
                setattr(parent, name, Packed(layer).requires_grad_(False).eval())
                count += 1
    gc.collect()
    return count


def _packable(layer: nn.Module) -> bool:
    plain = type(layer) is nn.Linear or (type(layer) is nn.Conv2d and layer.padding_mode == "zeros")
    return plain and min(layer.weight.shape[:2]) >= _FEWEST  # type: ignore[index]
