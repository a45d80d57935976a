"""The losses against their papers' closed forms, in float64, and against what is declared of them.

On a language model each is TRL's: `tests/engines/test_trl.py`.
"""

import math
from collections.abc import Callable
from typing import get_args

import pytest
import torch
from torch import Tensor

from sysgraph import Fit
from sysgraph.latent.ways import WAYS
from sysgraph.objectives import Sides, direct_loss, node_losses, preference_loss, sampling_loss
from sysgraph.objectives.losses import FUNCTIONS
from sysgraph_schemas.losses import LOSSES, LossName
from sysgraph_schemas.samplers import SAMPLERS, SamplerName

CHOSEN = torch.tensor([2.5, -1.0, 0.0, 40.0], dtype=torch.float64)
REJECTED = torch.tensor([-0.5, 3.0, 0.0, -900.0], dtype=torch.float64)
TOKENS = torch.tensor([[3, 1, 7, 2], [5, 4, 1, 9]], dtype=torch.float64)
NLL = torch.tensor([2.0, 0.5, 1.5, 3.0], dtype=torch.float64)
NAMES: tuple[LossName, ...] = get_args(LossName)


def settings(name: LossName, beta: float = 0.2) -> Fit:
    return Fit(loss=name, beta=beta, label_smoothing=0.1 if LOSSES[name].smoothed else 0.0)


def sides(chosen: Tensor, rejected: Tensor, tokens: Tensor = TOKENS, nll: Tensor = NLL) -> Sides:
    return Sides(chosen, rejected, tokens, nll)


def log_sigmoid(x: float) -> float:
    return -math.log1p(math.exp(-x)) if x > -30 else x


def sigmoid(x: float) -> float:
    return math.exp(log_sigmoid(x))


# ---- closed forms, of w = beta * chosen and r = beta * rejected, with epsilon 0.1

E = 0.1
FORMS: dict[LossName, Callable[[float, float], float]] = {
    "sigmoid": lambda w, r: -(1 - E) * log_sigmoid(w - r) - E * log_sigmoid(r - w),
    "hinge": lambda w, r: max(0.0, 1 - (w - r)),
    "robust": lambda w, r: (-(1 - E) * log_sigmoid(w - r) + E * log_sigmoid(r - w)) / (1 - 2 * E),
    "exo_pair": lambda w, r: (
        sigmoid(w - r) * (log_sigmoid(w - r) - math.log(1 - E))
        + sigmoid(r - w) * (log_sigmoid(r - w) - math.log(E))
    ),
    "nca_pair": lambda w, r: -log_sigmoid(w) - 0.5 * (log_sigmoid(-w) + log_sigmoid(-r)),
    "bco_pair": lambda w, r: -log_sigmoid(w) - log_sigmoid(-r),
    "sppo_hard": lambda w, r: (w / 0.2 - 0.5 / 0.2) ** 2 + (r / 0.2 + 0.5 / 0.2) ** 2,
    "apo_zero": lambda w, r: (1 - sigmoid(w)) + sigmoid(r),
    "apo_down": lambda w, r: sigmoid(w) + (1 - sigmoid(w - r)),
    "discopop": lambda w, r: (
        -log_sigmoid(w - r) * (1 - sigmoid((w - r) / 0.05))
        + math.exp(-(w - r)) * sigmoid((w - r) / 0.05)
    ),
    "dpop": lambda w, r: -log_sigmoid(w - r - 50 * max(0.0, -w)),
}


@pytest.mark.parametrize("name", FORMS)
def test_closed_form(name: LossName) -> None:
    found = preference_loss(sides(CHOSEN, REJECTED), settings(name))
    both = zip((0.2 * CHOSEN).tolist(), (0.2 * REJECTED).tolist(), strict=True)
    wanted = [FORMS[name](w, r) for w, r in both]
    torch.testing.assert_close(found, torch.tensor(wanted, dtype=torch.float64))


def test_ipo() -> None:
    found = preference_loss(sides(CHOSEN, REJECTED), settings("ipo"))
    margin = CHOSEN / TOKENS[0] - REJECTED / TOKENS[1]
    torch.testing.assert_close(found, (margin - 1 / (2 * 0.2)) ** 2)


def test_a_mix_is_the_weighted_sum() -> None:
    both = sides(CHOSEN, REJECTED)
    mix = Fit(loss={"sigmoid": 0.8, "bco_pair": 3, "sft": 0.2}, beta=0.2)
    parts = [preference_loss(both, Fit(loss=name, beta=0.2)) for name in mix.losses]
    torch.testing.assert_close(
        preference_loss(both, mix), 0.8 * parts[0] + 3 * parts[1] + 0.2 * NLL
    )
    assert torch.equal(parts[2], NLL)


