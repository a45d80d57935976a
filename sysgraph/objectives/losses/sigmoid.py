"""DPO (Rafailov et al. 2023, arXiv 2305.18290); with label smoothing, conservative DPO."""

import torch.nn.functional as F
from torch import Tensor

from sysgraph_schemas import Fit

from .sides import Sides


def sigmoid(sides: Sides, fit: Fit) -> Tensor:
    """The logistic loss of beta * margin, eq. 7: [...]."""
    margin, epsilon = fit.beta * sides.margin, fit.label_smoothing
    return -F.logsigmoid(margin) * (1 - epsilon) - F.logsigmoid(-margin) * epsilon
