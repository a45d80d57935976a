"""Linear layers for the few rows of a step that writes tokens: on a CPU, by oneDNN.

A step multiplies every weight with a row a text. There the kernels behind `F.linear` take up to
three times as long as oneDNN's on weights that are laid out for it, as torch's own compiler does
with frozen ones. The copies are bounded, and live as long as a text is written.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_BYTES = 2**30
"""Of all copies of a model; layers beyond it stay as they are."""
_LEAST = 2**16
"""Numbers of a weight that is worth it."""
_STEPS = 16
"""Fewer do not earn what laying the weights out takes: about as much as five."""
_ROWS = 128
"""More rows, as those of prompts, are no faster."""


@contextlib.contextmanager
def few_rows(module: nn.Module, steps: int) -> Iterator[None]:
    """Lets the linear layers of a float32 model on a CPU run so; the same to rounding.

    Args:
        module: its weights stay as they are inside.
        steps: how often it will run.
    """
    layers = _layers(module) if steps >= _STEPS else []
    for layer in layers:
        layer.forward = _forward(layer)
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward


def _layers(module: nn.Module) -> list[Any]:
    """The layers that are worth it, the largest first, as far as their copies fit."""
    has_it = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    if not has_it or torch.is_autocast_enabled("cpu"):
        return []
    found = [
        layer
        for layer in module.modules()
        if type(layer) is nn.Linear
        and "forward" not in layer.__dict__  # hooks of offloading libraries
        and layer.weight.device.type == "cpu"
        and layer.weight.dtype == torch.float32
        and layer.weight.numel() >= _LEAST
    ]
    kept, room = [], _BYTES
    for layer in sorted(found, key=lambda layer: -layer.weight.numel()):
        room -= layer.weight.nbytes
        if room >= 0:
            kept.append(layer)
    return kept


def _forward(layer: nn.Linear) -> Any:
    """The layer as a function of its input."""
    packed, bias = torch.ops.mkldnn._reorder_linear_weight(layer.weight.detach()), layer.bias

    def run(x: Tensor) -> Tensor:
        if torch.is_grad_enabled() or x.numel() > _ROWS * x.shape[-1]:
            return F.linear(x, layer.weight, bias)
        out: Tensor = torch.ops.mkldnn._linear_pointwise(x, packed, bias, "none", [], "")
        return out

    return run
