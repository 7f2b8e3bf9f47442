"""Weights over the tokens of a text condition (Images from In-the-wild Sounds, ICCV 2023, section 3.3)."""

from torch import Tensor


def weighted(condition: Tensor, weights: Tensor) -> Tensor:
    """Each token's numbers times its weight, then scaled so that the mean stays that of the condition.

    Shape:
        - condition: (batch, tokens, width), its mean not zero
        - weights: (tokens,)
        - Output: as `condition`
    """
    raised = condition * weights[:, None]
    return raised * (condition.mean() / raised.mean())
