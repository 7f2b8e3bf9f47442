"""Layers of U-Nets and VAEs: residual blocks, attention over cells, half and double size."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Residual(nn.Module):
    """Two convolutions with group norm, and the time embedding between them."""

    def __init__(self, given: int, wanted: int, time: int | None, groups: int, eps: float) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, given, eps)
        self.conv1 = nn.Conv2d(given, wanted, 3, padding=1)
        self.time_emb_proj = nn.Linear(time, wanted) if time else None
        self.norm2 = nn.GroupNorm(groups, wanted, eps)
        self.conv2 = nn.Conv2d(wanted, wanted, 3, padding=1)
        self.conv_shortcut = nn.Conv2d(given, wanted, 1) if given != wanted else None

    def forward(self, cells: Tensor, time: Tensor | None = None) -> Tensor:
        """(batch, given, rows, columns), (batch, time) -> (batch, wanted, rows, columns)."""
        inner: Tensor = self.conv1(F.silu(self.norm1(cells)))
        if self.time_emb_proj is not None and time is not None:
            inner = inner + self.time_emb_proj(F.silu(time))[:, :, None, None]
        inner = self.conv2(F.silu(self.norm2(inner)))
        return inner + (cells if self.conv_shortcut is None else self.conv_shortcut(cells))


class Attention(nn.Module):
    """Attention with several heads, of tokens to themselves or to a condition."""

    def __init__(self, width: int, heads: int, condition: int | None = None, bias: bool = False) -> None:
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(width, width, bias=bias)
        self.to_k = nn.Linear(condition or width, width, bias=bias)
        self.to_v = nn.Linear(condition or width, width, bias=bias)
        self.to_out = nn.ModuleList([nn.Linear(width, width)])

    def forward(self, tokens: Tensor, condition: Tensor | None = None) -> Tensor:
        """(batch, tokens, width), (batch, more tokens, condition) -> (batch, tokens, width)."""
        seen = tokens if condition is None else condition
        q, k, v = self.to_q(tokens), self.to_k(seen), self.to_v(seen)
        q, k, v = (each.unflatten(-1, (self.heads, -1)).transpose(1, 2) for each in (q, k, v))
        found = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        answer: Tensor = self.to_out[0](found)
        return answer


class Gated(nn.Module):
    """A linear layer whose second half gates the first (GEGLU)."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.proj = nn.Linear(width, 2 * inner)

    def forward(self, tokens: Tensor) -> Tensor:
        """(batch, tokens, width) -> (batch, tokens, inner)."""
        kept, gate = self.proj(tokens).chunk(2, -1)
        opened: Tensor = kept * F.gelu(gate)
        return opened


class Feed(nn.Module):
    """The feed-forward part of a transformer block."""

    def __init__(self, width: int) -> None:
        super().__init__()
        # the middle one stands for dropout, which has no weights
        self.net = nn.ModuleList([Gated(width, 4 * width), nn.Identity(), nn.Linear(4 * width, width)])

    def forward(self, tokens: Tensor) -> Tensor:
        """(batch, tokens, width) -> the same."""
        found: Tensor = self.net[2](self.net[0](tokens))
        return found


class TransformerBlock(nn.Module):
    """Attention of cells to each other, then to the prompt, then a feed-forward part."""

    def __init__(self, width: int, heads: int, condition: int) -> None:
        super().__init__()
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))
        self.attn1 = Attention(width, heads)
        self.attn2 = Attention(width, heads, condition)
        self.ff = Feed(width)

    def forward(self, tokens: Tensor, condition: Tensor) -> Tensor:
        """(batch, tokens, width), (batch, words, condition) -> (batch, tokens, width)."""
        tokens = self.attn1(self.norm1(tokens)) + tokens
        tokens = self.attn2(self.norm2(tokens), condition) + tokens
        answer: Tensor = self.ff(self.norm3(tokens)) + tokens
        return answer


class Spatial(nn.Module):
    """Transformer blocks over the cells of a canvas.

    Args:
        width: Channels.
        heads: Of each attention.
        condition: Width of the prompt's tokens.
        depth: Number of blocks.
        groups: Of the group norm.
        linear: Cells are projected by linear layers, as in Stable Diffusion 2; else by convolutions of size 1.
    """

    def __init__(self, width: int, heads: int, condition: int, depth: int, groups: int, linear: bool) -> None:
        super().__init__()
        self.linear = linear
        self.norm = nn.GroupNorm(groups, width, 1e-6)
        self.proj_in = nn.Linear(width, width) if linear else nn.Conv2d(width, width, 1)
        self.transformer_blocks = nn.ModuleList(
            [TransformerBlock(width, heads, condition) for _ in range(depth)]
        )
        self.proj_out = nn.Linear(width, width) if linear else nn.Conv2d(width, width, 1)

    def forward(self, cells: Tensor, condition: Tensor) -> Tensor:
        """(batch, width, rows, columns), (batch, words, condition) -> (batch, width, rows, columns)."""
        rows = cells.shape[2]
        inner = self.norm(cells)
        if not self.linear:
            inner = self.proj_in(inner)
        tokens = inner.permute(0, 2, 3, 1).flatten(1, 2)
        if self.linear:
            tokens = self.proj_in(tokens)
        for block in self.transformer_blocks:
            tokens = block(tokens, condition)
        if self.linear:
            tokens = self.proj_out(tokens)
        inner = _as_laid_out(tokens.unflatten(1, (rows, -1)).permute(0, 3, 1, 2), cells)
        if not self.linear:
            inner = self.proj_out(inner)
        found: Tensor = inner + cells
        return found


def _as_laid_out(inner: Tensor, cells: Tensor) -> Tensor:
    """Cells in memory as another tensor has them: channels last stays so, anything else becomes plain."""
    last = cells.is_contiguous(memory_format=torch.channels_last)
    return inner if last else inner.contiguous()


class Half(nn.Module):
    """Half the size, by a convolution with stride 2."""

    def __init__(self, channels: int, padding: int) -> None:
        super().__init__()
        self.padding = padding
        self.conv = nn.Conv2d(channels, channels, 3, 2, padding)

    def forward(self, cells: Tensor) -> Tensor:
        """(batch, channels, rows, columns) -> half as many rows and columns."""
        halved: Tensor = self.conv(cells if self.padding else F.pad(cells, (0, 1, 0, 1)))
        return halved


class Double(nn.Module):
    """Double the size: each cell four times, then a convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, cells: Tensor, size: Any = None) -> Tensor:
        """(batch, channels, rows, columns) -> twice as many, or `size`."""
        if size is None:
            larger = F.interpolate(cells, scale_factor=2.0, mode="nearest")
        else:
            larger = F.interpolate(cells, size=size, mode="nearest")
        doubled: Tensor = self.conv(larger)
        return doubled
