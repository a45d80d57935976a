"""What the graph of a pass keeps: how much of it fits, measured, and how to keep less."""

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from . import shapes
from .lending import is_lent, not_kept

_CGROUP = Path("/sys/fs/cgroup/memory.max")
"""What a container's processes may take together, in bytes or as `max`."""


def graph_bytes(module: nn.Module, run: Callable[[], Tensor]) -> int:
    """Bytes that the graph of `run()` keeps for its gradient, the weights of `module` aside."""
    weights = {tensor.untyped_storage()._cdata for tensor in module.parameters()}
    kept: dict[int, int] = {}  # by storage: its address, of which fake tensors have none

    def note(tensor: Tensor) -> Tensor:
        if is_lent(tensor):  # a weight, that is: gone when its module has run
            return tensor.new_empty(0)
        storage = tensor.untyped_storage()
        if storage._cdata not in weights:
            kept[storage._cdata] = storage.nbytes()
        return tensor.detach()  # what its own operation keeps would keep that, for ever

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(note, lambda saved: saved):
        values = run()  # the graph, and with it all that was noted, lives as long as this
    del values
    return sum(kept.values())


def bytes_of(module: nn.Module) -> int:
    """Bytes of a module's weights."""
    return sum(p.numel() * p.element_size() for p in module.parameters())


def pass_bytes(device: torch.device) -> int:
    """Bytes that the graph of one pass may keep: an eighth of what the device has in all.

    The rest is for weights, optimizers, what a pass computes with, and whoever else is there. It is
    no part of what is free just now: a resumed run cuts its passes as before.
    """
    return device_bytes(device) // 8


def device_bytes(device: torch.device) -> int:
    """Bytes that a device has in all; of the CPU's, what a container may take."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    total = psutil.virtual_memory().total
    with contextlib.suppress(OSError, ValueError):  # no container, or one without a limit
        total = min(total, int(_CGROUP.read_text("ascii")))
    return total


def free_bytes(device: torch.device) -> int:
    """Bytes that nobody holds of an accelerator."""
    free, _ = torch.accelerator.get_memory_info(device)
    return free


@contextlib.contextmanager
def recomputed(module: nn.Module) -> Iterator[None]:
    """Passes of `module` keep a layer's input alone: its backward pass computes the layer again.

    The backward pass must come before another adapter is switched on: it would compute under that.

    transformers and diffusers mark the layers that can do so. Those of transformers do it in
    training mode only, which here is theirs alone: what lies in them keeps its mode, and so no
    dropout.
    """
    layers = _recomputable(module)
    before = [(layer.training, layer.gradient_checkpointing) for layer in layers]
    for layer in layers:
        layer._gradient_checkpointing_func = partial(checkpoint, use_reentrant=False)
        layer.training, layer.gradient_checkpointing = True, True
    try:
        yield
    finally:
        for layer, (training, enabled) in zip(layers, before, strict=True):
            layer.training, layer.gradient_checkpointing = training, enabled


def can_recompute(module: nn.Module, values: Callable[[nn.Module], Tensor]) -> bool:
    """Whether passes are the same under `recomputed`: it has such layers, and they do as in others.

    Args:
        values: a little work of `module`.
    """
    if not _recomputable(module):
        return False
    if shapes.are_all():
        return True
    with not_kept(), torch.enable_grad(), recomputed(module):
        found = values(module).detach()
    with torch.no_grad():
        return torch.equal(found, values(module))


def _recomputable(module: nn.Module) -> list[Any]:
    return [layer for layer in module.modules() if hasattr(layer, "gradient_checkpointing")]
