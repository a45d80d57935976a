"""Which node a system's log-ratio comes from, exactly, also where values are summed over.

With every value observed, log p/p_ref of a side is the sum of its terms' own log-ratios (arXiv
2502.17721, section 2.2, eq. 5), so each node's share is its own ratio. In SysDPO-Sampling (section
2.3) the ratio is that of two sums over trajectories y_a,

    M = log sum_a c_a p(y_a, z | x)  -  log sum_a c_a p_ref(y_a, z | x)

with constants c_a (1, or m_a / q(y_a)). Write d_a = log p/p_ref (y_a, z | x) = sum_v d_av over
nodes v, and pi_a, rho_a for the trajectories' posteriors under policy and reference: each one's
part of its sum. Then a node's share is its mean log-ratio under weights w between the posteriors,

    M = sum_v sum_a w_a d_av,     w_a = L(pi_a, rho_a) / sum_b L(pi_b, rho_b)

where L(x, y) = (x - y) / (log x - log y), L(x, x) = x, is the logarithmic mean.

Proof. log pi_a - log rho_a = d_a - M, as the c_a cancel. Times L(pi_a, rho_a), this is
pi_a - rho_a = L(pi_a, rho_a) (d_a - M). Summed over a, the left side is 1 - 1 = 0, so
M sum_a L(pi_a, rho_a) = sum_a L(pi_a, rho_a) d_a. The logarithmic mean lies between its arguments,
so some weight is positive wherever the posteriors overlap.

These are the weights of the Sato-Vartia index (Sato 1976; Vartia 1976): where policy and reference
agree they are the posterior itself; policy and reference exchanged, every share changes its sign;
a node whose ratio is 0 in every trajectory has none; with one trajectory the share is its ratio.
"""

import torch
from torch import Tensor

from .sampling import marginal_log_prob, posterior_weights


def credit_weights(
    policy: Tensor,
    reference: Tensor,
    log_q: Tensor | None = None,
    draws: Tensor | None = None,
) -> Tensor:
    """The weights w of trajectories, by which nodes' log-ratios add up to M: [..., A].

    They sum to 1; all are 0 where no trajectory gives z under both.

    Args:
        policy: [..., A] log p(y_a, z | x), nats; -inf where a trajectory cannot give z.
        reference: [..., A] log p_ref of the same.
        log_q: [..., A], see `marginal_log_prob`.
        draws: [..., A], see `marginal_log_prob`.
    """
    pi = posterior_weights(policy, log_q, draws)
    rho = posterior_weights(reference, log_q, draws)
    both = (pi > 0) & (rho > 0)
    means = logarithmic_mean(pi.where(both, 1), rho.where(both, 1)).where(both, 0)
    total = means.sum(-1, keepdim=True)
    return torch.where(total > 0, means / total.where(total > 0, 1), torch.zeros_like(means))


def logarithmic_mean(x: Tensor, y: Tensor) -> Tensor:
    """(x - y) / (log x - log y) of positive numbers, x where they are equal: of their shape."""
    half = (x.log() - y.log()) / 2
    # sqrt(x y) sinh(h) / h: no difference of like numbers. Near 0, sinh(h) / h is 1 + h^2 / 6.
    near = half.abs() < 1e-4
    ratio = torch.where(near, 1 + half.square() / 6, half.sinh() / half.where(~near, 1))
    return (x * y).sqrt() * ratio


def ratio_shares(
    policy: Tensor,
    reference: Tensor,
    possible: Tensor,
    log_q: Tensor | None = None,
    draws: Tensor | None = None,
) -> Tensor:
    """Each node's share of log p/p_ref of a side's observed values: [..., V], nats.

    They sum to `system_ratio` of the same.

    Args:
        policy: [..., A, V] log p of each node in each trajectory, nats, 0 where it has no term.
        reference: [..., A, V] log p_ref of the same.
        possible: [..., A] whether there is an a-th trajectory, and it gives the observed values.
        log_q: [..., A], see `marginal_log_prob`.
        draws: [..., A], see `marginal_log_prob`.
    """
    after, before = (_joint(values, possible) for values in (policy, reference))
    weights = credit_weights(after, before, log_q, draws).unsqueeze(-1)
    # Where the weight is 0, the ratio may be -inf - -inf.
    return torch.where(weights > 0, weights * (policy - reference), torch.zeros_like(policy)).sum(
        -2
    )


def system_ratio(
    policy: Tensor,
    reference: Tensor,
    possible: Tensor,
    log_q: Tensor | None = None,
    draws: Tensor | None = None,
) -> Tensor:
    """Log p/p_ref of a side's observed values: [...], nats. Arguments as `ratio_shares` has them.

    0 where no trajectory gives them under both.
    """
    after, before = (
        marginal_log_prob(_joint(values, possible), log_q, draws) for values in (policy, reference)
    )
    known = after.isfinite() & before.isfinite()
    return torch.where(known, after - before, torch.zeros_like(after))


def _joint(values: Tensor, possible: Tensor) -> Tensor:
    return values.sum(-1).masked_fill(~possible, float("-inf"))
