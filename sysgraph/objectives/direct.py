"""SysDPO-Direct (arXiv 2502.17721, section 2.2) and the baseline that aligns each node alone.

Every function takes log-probabilities by side, pair and term: [2, B, T], side 0 chosen, side 1
rejected, nats, 0 where a side has no such term or the term cancels.
"""

import torch
from torch import Tensor

from sysgraph_schemas import Fit

from .losses import Sides, preference_loss


def log_ratios(policy: Tensor, reference: Tensor, compared: Tensor) -> Tensor:
    """Log p/p_ref of every term: [2, B, T]; exactly 0 where a term is not compared.

    Args:
        policy: [2, B, T].
        reference: [2, B, T].
        compared: [B, T] bool: the term differs between the sides and is trained.
    """
    return torch.where(compared, policy - reference, torch.zeros_like(policy))


def direct_loss(ratios: Tensor, tokens: Tensor, fit: Fit, nll: Tensor | None = None) -> Tensor:
    """-log sigmoid( beta * [ log p/p_ref (s_w | x) - log p/p_ref (s_l | x) ] ): [B].

    Or another function of the two sides' ratios, as `fit.loss` says. The factorization makes
    log p(s | x) the sum of the terms (section 2.2, eq. 5), so the system's ratio is the sum of its
    terms' ratios.

    Args:
        ratios: [2, B, T], see `log_ratios`.
        tokens: [2, B, T] scored tokens, which `loss: ipo` divides by.
        fit: `loss` and its settings.
        nll: [B] chosen's negative log-likelihood per token, for `loss: sft`.
    """
    chosen, rejected = ratios.sum(-1)
    return preference_loss(Sides(chosen, rejected, tokens.sum(-1), nll), fit)


def node_losses(
    ratios: Tensor, tokens: Tensor, compared: Tensor, fit: Fit, nll: Tensor | None = None
) -> Tensor:
    """The sum over terms of each term's own DPO loss, as if its node were the whole system: [B].

    Args:
        ratios: [2, B, T], see `log_ratios`.
        tokens: [2, B, T] scored tokens.
        compared: [B, T] bool; a term that is not compared has no loss.
        fit: `loss` and its settings.
        nll: [B, T] each term's negative log-likelihood per token, for `loss: sft`.
    """
    losses = preference_loss(Sides(ratios[0], ratios[1], tokens, nll), fit)  # (B, T)
    return torch.where(compared, losses, torch.zeros_like(losses)).sum(-1)


def chosen_nll(policy: Tensor, tokens: Tensor) -> Tensor:
    """Negative log-likelihood of the chosen side per token: [B].

    Args:
        policy: [2, B, T].
        tokens: [2, B, T] scored tokens.
    """
    return -policy[0].sum(-1) / tokens[0].sum(-1).clamp(min=1)
