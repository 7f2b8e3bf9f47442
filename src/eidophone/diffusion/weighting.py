"""Weights over the tokens of a text condition (Images from In-the-wild Sounds, ICCV 2023, section 3.3)."""

from torch import Tensor

#: Share of the deviation below which a mean is a remainder.
_NO_MEAN = 0.005


def weighted(condition: Tensor, weights: Tensor) -> Tensor:
    """Each token's numbers times its weight, then scaled so that the mean stays that of the condition.

    Some text encoders end in a normalisation that leaves no mean; a quotient of two remainders would say
    nothing there, so the mean square stays instead.

    Shape:
        - condition: (batch, tokens, width)
        - weights: (tokens,)
        - Output: as `condition`
    """
    raised = condition * weights[:, None]
    if condition.mean().abs() < _NO_MEAN * condition.std():
        return raised * (condition.square().mean() / raised.square().mean()).sqrt()
    return raised * (condition.mean() / raised.mean())
