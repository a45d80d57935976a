"""Measuring what graphs keep."""

from collections.abc import Callable
from contextlib import nullcontext
from weakref import ref

import pytest
import torch
from torch import Tensor, nn

from sysgraph.engines.checkpoints.lending import not_kept
from sysgraph.engines.checkpoints.memory import graph_bytes

Run = Callable[[nn.Module, Callable[[], Tensor]], None]


def measured(module: nn.Module, run: Callable[[], Tensor]) -> None:
    graph_bytes(module, run)


def run_without_weights(_: nn.Module, run: Callable[[], Tensor]) -> None:
    with not_kept():
        run()


def plain(_: nn.Module, run: Callable[[], Tensor]) -> None:
    with nullcontext():
        run()


@pytest.mark.parametrize("way", [plain, measured, run_without_weights])
def test_a_graph_is_gone_with_what_it_gave(way: Run) -> None:
    """Sigmoid keeps its own output: kept as it is, with its history, it would keep itself."""
    module = nn.Linear(4, 4)
    weight = ref(module.weight)

    def run() -> Tensor:
        middle = module(torch.ones(2, 4)).sigmoid()
        return (middle * middle).sum()

    way(module, run)
    module.weight = nn.Parameter(torch.zeros(4, 4))
    assert weight() is None


def test_what_is_not_kept_gives_the_same_gradients() -> None:
    module, x = nn.Linear(4, 4), torch.randn(3, 4, requires_grad=True)
    with not_kept():
        found = module(x).sigmoid().tanh().square().sum()
    found.backward()
    grads = [module.weight.grad, module.bias.grad, x.grad]
    again = module(x).sigmoid().tanh().square().sum()
    wanted = torch.autograd.grad(again, [module.weight, module.bias, x])
    for one, other in zip(grads, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_every_number_that_is_kept_counts_once() -> None:
    module = nn.Linear(4, 4, bias=False)
    x = torch.ones(2, 4)
    # The input for the weight's gradient, and the output of sigmoid for its own.
    assert graph_bytes(module, lambda: module(x).sigmoid().sum()) == 2 * 2 * 4 * 4
