"""EfficientNet-Lite (Tan and Le, 2019, arXiv:1905.11946; Google's variant without squeeze-and-excitation).

Pretrained on photographs; here its features see drawings. Batch normalisation is folded in.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from eidophone.models.tagger import SameConv

FEATURES = 1280
STEM = 32
#: Kernel, stride, expansion and channels of each stage, as published.
STAGES = (
    (3, 1, 1, 16), (3, 2, 6, 24), (5, 2, 6, 40), (3, 2, 6, 80), (5, 1, 6, 112), (5, 2, 6, 192),
    (3, 1, 6, 320),
)  # fmt: skip
#: Blocks of each stage.
LITE0, LITE1 = (1, 2, 2, 3, 3, 4, 1), (1, 3, 3, 4, 4, 5, 1)


def convolution(before: int, after: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """A convolution with TensorFlow's padding and a rectifier that ends at 6."""
    return nn.Sequential(SameConv(before, after, kernel, stride, groups=groups), nn.ReLU6())


class Block(nn.Module):
    """Widened, seen place by place, narrowed; added to its input where that has the same shape."""

    def __init__(self, before: int, after: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = before * expansion
        widen = [convolution(before, inner)] if expansion > 1 else []
        seen = convolution(inner, inner, kernel, stride, groups=inner)
        self.layers = nn.Sequential(*widen, seen, nn.Conv2d(inner, after, 1))
        self.adds = stride == 1 and before == after

    def forward(self, x: Tensor) -> Tensor:
        """(batch, before, rows, columns) -> (batch, after, rows / stride, columns / stride)."""
        found: Tensor = self.layers(x)
        return x + found if self.adds else found


class EfficientNetLite(nn.Module):
    """Features of pictures, before the classes of photographs.

    Shape:
        - Input: (batch, 3, rows, columns), (pixel - 127) / 128 of 8-bit pixels
        - Output: (batch, FEATURES, rows / 32, columns / 32)
    """

    def __init__(self, blocks: Sequence[int]) -> None:
        super().__init__()
        layers: list[nn.Module] = [convolution(3, STEM, 3, 2)]
        wide = STEM
        for (kernel, stride, expansion, width), count in zip(STAGES, blocks, strict=True):
            for number in range(count):
                layers.append(Block(wide, width, kernel, 1 if number else stride, expansion))
                wide = width
        self.layers = nn.Sequential(*layers, convolution(wide, FEATURES))

    def forward(self, pixels: Tensor) -> Tensor:
        """See the class."""
        found: Tensor = self.layers(pixels)
        return found


def photographed(gray: Tensor) -> Tensor:
    """Grey pictures (batch, rows, columns) in [0, 1] as the network was taught to see photographs."""
    return ((gray * 255 - 127) / 128)[:, None].expand(-1, 3, -1, -1)


def folded(stored: dict[str, Tensor], network: EfficientNetLite, eps: float = 1e-3) -> dict[str, Tensor]:
    """Published weights, in the order of their layers, with the normalisation folded in.

    Args:
        stored: The checkpoint; its convolutions and normalisations alternate in the order of use.
        network: The network that they are for.
        eps: Of the published normalisation.
    """
    kernels = [stored[key] for key in _in_use(stored, "conv")]
    norms = [key.removesuffix(".weight") for key in _in_use(stored, "bn")]
    plain = {}
    names = [name for name, part in network.named_modules() if isinstance(part, nn.Conv2d)]
    for name, kernel, norm in zip(names, kernels, norms, strict=True):
        gain = stored[f"{norm}.weight"] * (stored[f"{norm}.running_var"] + eps).rsqrt()
        plain[f"{name}.weight"] = kernel * gain[:, None, None, None]
        plain[f"{name}.bias"] = stored[f"{norm}.bias"] - stored[f"{norm}.running_mean"] * gain
    return plain


def _in_use(stored: dict[str, Tensor], what: str) -> list[str]:
    """Keys of the kernels, or of the normalisations' gains, in the order in which a picture meets them."""
    order = ("_expand_conv", "_depthwise_conv", "_project_conv", "_bn0", "_bn1", "_bn2")

    def place(key: str) -> tuple[int, int]:
        parts = key.split(".")
        if parts[0] != "_blocks":
            return (-1, 0) if parts[0] in ("_conv_stem", "_bn0") else (10_000, 0)
        return int(parts[1]), order.index(parts[2])

    wanted = [k for k in stored if what in k.rsplit(".", 2)[-2] and k.endswith(".weight")]
    return sorted(wanted, key=place)
