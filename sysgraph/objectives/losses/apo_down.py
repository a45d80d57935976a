"""APO-down (D'Oosterlinck et al. 2024, arXiv 2408.06266): the model beats chosen."""

from torch import Tensor

from sysgraph_schemas import Fit

from .sides import Sides


def apo_down(sides: Sides, fit: Fit) -> Tensor:
    """Lowers chosen, and rejected more, eq. 8: [...]."""
    return (fit.beta * sides.chosen).sigmoid() + 1 - (fit.beta * sides.margin).sigmoid()
