"""SysDPO-Sampling against eq. 9 written out in probabilities, and its edges."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import pad

from sysgraph import Fit
from sysgraph.objectives import (
    chosen_nll,
    covered_mass,
    direct_loss,
    distinct_samples,
    effective_samples,
    log_ratios,
    marginal_log_prob,
    marginal_nll,
    posterior_mean,
    posterior_weights,
    prefer_different,
    sampling_loss,
    usable,
)

B, A, T = 6, 5, 3
NEVER = -math.inf
FITS = [
    Fit(beta=0.2),
    Fit(beta=0.2, label_smoothing=0.1),
    Fit(beta=0.5, loss="ipo"),
    Fit(beta=0.2, loss="hinge"),
]
by_loss = pytest.mark.parametrize("fit", FITS, ids=lambda f: f"{f.loss}-{f.label_smoothing}")


def random_joint(seed: int, *, gone: float = 0.4) -> Tensor:
    """[2, B, A] log-probabilities, some -inf, at least one of each side and pair finite."""
    generator = torch.Generator().manual_seed(seed)
    joint = -6 * torch.rand(2, B, A, generator=generator, dtype=torch.float64)
    absent = torch.rand(2, B, A, generator=generator) < gone
    absent[..., 2] = False
    return joint.masked_fill(absent, NEVER)


def random_tokens() -> Tensor:
    return torch.randint(1, 9, (2, B), generator=torch.Generator().manual_seed(9)).double()


def eq_9(policy: Tensor, reference: Tensor, tokens: Tensor, fit: Fit) -> Tensor:
    """The loss of one pair, [2, A] each, in probabilities: no logsumexp, no masks."""
    ratios = [torch.log(policy[side].exp().sum() / reference[side].exp().sum()) for side in (0, 1)]
    if fit.loss == "ipo":
        return (ratios[0] / tokens[0] - ratios[1] / tokens[1] - 1 / (2 * fit.beta)) ** 2
    margin = fit.beta * (ratios[0] - ratios[1])
    if fit.loss == "hinge":
        return (1 - margin).clamp(min=0)
    smooth = fit.label_smoothing
    p = 1 / (1 + torch.exp(-margin))
    return -(1 - smooth) * torch.log(p) - smooth * torch.log(1 - p)


# ---- values and gradients


@by_loss
@pytest.mark.parametrize("seed", range(3))
def test_eq_9(fit: Fit, seed: int) -> None:
    policy = random_joint(seed).requires_grad_()
    reference, tokens = random_joint(seed + 100), random_tokens()
    found = sampling_loss(policy, reference, tokens, fit)
    (slope,) = torch.autograd.grad(found @ torch.arange(1.0, B + 1).double(), policy)
    again = policy.detach().clone().requires_grad_()
    wanted = torch.stack([eq_9(again[:, b], reference[:, b], tokens[:, b], fit) for b in range(B)])
    (wanted_slope,) = torch.autograd.grad(wanted @ torch.arange(1.0, B + 1).double(), again)
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-13)
    torch.testing.assert_close(slope, wanted_slope, rtol=1e-11, atol=1e-13)
    assert bool((slope[policy == NEVER] == 0).all())


@by_loss
def test_importance_weighs_policy_and_reference_alike(fit: Fit) -> None:
    """The loss is eq. 9's on the summands m_a p_a / q_a: n divides both sides' ratio away."""
    generator = torch.Generator().manual_seed(1)
    policy, reference = random_joint(20), random_joint(21)
    log_q = -3 * torch.rand(B, A, generator=generator, dtype=torch.float64)
    draws = torch.randint(1, 5, (B, A), generator=generator)
    tokens = random_tokens()
    found = sampling_loss(policy, reference, tokens, fit, log_q, draws)
    weighted = [joint + draws.log() - log_q for joint in (policy, reference)]
    wanted = [eq_9(weighted[0][:, b], weighted[1][:, b], tokens[:, b], fit) for b in range(B)]
    torch.testing.assert_close(found, torch.stack(wanted))


@by_loss
def test_one_trajectory_is_direct(fit: Fit) -> None:
    generator = torch.Generator().manual_seed(3)
    terms = (-10 * torch.rand(2, B, T, generator=generator, dtype=torch.float64)).requires_grad_()
    before = -10 * torch.rand(2, B, T, generator=generator, dtype=torch.float64)
    tokens = torch.randint(1, 9, (2, B, T), generator=generator).double()
    compared = torch.ones(B, T, dtype=torch.bool)
    direct = direct_loss(log_ratios(terms, before, compared), tokens, fit)
    joint, reference, lengths = (
        pad(values.sum(-1, keepdim=True), (0, 2), value=none)  # two more trajectories for others
        for values, none in ((terms, NEVER), (before, NEVER), (tokens, 0.0))
    )
    complete = pad(torch.zeros(B, 1), (0, 2), value=NEVER), pad(torch.ones(B, 1), (0, 2))
    for log_q, draws in ((None, None), complete):
        mean = posterior_mean(reference, lengths, log_q, draws)
        sampling = sampling_loss(joint, reference, mean, fit, log_q, draws)
        torch.testing.assert_close(sampling, direct, rtol=1e-12, atol=1e-13)
        ours, theirs = (
            torch.autograd.grad(loss.sum(), terms, retain_graph=True)[0]
            for loss in (sampling, direct)
        )
        torch.testing.assert_close(ours, theirs, rtol=1e-11, atol=1e-13)
        anchor = marginal_nll(joint, mean, log_q, draws)
        torch.testing.assert_close(anchor, chosen_nll(terms, tokens))


def test_importance_in_probabilities() -> None:
    """log of sum_a m_a p_a/q_a / n; padding and rejected trajectories by the letter."""
    joint = torch.tensor([-1.0, -3.0, NEVER, NEVER], dtype=torch.float64, requires_grad=True)
    q = torch.tensor([0.5, 0.2, 0.3, 0.0], dtype=torch.float64)  # the last is padding
    draws = torch.tensor([2, 1, 4, 0])
    found = marginal_log_prob(joint, q.log(), draws)
    weights = [2 * math.exp(-1.0) / 0.5, math.exp(-3.0) / 0.2]
    assert found.item() == pytest.approx(math.log(sum(weights) / 7), abs=1e-14)
    (slope,) = torch.autograd.grad(found, joint)
    assert slope.tolist() == pytest.approx([w / sum(weights) for w in weights] + [0, 0])
    shares = posterior_weights(joint, q.log(), draws)
    torch.testing.assert_close(shares, slope)


def test_importance_holds_its_proposal_constant() -> None:
    log_q = torch.tensor([-0.7, -0.7], requires_grad=True)
    joint = torch.tensor([-1.0, -2.0], requires_grad=True)
    marginal_log_prob(joint, log_q).backward()
    assert joint.grad is not None
    assert log_q.grad is None


def test_without_counts_each_trajectory_was_drawn_once() -> None:
    joint, log_q = random_joint(0), -torch.rand(2, B, A).double()
    torch.testing.assert_close(
        marginal_log_prob(joint, log_q), marginal_log_prob(joint, log_q, torch.ones(2, B, A))
    )


def test_counts_are_duplicates() -> None:
    """m draws of one trajectory are m equal columns drawn once."""
    joint, log_q = random_joint(1), -torch.rand(B, A).double()
    counts = torch.randint(0, 4, (B, A), generator=torch.Generator().manual_seed(2))
    counts[:, 2] += 1
    for b in range(B):
        columns = torch.arange(A).repeat_interleave(counts[b])
        torch.testing.assert_close(
            marginal_log_prob(joint[:, b], log_q[b], counts[b]),
            marginal_log_prob(joint[:, b, columns], log_q[b, columns].expand(2, -1)),
        )


def test_sides_may_share_log_q_and_draws() -> None:
    policy, reference = random_joint(4), random_joint(5)
    log_q, draws = -torch.rand(B, A).double(), torch.ones(B, A)
    both = (log_q.expand(2, B, A), draws.expand(2, B, A))
    torch.testing.assert_close(
        sampling_loss(policy, reference, random_tokens(), Fit(), log_q, draws),
        sampling_loss(policy, reference, random_tokens(), Fit(), *both),
    )


def test_float32_far_below_its_smallest_number() -> None:
    joint = torch.tensor([-900.0, -901.0, NEVER], requires_grad=True)
    found = marginal_log_prob(joint)
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(-900 + math.log1p(math.exp(-1)), abs=1e-4)
    found.backward()
    assert joint.grad is not None
    assert joint.grad.tolist() == pytest.approx([0.731, 0.269, 0], abs=1e-3)


# ---- nothing gives z


@by_loss
@pytest.mark.parametrize("importance", [False, True])
@pytest.mark.parametrize("impossible", ["policy chosen", "policy rejected", "reference", "all"])
def test_a_pair_that_cannot_be_compared_is_left_out(
    fit: Fit, impossible: str, importance: bool
) -> None:
    policy, reference = random_joint(6), random_joint(7)
    whole = sampling_loss(policy, reference, random_tokens(), fit)
    if impossible in ("policy chosen", "all"):
        policy[0, 3] = NEVER
    if impossible in ("policy rejected", "all"):
        policy[1, 3] = NEVER
    if impossible in ("reference", "all"):
        reference[1, 3] = NEVER
    log_q = torch.full((B, A), -0.5).double() if importance else None
    if log_q is not None:
        policy[..., 0] = reference[..., 0] = log_q[:, 0] = NEVER  # padding
    policy.requires_grad_()
    assert usable(policy, reference, log_q).tolist() == [b != 3 for b in range(B)]
    loss = sampling_loss(policy, reference, random_tokens(), fit, log_q)
    (slope,) = torch.autograd.grad(loss.sum(), policy)
    assert loss[3].item() == 0
    assert bool((slope[:, 3] == 0).all())
    assert bool(slope.isfinite().all())
    rest = [b for b in range(B) if b != 3]
    if not importance:
        torch.testing.assert_close(loss[rest], whole[rest])
    assert bool((slope[:, rest].abs().sum((0, 2)) > 0).any())


def test_the_anchor_of_an_impossible_answer_is_0() -> None:
    policy = random_joint(8)
    policy[0, 1] = NEVER
    policy.requires_grad_()
    found = marginal_nll(policy, random_tokens())
    (slope,) = torch.autograd.grad(found.sum(), policy)
    assert found[1].item() == 0
    assert bool(slope.isfinite().all())
    assert bool((slope[0, 1] == 0).all())
    assert bool((slope[1] == 0).all())
    by_hand = -policy[0, 0].exp().sum().log() / random_tokens()[0, 0]
    torch.testing.assert_close(found[0], by_hand)


def test_zero_gradient_reaches_through_the_terms_as_zero() -> None:
    """A model that rules every sampled y's z out: its logits get 0, not NaN."""
    logits = torch.tensor([[0.3, NEVER], [-0.2, NEVER]], requires_grad=True)
    joint = logits.log_softmax(-1)[:, 1].expand(2, 1, 2)
    loss = sampling_loss(joint, torch.zeros(2, 1, 2), torch.ones(2, 1), Fit())
    loss.sum().backward()
    assert loss.tolist() == [0]
    assert logits.grad is not None
    assert bool((logits.grad == 0).all())


