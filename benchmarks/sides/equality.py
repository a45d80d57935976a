"""That all sides compute the same, on the very steps that are timed."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer, register_optimizer_step_pre_hook

from ..row import MismatchError

Parameters = Mapping[str, nn.Parameter]
Gradients = dict[str, Tensor]

_TOLERANCE = 2e-4
"""Of the largest number: what float32 loses in the sums of some thirty layers."""


@contextlib.contextmanager
def gradients_of(parameters: Parameters) -> Iterator[Gradients]:
    """The gradients that the optimizer's step within is given, by name."""
    found: Gradients = {}

    def note(_: Optimizer, args: Any, kwargs: Any) -> None:
        given = {n: p.grad for n, p in parameters.items() if p.grad is not None}
        found.update({name: gradient.detach().clone() for name, gradient in given.items()})

    handle = register_optimizer_step_pre_hook(note)
    try:
        yield found
    finally:
        handle.remove()


def require_close(what: str, ours: Tensor, theirs: Tensor) -> None:
    """Two tensors of one shape are equal to rounding.

    Raises:
        MismatchError: they are not.
    """
    ours, theirs = ours.detach().cpu().double(), theirs.detach().cpu().double()
    far = float((ours - theirs).abs().max())
    size = max(float(theirs.abs().max()), 1e-12)
    if not far <= _TOLERANCE * size:
        raise MismatchError(f"{what}: they differ by {far:.3g} where the largest is {size:.3g}")


def require_close_gradients(
    what: str, ours: Gradients, theirs: Gradients, tolerance: float = _TOLERANCE
) -> None:
    """The gradients of all weights are equal to rounding, as one vector and weight by weight.

    Raises:
        MismatchError: they are not.
    """
    if ours.keys() != theirs.keys():
        odd = sorted(ours.keys() ^ theirs.keys())
        raise MismatchError(f"{what}: only one side has a gradient of {odd[0]} ({len(odd)} such)")
    size = max(float(gradient.abs().max()) for gradient in theirs.values())
    if not size > 0:
        raise MismatchError(f"{what}: the gradient is 0, which shows nothing")
    for name, gradient in theirs.items():
        far = float((ours[name].cpu() - gradient.cpu()).abs().max())
        if not far <= tolerance * size:
            raise MismatchError(f"{what}, gradient of {name}: off by {far:.3g} of {size:.3g}")


@torch.no_grad()
def copy(source: Mapping[str, Tensor], target: Parameters) -> None:
    """Gives `target` the weights of `source`."""
    if source.keys() != target.keys():
        raise MismatchError(f"weights differ: {sorted(source.keys() ^ target.keys())[:3]}")
    for name, parameter in target.items():
        parameter.copy_(source[name])
