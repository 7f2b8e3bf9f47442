"""A narrow network's weights in a wider one that does nearly the same (Net2Net, Chen et al., ICLR 2016).

Channels that are missing are copies of their neighbours, and what reads a channel reads both copies, in
unequal shares, so that they can grow apart. Group normalisation sees the same numbers, except where groups
reach over the seam of what is concatenated; nor is it the same where a block's input and output become
equally wide and its shortcut goes. A short training mends that.
"""

import torch
from torch import Tensor, nn

#: What one of two copies gets of a weight, from and to; the other gets the rest.
SHARES = (0.25, 0.75)
#: Reads the waves of a timestep: every second of twice as many is one of the old.
TIME = "time_embedding.linear_1.weight"


def sources(old: int, new: int) -> Tensor:
    """Which old channel every new one copies, (new,): the last ones twice, neighbours side by side.

    What was concatenated before the part that grew stands first and is kept once.
    """
    once = 2 * old - new
    if once < 0:
        raise ValueError(f"{old} channels cannot become {new}: no channel is copied more than once")
    return torch.cat([torch.arange(once), torch.arange(once, old).repeat_interleave(2)])


def widened(known: dict[str, Tensor], net: nn.Module, seed: int = 0) -> dict[str, Tensor]:
    """The state of `net` that does what a narrower network of the same build did.

    Args:
        known: State of the narrower network; entries of the right shape are returned as they are, those
            that the wider one does not have are left out.
        net: The wider one, at most twice as wide anywhere.
        seed: Of the unequal shares.

    Raises:
        ValueError: something is more than twice as wide.
    """
    draw = torch.Generator().manual_seed(seed)
    return {
        name: known[name] if known[name].shape == want.shape else grown(name, known[name], want.shape, draw)
        for name, want in net.state_dict().items()
    }


def grown(name: str, weight: Tensor, shape: torch.Size, draw: torch.Generator) -> Tensor:
    """One weight in its new shape, (out, in, *) or (out,)."""
    weight = weight[sources(len(weight), shape[0])]
    if weight.dim() == 1 or weight.shape[1] == shape[1]:
        return weight
    if name == TIME:
        wider = weight.new_zeros(shape)
        wider[:, ::2] = weight
        return wider
    source = sources(weight.shape[1], shape[1])
    copies = source.bincount()[source]
    low, high = SHARES
    first = low + (high - low) * torch.rand(shape[0], int((copies == 2).sum()) // 2, generator=draw)
    share = torch.ones(shape[:2])
    share[:, copies == 2] = torch.stack([first, 1 - first], 2).flatten(1)
    return weight[:, source] * share.reshape(*share.shape, *(1 for _ in shape[2:]))