def test_nan_is_not_hidden() -> None:
    policy = random_joint(9)
    policy[0, 2, 2] = math.nan
    reference = random_joint(10)
    loss = sampling_loss(policy, reference, random_tokens(), Fit())
    assert loss.isnan().tolist() == [b == 2 for b in range(B)]


# ---- lengths and diagnostics


def test_length_is_the_reference_posteriors_mean() -> None:
    reference = torch.tensor([0.1, 0.3, 0.0]).double().log().expand(2, 1, 3)
    tokens = torch.tensor([[[4.0, 8.0, 99.0]], [[2.0, 2.0, 0.0]]])
    torch.testing.assert_close(
        posterior_mean(reference, tokens), torch.tensor([[7.0], [2.0]]).double()
    )


def test_length_makes_ipo_blind_to_doubling() -> None:
    """Every trajectory twice as long, with twice the nats of change: IPO's margin is the same."""
    fit = Fit(loss="ipo", beta=0.3)
    before = torch.full((2, 1, 3), -2.0).double()
    shift = torch.tensor([0.7, -0.4]).double().view(2, 1, 1)
    lengths = torch.full((2, 1, 3), 5.0)
    once = sampling_loss(before + shift, before, posterior_mean(before, lengths), fit)
    twice = sampling_loss(
        2 * (before + shift), 2 * before, posterior_mean(2 * before, 2 * lengths), fit
    )
    torch.testing.assert_close(once, twice)


