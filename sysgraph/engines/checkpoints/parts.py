"""Weights of which each process holds a part: the rows that `fully_shard` would give it.

A checkpoint is read in such parts. `lending` has the module run on them, until `aside` hands them
over to `fully_shard`.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, Shard
from torch.distributed.tensor._utils import compute_local_shape_and_global_offset

from .lending import end


def place_of(weight: Tensor) -> tuple[slice, ...]:
    """Where in a whole weight this process's part of it is."""
    if not isinstance(weight, DTensor):
        return tuple(slice(0, size) for size in weight.shape)
    shape, offset = compute_local_shape_and_global_offset(
        weight.shape, weight.device_mesh, weight.placements
    )
    return tuple(
        slice(first, first + size) if size else slice(0, 0)
        for first, size in zip(offset, shape, strict=True)
    )


def as_part_of(part: Tensor, weight: DTensor) -> DTensor:
    """This process's part, as a part of a weight that is divided as another is."""
    return DTensor.from_local(
        part.contiguous(),
        weight.device_mesh,
        weight.placements,
        run_check=False,
        shape=weight.shape,
        stride=weight.stride(),
    )


def make_parts(module: nn.Module, mesh: Any) -> None:
    """Divides the weights of a module without numbers, as `fully_shard` would: by their rows.

    Args:
        module: on the meta device; it is changed in place, and its tied weights stay tied.
        mesh: the processes, as torch's device mesh of one dimension.
    """
    count, rank = mesh.size(), mesh.get_local_rank()

    def parts(weight: nn.Parameter) -> nn.Parameter:
        size, _ = Shard.local_shard_size_and_offset(weight.shape[0], count, rank)
        divided = DTensor.from_local(
            weight.detach().new_empty((size, *weight.shape[1:])),
            mesh,
            (Shard(0),),
            run_check=False,
            shape=weight.shape,
            stride=weight.stride(),
        )
        return nn.Parameter(divided, weight.requires_grad)

    _replace(module, lambda weight: None if weight.ndim == 0 else parts(weight))


@contextlib.contextmanager
def aside(module: nn.Module) -> Iterator[None]:
    """The parts of a module's weights are put aside: it is one without numbers, to be divided.

    Divided as `make_parts` does it, it has them back after the block.
    """
    kept: dict[int, tuple[nn.Parameter, DTensor]] = {}  # by what stands for them

    def blank(weight: nn.Parameter) -> nn.Parameter | None:
        if not isinstance(weight, DTensor):
            return None
        stands = nn.Parameter(
            torch.empty(weight.shape, dtype=weight.dtype, device="meta"), weight.requires_grad
        )
        kept[id(stands)] = (stands, weight)
        return stands

    end(module)
    _replace(module, blank)
    places = [
        (owner, name, kept[id(weight)][1])
        for owner in module.modules()
        for name, weight in owner._parameters.items()
        if id(weight) in kept
    ]
    yield
    given: dict[int, nn.Parameter] = {}
    for owner, name, part in places:
        divided = owner._parameters[name]
        assert isinstance(divided, DTensor)
        if id(part) not in given:
            whole = as_part_of(part.to_local(), divided)
            given[id(part)] = nn.Parameter(whole, divided.requires_grad)
        owner._parameters[name] = given[id(part)]
    module._apply(lambda tensor: tensor)  # so that `fully_shard` sees them


def _replace(module: nn.Module, by: Callable[[nn.Parameter], nn.Parameter | None]) -> None:
    """Gives a module other weights, tied ones once; None: a weight stays."""
    found: dict[nn.Parameter, nn.Parameter | None] = {}
    for owner in module.modules():
        for name, weight in owner._parameters.items():
            if weight is None:
                continue
            if weight not in found:
                found[weight] = by(weight)
            new = found[weight]
            owner._parameters[name] = weight if new is None else new
