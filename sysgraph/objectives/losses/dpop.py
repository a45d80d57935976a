"""DPO-Positive (Pal et al. 2024, arXiv 2402.13228): chosen is kept from losing likelihood."""

import torch.nn.functional as F
from torch import Tensor

from sysgraph_schemas import Fit

from .sides import Sides


def dpop(sides: Sides, fit: Fit) -> Tensor:
    """Takes from the margin, inside the sigmoid, what chosen lost against the reference: [...].

    Eq. 3. Of an image, a loss is what its denoising error rose by (`-log p/p_ref`).
    """
    lost = F.relu(-sides.chosen)
    return -F.logsigmoid(fit.beta * (sides.margin - fit.dpop_lambda * lost))
