"""SPPO (Wu et al. 2024, arXiv 2405.00675) with preferences of 1 and 0."""

from torch import Tensor

from sysgraph_schemas import Fit

from .sides import Sides


def sppo_hard(sides: Sides, fit: Fit) -> Tensor:
    """Eq. 4.7: log-ratios of 1 / (2 beta) for chosen, of its negative for rejected: [...]."""
    target = 0.5 / fit.beta
    return (sides.chosen - target) ** 2 + (sides.rejected + target) ** 2
