"""The residual networks of AudioCLIP: CLIP's RN50 for pictures, an attentive ResNeXt for spectrograms.

Names of parts are those of the published checkpoint.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_EXPANSION = 4
_DEPTHS = (3, 4, 6, 3)
_HEAD_WIDTH = 64


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 convolutions beside a shortcut (He et al., 2016; groups: Xie et al., 2017).

    Args:
        into, planes: Channels that come in; a quarter of those that go out.
        stride: By how much both sides shrink.
        groups, group_width: Of the 3x3 convolution; one group is as wide as `planes`.
        pooled: It shrinks by averaging, as CLIP's does, instead of by stepping.
    """

    def __init__(
        self, into: int, planes: int, stride: int, groups: int, group_width: int, pooled: bool
    ) -> None:
        super().__init__()
        width, out = groups * planes * group_width // _HEAD_WIDTH, planes * _EXPANSION
        step = 1 if pooled else stride
        self.conv1 = nn.Conv2d(into, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, step, 1, groups=groups, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out)
        self.shrink = nn.AvgPool2d(stride) if pooled and stride > 1 else nn.Identity()
        self.downsample: nn.Sequential | None = None
        if stride > 1 or into != out:
            self.downsample = nn.Sequential(nn.Conv2d(into, out, 1, step, bias=False), nn.BatchNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        """(batch, into, rows, columns) -> (batch, 4 planes, rows / stride, columns / stride)."""
        found = F.relu(self.bn1(self.conv1(x)))
        found = self.shrink(F.relu(self.bn2(self.conv2(found))))
        found = self.bn3(self.conv3(found))
        shortcut = x if self.downsample is None else self.downsample(self.shrink(x))
        return F.relu(found + shortcut)


def _stages(groups: int, group_width: int, pooled: bool) -> list[nn.Sequential]:
    """The four stages of a network 50 layers deep."""
    stages, into = [], _HEAD_WIDTH
    for stage, depth in enumerate(_DEPTHS):
        planes = _HEAD_WIDTH << stage
        blocks = []
        for block in range(depth):
            stride = 2 if stage and not block else 1
            blocks.append(Bottleneck(into, planes, stride, groups, group_width, pooled))
            into = planes * _EXPANSION
        stages.append(nn.Sequential(*blocks))
    return stages


class _AttentionPool(nn.Module):
    """One attention step whose query is the mean of all places (Radford et al., 2021, section 2.4)."""

    def __init__(self, places: int, width: int, dimensions: int) -> None:
        super().__init__()
        self.positional_embedding = nn.Parameter(torch.zeros(places + 1, width))
        self.k_proj, self.q_proj, self.v_proj = (nn.Linear(width, width) for _ in range(3))
        self.c_proj = nn.Linear(width, dimensions)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, width, rows, columns) -> (batch, dimensions)."""
        places = x.flatten(2).transpose(1, 2)
        places = torch.cat([places.mean(1, keepdim=True), places], 1) + self.positional_embedding
        heads = [
            part.unflatten(-1, (-1, _HEAD_WIDTH)).transpose(1, 2)
            for part in (self.q_proj(places[:, :1]), self.k_proj(places), self.v_proj(places))
        ]
        found = F.scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2)
        pooled: Tensor = self.c_proj(found[:, 0])
        return pooled


class PictureTower(nn.Module):
    """CLIP's RN50 at 224 pixels."""

    def __init__(self, dimensions: int, side: int = 224) -> None:
        super().__init__()
        half = _HEAD_WIDTH // 2
        self.conv1 = nn.Conv2d(3, half, 3, 2, 1, bias=False)
        self.conv2 = nn.Conv2d(half, half, 3, 1, 1, bias=False)
        self.conv3 = nn.Conv2d(half, _HEAD_WIDTH, 3, 1, 1, bias=False)
        self.bn1, self.bn2, self.bn3 = nn.BatchNorm2d(half), nn.BatchNorm2d(half), nn.BatchNorm2d(_HEAD_WIDTH)
        self.layer1, self.layer2, self.layer3, self.layer4 = _stages(1, _HEAD_WIDTH, pooled=True)
        width = (_HEAD_WIDTH << 3) * _EXPANSION
        self.attnpool = _AttentionPool((side // 32) ** 2, width, dimensions)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 3, 224, 224), normalised -> (batch, dimensions)."""
        for conv, norm in ((self.conv1, self.bn1), (self.conv2, self.bn2), (self.conv3, self.bn3)):
            x = F.relu(norm(conv(x)))
        x = F.avg_pool2d(x, 2)
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
        pooled: Tensor = self.attnpool(x)
        return pooled


class _Gate(nn.Module):
    """How much of each place a stage keeps, seen from what went into the stage."""

    def __init__(self, into: int, out: int, kernel: tuple[int, int]) -> None:
        super().__init__()
        around = (kernel[0] // 2, kernel[1] // 2)
        self.conv_depth = nn.Conv2d(into, into, kernel, padding=around, groups=into)
        self.conv_point = nn.Conv2d(into, out, 1)
        self.bn = nn.BatchNorm2d(out)

    def forward(self, x: Tensor, size: torch.Size) -> Tensor:
        """(batch, into, rows, columns) -> (batch, out, *size) in (0, 1)."""
        found = self.conv_point(self.conv_depth(F.adaptive_max_pool2d(x, list(size))))
        return torch.sigmoid(self.bn(found))


class SpectrogramTower(nn.Module):
    """ResNeXt-50 32x4d with a gate beside each stage and one beside the pooling (ESResNeXt, 2021)."""

    def __init__(self, dimensions: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, _HEAD_WIDTH, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(_HEAD_WIDTH)
        self.layer1, self.layer2, self.layer3, self.layer4 = _stages(32, 4, pooled=False)
        widths = [_HEAD_WIDTH, *((_HEAD_WIDTH << stage) * _EXPANSION for stage in range(4))]
        self.att1 = _Gate(widths[0], widths[1], (3, 1))
        self.att2 = _Gate(widths[1], widths[2], (1, 5))
        self.att3 = _Gate(widths[2], widths[3], (3, 1))
        self.att4 = _Gate(widths[3], widths[4], (1, 5))
        self.att5 = _Gate(widths[4], widths[4], (3, 5))
        self.fc = nn.Linear(widths[4], dimensions)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 3, rows, columns) in decibels -> (batch, dimensions)."""
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        for stage, gate in (
            (self.layer1, self.att1),
            (self.layer2, self.att2),
            (self.layer3, self.att3),
            (self.layer4, self.att4),
        ):
            found = stage(x)
            x = found * gate(x, found.shape[-2:])
        pooled = F.adaptive_avg_pool2d(x, 1)
        scored: Tensor = self.fc((pooled * self.att5(x, pooled.shape[-2:])).flatten(1))
        return scored