def test_weights_are_the_posterior() -> None:
    joint = random_joint(11).requires_grad_()
    p = joint.detach().exp()
    found = posterior_weights(joint)
    torch.testing.assert_close(found, p / p.sum(-1, keepdim=True))
    assert not found.requires_grad
    nothing = torch.full((2, 1, 3), NEVER)
    assert torch.equal(posterior_weights(nothing), torch.zeros(2, 1, 3))


def test_effective_samples() -> None:
    weights = torch.tensor([[0.25] * 4, [1.0, 0, 0, 0], [0.5, 0.5, 0, 0], [0] * 4])
    assert effective_samples(weights).tolist() == pytest.approx([4, 1, 2, 0])


def test_covered_mass() -> None:
    prior = torch.tensor([[0.5, 0.2, 0.3], [0.5, 0.2, 0.0]]).log().requires_grad_()
    covered = covered_mass(prior)
    assert covered.tolist() == pytest.approx([1, 0.7])
    assert not covered.requires_grad


def test_covered_mass_is_what_the_sum_lacks_of_an_answer_all_give_alike() -> None:
    prior = torch.tensor([0.5, 0.2]).log()
    assert float(marginal_log_prob(prior - 1.3)) == pytest.approx(
        -1.3 + float(covered_mass(prior).log())
    )


