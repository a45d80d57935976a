"""The hinge of SLiC (Zhao et al. 2023, arXiv 2305.10425)."""

import torch
from torch import Tensor

from sysgraph_schemas import Fit

from .sides import Sides


def hinge(sides: Sides, fit: Fit) -> Tensor:
    """max(0, 1 - beta * margin): [...]."""
    return torch.relu(1 - fit.beta * sides.margin)
