"""Copies a narrow network's weights into a wider one that does nearly the same (Net2Net, ICLR 2016).

New channels are copies of their neighbours. Layers that read a channel read both copies, with unequal
weights, so that the copies can diverge in training. The result is not exact where a group of group
normalization spans two concatenated inputs, and where a block loses its shortcut because its input and
output become equally wide. A short training corrects that.
"""

import torch
from torch import Tensor, nn

#: Share of a weight that one of two copies gets, smallest and largest; the other copy gets the rest.
SHARES = (0.25, 0.75)
#: Reads the sinusoids of the timestep: every second one of twice as many is an old one.
TIME = "time_embedding.linear_1.weight"


def sources(old: int, new: int) -> Tensor:
    """The old channel that each new channel copies, (new,): the last ones twice, copies side by side.

    Channels that were concatenated in front of the part that grew are copied once.
    """
    once = 2 * old - new
    if once < 0:
        raise ValueError(f"{old} channels cannot become {new}: no channel may be copied more than once")
    return torch.cat([torch.arange(once), torch.arange(once, old).repeat_interleave(2)])


def widened(known: dict[str, Tensor], net: nn.Module, seed: int = 0) -> dict[str, Tensor]:
    """A state for `net` with which it does what a narrower network of the same layout did.

    Args:
        known: State of the narrower network. Entries with the right shape are returned unchanged; entries
            that the wider network lacks are left out.
        net: The wider network, at most twice as wide everywhere.
        seed: Seed of the unequal shares.

    Raises:
        ValueError: a layer is more than twice as wide.
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
