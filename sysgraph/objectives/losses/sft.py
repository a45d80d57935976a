"""Supervised fine-tuning on chosen, as a part of a mix."""

from torch import Tensor

from sysgraph_schemas import Fit

from .sides import Sides


def sft(sides: Sides, fit: Fit) -> Tensor:
    """Chosen's negative log-likelihood per token: [...]; `fit` has no say in it."""
    if sides.nll is None:
        raise ValueError("sft needs the likelihood of the chosen side (`nll`)")
    return sides.nll
