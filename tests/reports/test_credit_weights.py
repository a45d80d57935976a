"""Shares of a log-ratio: they sum to it, whatever is summed over; against closed forms."""

import pytest
import torch
from torch import Tensor

from sysgraph.objectives.credit import (
    credit_weights,
    logarithmic_mean,
    ratio_shares,
    system_ratio,
)


@pytest.fixture
def terms() -> tuple[Tensor, Tensor, Tensor]:
    """[2, 300, A = 6, V = 4] log p and log p_ref, some of them 0 probability, and what exists."""
    generator = torch.Generator().manual_seed(3)
    shape = (2, 300, 6, 4)
    policy, reference = (
        4 * torch.randn(shape, generator=generator, dtype=torch.float64) for _ in range(2)
    )
    never = torch.rand(shape, generator=generator) < 0.05
    possible = torch.rand(shape[:3], generator=generator) < 0.7
    infinite = float("-inf")
    return policy.masked_fill(never, infinite), reference.masked_fill(never, infinite), possible


def by_hand(values: Tensor, possible: Tensor, constants: Tensor) -> Tensor:
    """Log of the sum over trajectories, as probabilities."""
    return (values.sum(-1).exp() * constants * possible).sum(-1).log()


@pytest.mark.parametrize("weighted", [False, True], ids=["set_sum", "importance"])
def test_shares_sum_to_the_ratio_of_the_sums(
    terms: tuple[Tensor, Tensor, Tensor], weighted: bool
) -> None:
    policy, reference, possible = terms
    generator = torch.Generator().manual_seed(4)
    log_q = torch.randn(possible.shape, generator=generator, dtype=torch.float64)
    draws = torch.randint(1, 4, possible.shape, generator=generator).double()
    drawn = (log_q, draws) if weighted else (None, None)
    constants = draws / log_q.exp() if weighted else torch.ones_like(draws)
    expected = by_hand(policy, possible, constants) - by_hand(reference, possible, constants)
    known = expected.isfinite()
    assert 0 < int((~known).sum()) < 60, "some pairs have no trajectory"
    shares = ratio_shares(policy, reference, possible, *drawn)
    found = system_ratio(policy, reference, possible, *drawn)
    torch.testing.assert_close(found[known], expected[known])
    torch.testing.assert_close(shares.sum(-1)[known], expected[known])
    assert not shares[~known].any()
    # Policy and reference exchanged, all that was gained is lost.
    torch.testing.assert_close(ratio_shares(reference, policy, possible, *drawn), -shares)


def test_one_trajectory_credits_each_node_with_its_own_ratio(
    terms: tuple[Tensor, Tensor, Tensor],
) -> None:
    policy, reference, _ = (part[:, :, :1] for part in terms)
    finite = (policy - reference).isfinite().all(-1)
    shares = ratio_shares(policy, reference, finite)
    own = (policy - reference)[:, :, 0].nan_to_num().where(finite, 0)
    torch.testing.assert_close(shares, own)


def test_weights_are_the_posterior_where_nothing_moved() -> None:
    joint = torch.tensor([-1.0, -2.0, -0.5, float("-inf")], dtype=torch.float64)
    torch.testing.assert_close(credit_weights(joint, joint), joint.softmax(-1))


def test_a_latent_node_is_credited_through_the_posterior_alone() -> None:
    """Two trajectories; the policy moved mass to the first, which z comes from."""
    upstream = torch.tensor([[0.8, 0.2], [0.5, 0.5]], dtype=torch.float64).log()
    downstream = torch.tensor([0.9, 0.1], dtype=torch.float64).log()
    policy, reference = (torch.stack([row, downstream], -1) for row in upstream)
    shares = ratio_shares(policy, reference, torch.ones(2, dtype=torch.bool))
    ratio = torch.tensor((0.8 * 0.9 + 0.2 * 0.1) / (0.5 * 0.9 + 0.5 * 0.1), dtype=torch.float64)
    torch.testing.assert_close(shares[0], ratio.log())
    assert shares[1] == 0, "its probabilities are what they were"


def test_the_logarithmic_mean_against_its_integral() -> None:
    """L(x, y) is the integral of x^t y^(1 - t) over t from 0 to 1."""
    x = torch.tensor([1e-30, 0.3, 0.3, 0.5, 1.0], dtype=torch.float64)
    y = torch.tensor([1.0, 0.3, 0.3 * (1 + 1e-7), 0.1, 1e-4], dtype=torch.float64)
    t = torch.linspace(0, 1, 200_001, dtype=torch.float64)[:, None]
    expected = torch.trapezoid(x**t * y ** (1 - t), t, dim=0)
    torch.testing.assert_close(logarithmic_mean(x, y), expected, rtol=1e-7, atol=0)
