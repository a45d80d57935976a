"""IPO (Azar et al. 2023, arXiv 2310.12036), per token as its authors and TRL have it."""

from torch import Tensor

from sysgraph_schemas import Fit

from .sides import Sides


def ipo(sides: Sides, fit: Fit) -> Tensor:
    """(margin per token - 1 / (2 beta))^2, eq. 17, where beta is tau: [...]."""
    return (sides.margin_per_token - 1 / (2 * fit.beta)) ** 2
