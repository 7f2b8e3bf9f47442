"""The U-Net of Stable Diffusion 1.x and 2.x, and of what was trained from them (Rombach et al., 2022)."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eidophone.core.settings import Settings
from eidophone.models.networks.base import Network
from eidophone.models.networks.config import completed, fits
from eidophone.models.networks.layers import Double, Half, Residual, Spatial
from eidophone.models.networks.reuse import Reuse

DEFAULTS: dict[str, Any] = {
    "sample_size": None, "in_channels": 4, "out_channels": 4, "flip_sin_to_cos": True, "freq_shift": 0,
    "down_block_types": ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
    "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
    "block_out_channels": (320, 640, 1280, 1280), "layers_per_block": 2, "downsample_padding": 1,
    "norm_num_groups": 32, "norm_eps": 1e-5, "cross_attention_dim": 1280, "attention_head_dim": 8,
    "transformer_layers_per_block": 1, "use_linear_projection": False,
}  # fmt: skip
#: Settings that are there for other networks, with the only value that is read here.
_PLAIN: dict[str, Any] = {
    "act_fn": "silu", "mid_block_type": "UNetMidBlock2DCrossAttn", "only_cross_attention": False,
    "center_input_sample": False, "mid_block_scale_factor": 1, "dropout": 0.0, "encoder_hid_dim": None,
    "encoder_hid_dim_type": None, "num_attention_heads": None, "dual_cross_attention": False,
    "class_embed_type": None, "addition_embed_type": None, "num_class_embeds": None, "upcast_attention": False,
    "resnet_time_scale_shift": "default", "resnet_skip_time_act": False, "resnet_out_scale_factor": 1.0,
    "time_embedding_type": "positional", "time_embedding_act_fn": None,
    "timestep_post_act": None, "time_cond_proj_dim": None, "conv_in_kernel": 3, "conv_out_kernel": 3,
    "attention_type": "default", "class_embeddings_concat": False, "mid_block_only_cross_attention": None,
    "cross_attention_norm": None, "reverse_transformer_layers_per_block": None,
}  # fmt: skip
_DOWN, _UP = {"CrossAttnDownBlock2D", "DownBlock2D"}, {"CrossAttnUpBlock2D", "UpBlock2D"}


class Predicted(NamedTuple):
    """What a U-Net predicts, (batch, channels, rows, columns)."""

    sample: Tensor


#: Layers at full size that are computed at every step, whatever is reused.
OUTER_LAYERS = 1


class TimeEmbedding(nn.Module):
    """Two linear layers over sines and cosines of the timestep."""

    def __init__(self, given: int, wanted: int) -> None:
        super().__init__()
        self.linear_1 = nn.Linear(given, wanted)
        self.linear_2 = nn.Linear(wanted, wanted)

    def forward(self, waves: Tensor) -> Tensor:
        """(batch, given) -> (batch, wanted)."""
        found: Tensor = self.linear_2(F.silu(self.linear_1(waves)))
        return found


def waves(timestep: Tensor, width: int, shift: float, *, cosine_first: bool) -> Tensor:
    """Sines and cosines of timesteps, (batch,) -> (batch, width), float32 (Vaswani et al., 2017)."""
    half = width // 2
    powers = -math.log(10000) * torch.arange(half, dtype=torch.float32, device=timestep.device)
    angles = timestep[:, None].float() * torch.exp(powers / (half - shift))[None, :]
    sine, cosine = torch.sin(angles), torch.cos(angles)
    return torch.cat([cosine, sine] if cosine_first else [sine, cosine], -1)


class Down(nn.Module):
    """Residual blocks, each with attention or without, then half the size."""

    def __init__(self, config: Settings, level: int, time: int) -> None:
        super().__init__()
        wide = config.block_out_channels[level]
        before = config.block_out_channels[max(0, level - 1)]
        self.resnets = nn.ModuleList(
            [
                Residual(before if n == 0 else wide, wide, time, config.norm_num_groups, config.norm_eps)
                for n in range(config.layers_per_block)
            ]
        )
        if config.down_block_types[level] == "CrossAttnDownBlock2D":
            self.attentions = nn.ModuleList([_spatial(config, level) for _ in self.resnets])
        if level < len(config.block_out_channels) - 1:
            self.downsamplers = nn.ModuleList([Half(wide, config.downsample_padding)])

    def forward(self, cells: Tensor, time: Tensor, condition: Tensor) -> list[Tensor]:
        """All that the way up will need again; the last is what goes on."""
        kept = []
        for number in range(len(self.resnets)):
            cells = self.layer(number, cells, time, condition)
            kept.append(cells)
        if hasattr(self, "downsamplers"):
            kept.append(self.downsamplers[0](cells))
        return kept

    def layer(self, number: int, cells: Tensor, time: Tensor, condition: Tensor) -> Tensor:
        """One residual block with its attention."""
        cells = self.resnets[number](cells, time)
        if hasattr(self, "attentions"):
            cells = self.attentions[number](cells, condition)
        return cells


class Up(nn.Module):
    """Residual blocks over what the way down kept, with attention or without, then double the size."""

    def __init__(self, config: Settings, number: int, time: int) -> None:
        super().__init__()
        channels = config.block_out_channels
        level = len(channels) - 1 - number
        wide, above = channels[level], channels[max(0, level - 1)]
        count = config.layers_per_block + 1
        blocks = []
        for n in range(count):
            given = (channels[min(level + 1, len(channels) - 1)] if n == 0 else wide) + (
                above if n == count - 1 else wide
            )
            blocks.append(Residual(given, wide, time, config.norm_num_groups, config.norm_eps))
        self.resnets = nn.ModuleList(blocks)
        if config.up_block_types[number] == "CrossAttnUpBlock2D":
            self.attentions = nn.ModuleList([_spatial(config, level) for _ in self.resnets])
        if level > 0:
            self.upsamplers = nn.ModuleList([Double(wide)])

    def forward(self, cells: Tensor, kept: list[Tensor], time: Tensor, condition: Tensor) -> Tensor:
        """Takes what it needs from the end of `kept`; doubles to the size of what is then the last."""
        for number in range(len(self.resnets)):
            cells = self.layer(number, cells, kept, time, condition)
        if hasattr(self, "upsamplers"):
            size = kept[-1].shape[2:]
            exact = (2 * cells.shape[2], 2 * cells.shape[3]) == tuple(size)
            cells = self.upsamplers[0](cells, None if exact else size)
        return cells

    def layer(
        self, number: int, cells: Tensor, kept: list[Tensor], time: Tensor, condition: Tensor
    ) -> Tensor:
        """One residual block with its attention; takes the last of `kept`."""
        cells = self.resnets[number](torch.cat([cells, kept.pop()], 1), time)
        if hasattr(self, "attentions"):
            cells = self.attentions[number](cells, condition)
        return cells


class Middle(nn.Module):
    """Attention between two residual blocks, at the smallest size."""

    def __init__(self, config: Settings, time: int) -> None:
        super().__init__()
        wide = config.block_out_channels[-1]
        norm = (config.norm_num_groups, config.norm_eps)
        self.resnets = nn.ModuleList([Residual(wide, wide, time, *norm) for _ in range(2)])
        self.attentions = nn.ModuleList([_spatial(config, len(config.block_out_channels) - 1)])

    def forward(self, cells: Tensor, time: Tensor, condition: Tensor) -> Tensor:
        """(batch, channels, rows, columns) -> the same."""
        cells = self.attentions[0](self.resnets[0](cells, time), condition)
        found: Tensor = self.resnets[1](cells, time)
        return found


def _spatial(config: Settings, level: int) -> Spatial:
    heads, depth = config.attention_head_dim, config.transformer_layers_per_block
    return Spatial(
        config.block_out_channels[level],
        heads if isinstance(heads, int) else heads[level],  # diffusers' name for the number of heads
        config.cross_attention_dim,
        depth if isinstance(depth, int) else depth[level],
        config.norm_num_groups,
        bool(config.use_linear_projection),
    )


class UNet(Network):
    """Predicts from noisy latents, a timestep and a text condition."""

    REUSES: ClassVar[bool] = True
    DEFAULTS: ClassVar[Mapping[str, Any]] = DEFAULTS

    @classmethod
    def understands(cls, given: Mapping[str, Any]) -> bool:
        """See `Network`."""
        config = completed(given, DEFAULTS)
        return (
            fits(config, _PLAIN)
            and {*config.down_block_types} <= _DOWN
            and {*config.up_block_types} <= _UP
            and len(config.down_block_types) == len(config.up_block_types) == len(config.block_out_channels)
            and isinstance(config.cross_attention_dim, int)
            and isinstance(config.layers_per_block, int)
        )

    def __init__(self, given: Mapping[str, Any]) -> None:
        super().__init__()
        self.config = config = completed(given, DEFAULTS)
        channels = config.block_out_channels
        time = config.get("time_embedding_dim") or 4 * channels[0]
        self.conv_in = nn.Conv2d(config.in_channels, channels[0], 3, padding=1)
        self.time_embedding = TimeEmbedding(channels[0], time)
        levels = range(len(channels))
        self.down_blocks = nn.ModuleList([Down(config, level, time) for level in levels])
        self.mid_block = Middle(config, time)
        self.up_blocks = nn.ModuleList([Up(config, number, time) for number in levels])
        self.conv_norm_out = nn.GroupNorm(config.norm_num_groups, channels[0], config.norm_eps)
        self.conv_out = nn.Conv2d(channels[0], config.out_channels, 3, padding=1)

    def forward(
        self, noisy: Tensor, timestep: Tensor, condition: Tensor, reuse: Reuse | None = None
    ) -> Predicted:
        """(batch, channels, rows, columns), () or (batch,), (batch, tokens, width) -> as `noisy`.

        Args:
            noisy, timestep, condition: Of the given shapes.
            reuse: Inner features that may be taken over from an earlier step.
        """
        cells, time = self.begin(noisy, timestep)
        inner = None if reuse is None else reuse.take(timestep)
        if inner is not None:
            return Predicted(self.end(self._outermost(inner, [cells], time, condition, descend=True)))
        kept = [cells]
        for block in self.down_blocks:
            kept += block(kept[-1], time, condition)
        cells = self.mid_block(kept[-1], time, condition)
        for block in self.up_blocks[:-1]:
            cells = block(cells, kept, time, condition)
        last = self._last
        for number in range(len(last.resnets) - OUTER_LAYERS):
            cells = last.layer(number, cells, kept, time, condition)
        if reuse is not None:
            reuse.keep(cells)
        return Predicted(self.end(self._outermost(cells, kept, time, condition)))

    @property
    def _last(self) -> Up:
        block = self.up_blocks[-1]
        assert isinstance(block, Up)
        return block

    def _outermost(
        self, cells: Tensor, kept: list[Tensor], time: Tensor, condition: Tensor, descend: bool = False
    ) -> Tensor:
        """The last layers of the way up, and with `descend` first those of the way down that they need."""
        down, up = self.down_blocks[0], self._last
        assert isinstance(down, Down)
        if descend:
            for number in range(OUTER_LAYERS - 1):
                kept.append(down.layer(number, kept[-1], time, condition))
        for number in range(len(up.resnets) - OUTER_LAYERS, len(up.resnets)):
            cells = up.layer(number, cells, kept, time, condition)
        return cells

    def begin(self, noisy: Tensor, timestep: Tensor) -> tuple[Tensor, Tensor]:
        """The first convolution and the time embedding."""
        config = self.config
        times = timestep.expand(len(noisy)) if timestep.ndim == 0 else timestep
        angles = waves(
            times, config.block_out_channels[0], config.freq_shift, cosine_first=config.flip_sin_to_cos
        )
        return self.conv_in(noisy), self.time_embedding(angles.to(self.time_embedding.linear_1.bias.dtype))

    def end(self, cells: Tensor) -> Tensor:
        """The last norm and convolution."""
        found: Tensor = self.conv_out(F.silu(self.conv_norm_out(cells)))
        return found
