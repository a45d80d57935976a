"""DiscoPOP (Lu et al. 2024, arXiv 2406.08414), a loss that a language model found."""

import torch.nn.functional as F
from torch import Tensor

from sysgraph_schemas import Fit

from .sides import Sides


def discopop(sides: Sides, fit: Fit) -> Tensor:
    """A blend of the logistic and the exponential loss by the margin itself, eq. 5: [...]."""
    margin = fit.beta * sides.margin
    share = (margin / fit.discopop_tau).sigmoid()
    return -F.logsigmoid(margin) * (1 - share) + (-margin).exp() * share
