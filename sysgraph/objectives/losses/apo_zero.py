"""APO-zero (D'Oosterlinck et al. 2024, arXiv 2408.06266): chosen beats the model."""

from torch import Tensor

from sysgraph_schemas import Fit

from .sides import Sides


def apo_zero(sides: Sides, fit: Fit) -> Tensor:
    """Raises chosen and lowers rejected, eq. 7: [...]."""
    return 1 - (fit.beta * sides.chosen).sigmoid() + (fit.beta * sides.rejected).sigmoid()
