"""Losses of one preference against their papers' closed forms, in float64."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from sysgraph.objectives import preference_loss

CHOSEN = torch.tensor([2.5, -1.0, 0.0, 40.0], dtype=torch.float64)
REJECTED = torch.tensor([-0.5, 3.0, 0.0, -900.0], dtype=torch.float64)


def each(form: Callable[[float], float]) -> Tensor:
    return torch.tensor([form(m) for m in (CHOSEN - REJECTED).tolist()], dtype=torch.float64)


def log_sigmoid(x: float) -> float:
    return -math.log1p(math.exp(-x)) if x > -30 else x


@pytest.mark.parametrize("epsilon", [0.0, 0.1, 0.4])
def test_sigmoid_with_label_smoothing(epsilon: float) -> None:
    """Conservative DPO: the labels are right with probability 1 - epsilon."""
    found = preference_loss(CHOSEN, REJECTED, beta=0.3, label_smoothing=epsilon)
    wanted = each(lambda m: -(1 - epsilon) * log_sigmoid(0.3 * m) - epsilon * log_sigmoid(-0.3 * m))
    torch.testing.assert_close(found, wanted)


def test_label_smoothing_is_least_where_the_model_is_as_sure_as_the_labels() -> None:
    epsilon, beta = 0.2, 0.5
    margin = torch.tensor([math.log((1 - epsilon) / epsilon) / beta], requires_grad=True)
    loss = preference_loss(margin, torch.zeros(1), beta=beta, label_smoothing=epsilon)
    loss.sum().backward()
    assert margin.grad is not None
    assert abs(float(margin.grad)) < 1e-6


def test_ipo() -> None:
    found = preference_loss(CHOSEN, REJECTED, beta=0.2, loss="ipo")
    torch.testing.assert_close(found, each(lambda m: (m - 1 / (2 * 0.2)) ** 2))


def test_hinge() -> None:
    found = preference_loss(CHOSEN, REJECTED, beta=0.2, loss="hinge")
    torch.testing.assert_close(found, each(lambda m: max(0.0, 1 - 0.2 * m)))


def test_far_margins_stay_finite_with_their_gradient() -> None:
    margin = torch.tensor([-1e4, 1e4], requires_grad=True)
    losses = preference_loss(margin, torch.zeros(2), beta=1.0, label_smoothing=0.1)
    losses.sum().backward()
    assert margin.grad is not None
    torch.testing.assert_close(losses.detach(), torch.tensor([9e3, 1e3]))
    torch.testing.assert_close(margin.grad, torch.tensor([-0.9, 0.1]))


def test_unknown_loss() -> None:
    with pytest.raises(ValueError, match="sigmoid, ipo or hinge"):
        preference_loss(CHOSEN, REJECTED, beta=1.0, loss="kto")