def test_distinct_samples() -> None:
    assert distinct_samples(torch.tensor([[3, 1, 0], [0, 0, 0]])).tolist() == [2, 0]


def test_prefer_different() -> None:
    chosen = torch.tensor([[0.9, 0.1], [0.9, 0.1], [0.0, 0.0], [0.4, 0.6]])
    rejected = torch.tensor([[0.2, 0.8], [0.6, 0.4], [0.2, 0.8], [0.0, 0.0]])
    found = prefer_different(torch.stack([chosen, rejected]))
    assert found.tolist() == [True, False, False, False]


def test_upstream_learns_from_the_difference_of_the_weights() -> None:
    """The gradient by log p(y_a | x), shared by the sides, is -beta sigmoid(-margin) times it."""
    generator = torch.Generator().manual_seed(12)
    prior = torch.randn(B, A, generator=generator, dtype=torch.float64, requires_grad=True)
    likelihood = torch.randn(2, B, A, generator=generator, dtype=torch.float64)
    joint = prior + likelihood
    reference, fit = random_joint(13), Fit(beta=0.4)
    loss = sampling_loss(joint, reference, random_tokens(), fit)
    (slope,) = torch.autograd.grad(loss.sum(), prior)
    ratios = marginal_log_prob(joint.detach()) - marginal_log_prob(reference)
    margin = fit.beta * (ratios[0] - ratios[1])
    weights = posterior_weights(joint)
    wanted = -fit.beta * torch.sigmoid(-margin)[:, None] * (weights[0] - weights[1])
    torch.testing.assert_close(slope, wanted)
