"""The vocabulary head: log-probabilities and gradients of plain autograd, however it is cut."""

import copy

import pytest
import torch
from torch import Tensor, nn

from sysgraph.engines.causal_lm import head as module
from sysgraph.engines.causal_lm.head import as_is, head_log_probs

N, HIDDEN, VOCABULARY = 11, 7, 23


def taken(found: Tensor, states: Tensor, head: nn.Module) -> list[Tensor]:
    """The values, and the gradients of their weighted sum by the states and by the head."""
    weights = torch.linspace(-2, 1, N)
    trained = [states, *(p for p in head.parameters() if p.requires_grad)]
    return [found.detach(), *torch.autograd.grad((found * weights).sum(), trained)]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("trained", [True, False])
@pytest.mark.parametrize("chunk", [1, 4, 100])
def test_equals_autograd(
    bias: bool, trained: bool, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_CHUNK_BYTES", 4 * VOCABULARY * chunk)
    torch.manual_seed(0)
    head = nn.Linear(HIDDEN, VOCABULARY, bias=bias).requires_grad_(trained)
    states = torch.randn(N, HIDDEN, requires_grad=True)
    targets = torch.randint(VOCABULARY, (N,))
    plain = head(states).log_softmax(-1).gather(1, targets[:, None])[:, 0]
    wanted = taken(plain, states, head)
    found = taken(head_log_probs(head, as_is, states, targets), states, head)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other)
    with torch.no_grad():
        torch.testing.assert_close(head_log_probs(head, as_is, states, targets), wanted[0])


def test_trained_or_not_the_values_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """To the bit, as are their slopes by what the head reads, also where autocast halves."""
    monkeypatch.setattr(module, "_CHUNK_BYTES", 4 * VOCABULARY * 4)
    torch.manual_seed(0)
    head, targets = nn.Linear(HIDDEN, VOCABULARY), torch.randint(VOCABULARY, (N,))
    states = torch.randn(N, HIDDEN, requires_grad=True)
    for halved in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=halved):
            frozen, trained = (
                taken(head_log_probs(head.requires_grad_(on), as_is, states, targets), states, head)
                for on in (False, True)
            )
        assert torch.equal(frozen[0], trained[0])
        assert torch.equal(frozen[1], trained[1])
        assert frozen[0].dtype == torch.float32


@pytest.mark.parametrize("trained", [True, False])
def test_half_precision_is_summed_in_float32(trained: bool) -> None:
    """Values and gradients as near to exact ones as those of autograd on the same logits."""
    torch.manual_seed(0)
    head = nn.Linear(HIDDEN, VOCABULARY, bias=False).requires_grad_(trained)
    states = (4 * torch.randn(N, HIDDEN)).bfloat16()
    targets = torch.randint(VOCABULARY, (N,))
    head = head.bfloat16()
    exact = copy.deepcopy(head).double()

    def slopes(run: nn.Linear, given: Tensor, *, ours: bool) -> list[Tensor]:
        given = given.detach().clone().requires_grad_()
        logits = run(given)
        values = (
            head_log_probs(run, as_is, given, targets)
            if ours
            else logits.float().log_softmax(-1).gather(1, targets[:, None])[:, 0]
        )
        assert values.dtype == torch.float32
        return [part.double() for part in taken(values, given, run)]

    wanted = slopes(exact, states.double(), ours=False)
    plain, found = (slopes(head, states, ours=ours) for ours in (False, True))
    for one, other, right in zip(found, plain, wanted, strict=True):
        assert (one - right).abs().max() < 2 * (other - right).abs().max()
