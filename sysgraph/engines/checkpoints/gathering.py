"""Divided weights put together in one process's memory, to be written as undivided ones are."""

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor


@contextlib.contextmanager
def gathered(module: nn.Module, weights: Iterable[Tensor], *, here: bool) -> Iterator[None]:
    """A divided module has some of its weights whole, in the CPU's memory; all processes call it.

    They are put together one at a time, so that no device ever has them all. The module is not to
    be run.

    Args:
        module: whose weights are parts at the moment.
        weights: those that are wanted.
        here: whether in this process; elsewhere the module stays as it is.
    """
    wanted = {id(weight) for weight in weights}
    places: list[tuple[nn.Module, str, Any]] = [
        (owner, name, weight)
        for owner in module.modules()
        for name, weight in owner._parameters.items()
        if isinstance(weight, DTensor) and id(weight) in wanted
    ]
    whole: dict[int, nn.Parameter] = {}
    for weight in {id(weight): weight for _, _, weight in places}.values():  # tied ones once
        found = _gathered(weight)
        if here:
            whole[id(weight)] = nn.Parameter(found.cpu(), weight.requires_grad)
        del found
    if not here:
        yield
        return
    for owner, name, weight in places:
        owner._parameters[name] = whole[id(weight)]
    try:
        with _as_undivided(module):
            yield
    finally:
        for owner, name, weight in places:
            owner._parameters[name] = weight


@torch.no_grad()
def _gathered(weight: DTensor) -> Tensor:
    there: Any = weight.detach().to(weight.device_mesh.device_type)  # it may wait on the CPU
    whole: Tensor = there.full_tensor()
    return whole


@contextlib.contextmanager
def _as_undivided(module: nn.Module) -> Iterator[None]:
    """Its class is its own again: libraries write down what it is called."""
    divided: Any = type(module)
    if not issubclass(divided, FSDPModule):
        yield
        return
    own: Any = next(c for c in divided.__mro__ if not issubclass(c, FSDPModule))
    module.__class__ = own
    try:
        yield
    finally:
        module.__class__ = divided
