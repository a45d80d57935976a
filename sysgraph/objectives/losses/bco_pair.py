"""BCO of pairs (Jung et al. 2024, arXiv 2404.04656), with a shift of 0 as TRL has it."""

import torch.nn.functional as F
from torch import Tensor

from sysgraph_schemas import Fit

from .sides import Sides


def bco_pair(sides: Sides, fit: Fit) -> Tensor:
    """Classifies chosen against the reference, and rejected: [...]."""
    return -F.logsigmoid(fit.beta * sides.chosen) - F.logsigmoid(-fit.beta * sides.rejected)
