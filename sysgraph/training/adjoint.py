"""The gradient of a loss without the graph of the whole system (reverse mode, pass by pass).

A loss is a pure function of scalars, the log-probabilities. So a step (a) scores without gradients,
(b) takes dL/dlog p of every request, (c) runs each model's passes again with gradients, weighted by
those numbers, and backs up at once. One pass is all that is ever held: memory does not grow with
nodes, pairs, samples or models, and no graph spans two adapters of one base.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..engines import Pass, Request, choices
from ..support.device import moved, on_device
from ..system import System

_ENOUGH_ON_CPU = 1 / 12
"""Of the memory that one pass may take: 256 MiB where the machine has 24 GiB."""


@dataclass(frozen=True)
class _Asked:
    """Requests, their log p as leaves of the loss's graph, and their passes if these are held."""

    requests: Sequence[Request]
    values: Tensor  # (N,)
    held: Sequence[tuple[Pass, Tensor]]


class Adjoint:
    """The log-probabilities of one loss, and its gradient.

    For example, with `loss` any function of scores:

        adjoint = Adjoint(system)
        loss(adjoint.score(requests)).backward()  # (a), (b)
        adjoint.backward()  # (c): adds the gradient to the `.grad` of every trained parameter
    """

    def __init__(self, system: System) -> None:
        self._system = system
        self._trained = set(system.trained())
        self._asked: list[_Asked] = []

    def fits(self, requests: Sequence[Request]) -> bool:
        """Whether the graphs of `requests` are few enough to be kept beside each other till (c).

        One pass may take more. But on a CPU a larger pass is no faster, and what would be saved of
        the prompts that several pairs share is not worth the memory. What never waits takes none.
        """
        flat = dict.fromkeys(part for request in requests for part in choices.parts(request))
        share = _ENOUGH_ON_CPU if self._system.device.type == "cpu" else 1
        return _shares(self._system.passes(list(flat), gradients=True)) <= share

    def score(self, requests: Sequence[Request]) -> Tensor:
        """As `System.score`: [N], nats, float32; its graph ends at the engines' values."""
        return choices.scored(requests, self._leaf)

    def _leaf(self, requests: Sequence[Request]) -> Tensor:
        passes = self._system.passes(requests, gradients=True)
        hold = torch.is_grad_enabled() and all(p.waits for p in passes) and _shares(passes) <= 1
        values = torch.zeros(len(requests), device=self._system.device)
        held = []
        for one in passes:
            with torch.set_grad_enabled(hold):
                found = one.run()
            rows = on_device(one.rows, values.device)
            values = values.index_add(0, rows, moved(found.detach(), values.device))
            if found.requires_grad:
                held.append((one, found))
        if not torch.is_grad_enabled():
            return values
        self._asked.append(_Asked(requests, values.requires_grad_(), held if hold else ()))
        return values

    def backward(self) -> None:
        """(c), once the loss was backed up to the scores; what has a weight of 0 is left out."""
        for asked in self._asked:
            weights = asked.values.grad
            if weights is None:
                continue
            for one, found in asked.held:
                _back_up(found, weights, one.rows)
            if not asked.held:
                self._run_again(asked.requests, weights)
        self._asked.clear()

    def _run_again(self, requests: Sequence[Request], weights: Tensor) -> None:
        # Read once for all passes: which of them run is decided here, and one that need not run is
        # worth more than the wait.
        wanted = [
            i
            for i, weight in enumerate(weights.tolist())
            if weight != 0 and requests[i].model in self._trained
        ]
        weights = weights[on_device(wanted, weights.device, torch.long)]
        for one in self._system.passes([requests[i] for i in wanted], gradients=True):
            values = one.run()
            if values.requires_grad:
                _back_up(values, weights, one.rows)


def _back_up(values: Tensor, weights: Tensor, rows: Sequence[int]) -> None:
    """One pass's gradient: of dL/dlog p, the numbers of its rows go to its model's device."""
    own = weights[on_device(rows, weights.device)]
    values.backward(moved(own, values.device))


def _shares(passes: Sequence[Pass]) -> float:
    """Of the memory that one pass may take, what the graphs of all of them do that may wait."""
    return sum(one.share for one in passes if one.waits)
