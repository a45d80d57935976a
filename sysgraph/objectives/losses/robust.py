"""Robust DPO (Chowdhury et al. 2024, arXiv 2403.00409): unbiased where labels flip."""

import torch.nn.functional as F
from torch import Tensor

from sysgraph_schemas import Fit

from .sides import Sides


def robust(sides: Sides, fit: Fit) -> Tensor:
    """Eq. 9: its mean over labels that flip with probability epsilon is the loss of clean ones."""
    margin, epsilon = fit.beta * sides.margin, fit.label_smoothing
    clean, flipped = -F.logsigmoid(margin), -F.logsigmoid(-margin)
    return ((1 - epsilon) * clean - epsilon * flipped) / (1 - 2 * epsilon)
