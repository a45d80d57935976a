"""NCA of pairs (Chen et al. 2024, arXiv 2402.05369)."""

import torch.nn.functional as F
from torch import Tensor

from sysgraph_schemas import Fit

from .sides import Sides


def nca_pair(sides: Sides, fit: Fit) -> Tensor:
    """Raises chosen, and holds both sides near the reference: [...]."""
    chosen, rejected = fit.beta * sides.chosen, fit.beta * sides.rejected
    return -F.logsigmoid(chosen) - 0.5 * F.logsigmoid(-chosen) - 0.5 * F.logsigmoid(-rejected)