def test_label_smoothing_is_least_where_the_model_is_as_sure_as_the_labels() -> None:
    epsilon, beta = 0.2, 0.5
    for name in ("sigmoid", "exo_pair"):
        margin = torch.tensor([math.log((1 - epsilon) / epsilon) / beta], requires_grad=True)
        fit = Fit(loss=name, beta=beta, label_smoothing=epsilon)
        preference_loss(sides(margin, torch.zeros(1), torch.ones(2, 1)), fit).sum().backward()
        assert margin.grad is not None
        assert abs(float(margin.grad)) < 1e-6


def test_robust_is_unbiased() -> None:
    """Its mean over labels that flip is the loss of clean ones."""
    fit = Fit(loss="robust", beta=0.2, label_smoothing=0.3)
    kept, flipped = (
        preference_loss(sides(a, b), fit) for a, b in ((CHOSEN, REJECTED), (REJECTED, CHOSEN))
    )
    clean = preference_loss(sides(CHOSEN, REJECTED), Fit(beta=0.2))
    torch.testing.assert_close(0.7 * kept + 0.3 * flipped, clean)


def test_far_margins_stay_finite_with_their_gradient() -> None:
    margin = torch.tensor([-1e4, 1e4], requires_grad=True)
    both = sides(margin, torch.zeros(2), torch.ones(2, 2))
    losses = preference_loss(both, Fit(beta=1.0, label_smoothing=0.1))
    losses.sum().backward()
    assert margin.grad is not None
    torch.testing.assert_close(losses.detach(), torch.tensor([9e3, 1e3]))
    torch.testing.assert_close(margin.grad, torch.tensor([-0.9, 0.1]))


# ---- what is declared


def test_what_is_declared_has_a_function_and_the_reverse() -> None:
    assert list(NAMES) == list(LOSSES) == list(FUNCTIONS)
    assert list(get_args(SamplerName)) == list(SAMPLERS) == list(WAYS)
    assert all((SAMPLERS[name].keeps is None) == (WAYS[name].keep is None) for name in WAYS)


@pytest.mark.parametrize("name", NAMES)
def test_a_loss_reads_what_it_says_it_does(name: LossName) -> None:
    chosen, rejected = CHOSEN[:3].clone().requires_grad_(), REJECTED[:3].clone().requires_grad_()
    tokens, nll = TOKENS[:, :3].clone().requires_grad_(), NLL[:3].clone().requires_grad_()
    found = preference_loss(Sides(chosen, rejected, tokens, nll), settings(name))
    slopes = torch.autograd.grad(
        found.sum(), (chosen, rejected, tokens, nll), allow_unused=True, materialize_grads=True
    )
    reads = [bool((slope != 0).any()) for slope in slopes]
    of = LOSSES[name].of
    assert reads == [of != "likelihood"] * 2 + [of == "margin_per_token", of == "likelihood"]
    # What both sides share drops out of losses of the margin, and of no others.
    shared = preference_loss(Sides(chosen + 1, rejected + 1, tokens, nll), settings(name))
    assert torch.allclose(shared, found) == (of in ("margin", "likelihood"))
    assert settings(name).cancels == (of in ("margin", "likelihood"))
    for beta in (0.2, 0.7):
        smoothed, plain = (
            FUNCTIONS[name](
                Sides(chosen, rejected, tokens, nll),
                settings(name, beta).model_copy(update={"label_smoothing": e}),
            )
            for e in (0.1, 0.2)
        )
        assert torch.equal(smoothed, plain) == (LOSSES[name].smoothed is None)


# ---- under the objectives


@pytest.mark.parametrize("name", NAMES)
def test_one_node_is_a_system(name: LossName) -> None:
    """Direct, a loss per node and Sampling with one trajectory are one loss, on one node."""
    fit = settings(name)
    policy = torch.stack([CHOSEN, REJECTED])[..., None] / 50
    reference, tokens = torch.zeros_like(policy), TOKENS[..., None]
    compared = torch.ones(4, 1, dtype=torch.bool)
    direct = direct_loss(policy, tokens, fit, NLL)
    torch.testing.assert_close(node_losses(policy, tokens, compared, fit, NLL[:, None]), direct)
    torch.testing.assert_close(sampling_loss(policy, reference, TOKENS, fit, nll=NLL), direct)
    twice = node_losses(
        policy.repeat(1, 1, 2),
        tokens.repeat(1, 1, 2),
        compared.repeat(1, 2),
        fit,
        NLL[:, None].repeat(1, 2),
    )
    torch.testing.assert_close(twice, 2 * direct)
