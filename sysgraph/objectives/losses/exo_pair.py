"""EXO of pairs (Ji et al. 2024, arXiv 2402.00856)."""

import math

import torch.nn.functional as F
from torch import Tensor

from sysgraph_schemas import Fit

from .sides import Sides


def exo_pair(sides: Sides, fit: Fit) -> Tensor:
    """KL( [sigmoid(beta m), sigmoid(-beta m)] || [1 - epsilon, epsilon] ), eq. 16: [...]."""
    margin, epsilon = fit.beta * sides.margin, fit.label_smoothing
    right = margin.sigmoid() * (F.logsigmoid(margin) - math.log1p(-epsilon))
    return right + (-margin).sigmoid() * (F.logsigmoid(-margin) - math.log(epsilon))
