"""Losses of one preference, given how far each side moved from the reference."""

import torch
import torch.nn.functional as F
from torch import Tensor

from sysgraph_schemas import Fit


def preference_loss(
    chosen: Tensor,
    rejected: Tensor,
    *,
    beta: float,
    loss: str = "sigmoid",
    label_smoothing: float = 0.0,
) -> Tensor:
    """The loss of each preference: [B].

    Args:
        chosen: [B] log p/p_ref of the preferred side, nats (`ipo`: per token, as TRL divides it).
        rejected: [B] the same of the other side.
        beta: strength of the pull to the reference (`ipo`: its tau).
        loss: `sigmoid` (DPO, Rafailov et al. 2023, eq. 7; with label smoothing conservative DPO),
            `ipo` (Azar et al. 2023, eq. 17) or `hinge` (SLiC, Zhao et al. 2023).
        label_smoothing: assumed share of flipped preferences, for `sigmoid`.
    """
    margin = chosen - rejected
    if loss == "sigmoid":
        flipped = -F.logsigmoid(-beta * margin)
        return -F.logsigmoid(beta * margin) * (1 - label_smoothing) + flipped * label_smoothing
    if loss == "ipo":
        return (margin - 1 / (2 * beta)) ** 2
    if loss == "hinge":
        return torch.relu(1 - beta * margin)
    raise ValueError(f"unknown loss {loss!r}: sigmoid, ipo or hinge")


def by_settings(chosen: Tensor, rejected: Tensor, fit: Fit) -> Tensor:
    """`preference_loss` with a graph's settings."""
    return preference_loss(
        chosen, rejected, beta=fit.beta, loss=fit.loss, label_smoothing=fit.label_smoothing
    )
