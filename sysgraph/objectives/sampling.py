"""SysDPO-Sampling (arXiv 2502.17721, section 2.3; appendix B, eq. 9): with unobserved values.

A trajectory y_a gives every unobserved variable a value. Every function takes the joint
log-probabilities `joint` = log p(y_a, z | x) of the distinct trajectories of a pair, the sum of ALL
the system's terms, frozen ones too, in nats: [..., A], or [2, B, A] by side (0 chosen, 1 rejected)
and pair. It is -inf where there is no a-th trajectory, and where a trajectory cannot give z: one
that a parser rejects carries its mass to no z. Pairs with nothing unobserved have one trajectory,
and then the loss is SysDPO-Direct's.

Given how the trajectories were drawn, the marginal log p(z | x) is estimated in one of two ways:

`set_sum` (without `log_q`)
    log sum_a p(y_a, z | x), eq. 9, over distinct trajectories however they were found. A part of
    the sum, so never above log p(z | x), and log p(z | x) itself once every y is there. Fed
    independent draws with their duplicates it is wrong for any number of them: it grows as log n
    and weighs p(y) twice, once in the drawing and once in the sum.
`importance` (with `log_q`)
    log [ sum_a m_a p(y_a, z | x) / q(y_a) / n ] over n independent draws from q, of which m_a are
    y_a. Its exponential is unbiased for p(z | x), as is that one's gradient. Drawn from p(y | x)
    itself, each weight has the value p(z | x, y_a); its gradient still reaches log p(y_a | x).
"""

import torch
from torch import Tensor

from sysgraph_schemas import Fit

from .losses import Sides, preference_loss

_NEVER = float("-inf")


def marginal_log_prob(
    joint: Tensor, log_q: Tensor | None = None, draws: Tensor | None = None
) -> Tensor:
    """Log p(z | x), as `set_sum` or `importance` estimates it: [...], nats.

    -inf, with zero gradient, where no trajectory gives z.

    Args:
        joint: [..., A].
        log_q: [..., A] log-probability of each trajectory's y under the distribution that drew it
            (given whatever was drawn before it and then dropped: equal y with different q are two
            trajectories), held constant; absent: `set_sum`.
        draws: [..., A] m_a, how often each trajectory was drawn, those that cannot give z included
            and 0 where there is none; absent: each once. `set_sum` counts every trajectory once.
    """
    summands, drawn = _summands(joint, log_q, draws)
    impossible = (summands == _NEVER).all(-1, keepdim=True)
    # The derivative of logsumexp is 0/0 where every summand is -inf: those rows go around it.
    total = torch.where(impossible, torch.zeros_like(summands), summands).logsumexp(-1)
    total = total if drawn is None else total - drawn.log()
    return total.masked_fill(impossible.squeeze(-1), _NEVER)


def posterior_weights(
    joint: Tensor, log_q: Tensor | None = None, draws: Tensor | None = None
) -> Tensor:
    """The share of each trajectory in p(z | x), no gradient: [..., A]; 0 where none gives z.

    With all y enumerated it is the posterior p(y_a | x, z). Arguments as in `marginal_log_prob`.
    """
    summands, _ = _summands(joint.detach(), log_q, draws)
    impossible = (summands == _NEVER).all(-1, keepdim=True)
    return torch.where(impossible, torch.zeros_like(summands), summands.softmax(-1))


def posterior_mean(
    reference: Tensor,
    values: Tensor,
    log_q: Tensor | None = None,
    draws: Tensor | None = None,
) -> Tensor:
    """The mean of a property of trajectories over the reference's posterior, no gradient: [2, B].

    0 where no trajectory gives z. `loss: ipo` and the anchor take lengths so: the derivative of
    log p(z | x) is the posterior mean of the trajectories' (Fisher's identity), so its length is
    the posterior mean of theirs. The posterior is the reference's: a constant of the trajectories,
    through which a policy cannot lower its loss by preferring long ones.

    Args:
        reference: [2, B, A].
        values: [2, B, A], of each trajectory and side.
        log_q: as in `sampling_loss`.
        draws: as in `sampling_loss`.
    """
    weights = posterior_weights(reference, log_q, draws)
    # A trajectory that cannot give z may have an infinite value.
    return torch.where(weights > 0, weights * values.detach(), torch.zeros_like(weights)).sum(-1)


def usable(
    policy: Tensor,
    reference: Tensor,
    log_q: Tensor | None = None,
    draws: Tensor | None = None,
) -> Tensor:
    """Whether a trajectory gives each side's z, under policy and reference: [B] bool.

    Other pairs teach nothing: `sampling_loss` gives them 0. Arguments as `sampling_loss` has them.
    """
    found = (_summands(p, log_q, draws)[0] != _NEVER for p in (policy, reference))
    return torch.stack([some.any(-1).all(0) for some in found]).all(0)


def sampling_loss(
    policy: Tensor,
    reference: Tensor,
    tokens: Tensor,
    fit: Fit,
    log_q: Tensor | None = None,
    draws: Tensor | None = None,
    nll: Tensor | None = None,
) -> Tensor:
    """-log sigmoid( beta * [ log p/p_ref (z_w | x) - log p/p_ref (z_l | x) ] ): [B].

    Or another function of the two sides' ratios, as `fit.loss` says. Exactly 0, with zero gradient,
    where a pair is not `usable`; NaN in `joint` stays NaN.

    Args:
        policy: [2, B, A].
        reference: [2, B, A], of the same trajectories.
        tokens: [2, B] scored tokens, which `loss: ipo` divides by; see `posterior_mean`.
        fit: `loss` and its settings.
        log_q: [2, B, A] or [B, A], one for policy and reference; see `marginal_log_prob`.
        draws: [2, B, A] or [B, A]; see `marginal_log_prob`.
        nll: [B] chosen's negative log-likelihood per token, for `loss: sft`.
    """
    kept = usable(policy, reference, log_q, draws)  # (B,)
    after = marginal_log_prob(policy, log_q, draws)  # (2, B)
    before = marginal_log_prob(reference, log_q, draws)
    system = torch.where(kept, after - before, torch.zeros_like(after))
    losses = preference_loss(Sides(system[0], system[1], tokens, nll), fit)
    return torch.where(kept, losses, torch.zeros_like(losses))


def marginal_nll(
    policy: Tensor,
    tokens: Tensor,
    log_q: Tensor | None = None,
    draws: Tensor | None = None,
) -> Tensor:
    """-log p(z_w | x) per token of the chosen side: [B]; 0, no gradient, where no y_a gives z_w.

    Args:
        policy: [2, B, A].
        tokens: [2, B] scored tokens; see `posterior_mean`.
        log_q: as in `sampling_loss`.
        draws: as in `sampling_loss`.
    """
    chosen = marginal_log_prob(policy, log_q, draws)[0]
    chosen = torch.where(chosen == _NEVER, torch.zeros_like(chosen), chosen)
    return -chosen / tokens[0].clamp(min=1)


def _summands(
    joint: Tensor, log_q: Tensor | None, draws: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    """What is summed over a, as logarithms, [..., A], and the number n that divides it, [...]."""
    if log_q is None:
        return joint, None
    if draws is None:
        draws = torch.ones_like(log_q)
    counts = draws.to(joint.dtype)
    weighted = joint - log_q.detach() + counts.log()  # log m_a p(y_a, z | x) / q(y_a)
    # -inf minus the -inf of a padded log_q would be NaN.
    absent = (joint == _NEVER) | (counts == 0)
    return weighted.masked_fill(absent, _NEVER), counts.sum(-1)
