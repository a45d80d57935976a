"""Linear layers for the few rows of a step that writes tokens: on a CPU, by oneDNN.

A step multiplies every weight with a row a text. There the kernels behind `F.linear` take up to
three times as long as oneDNN's on weights that are laid out for it, as torch's own compiler does
with frozen ones. The copies are bounded, and live as long as a text is written. An adapter is added
to its layer's copy: run beside it, its small products take a quarter of a step.
"""

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from peft.tuners.lora import Linear as LoRALinear
from torch import Tensor, nn

from ..checkpoints import shapes
from ..sharding import is_divided

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
    adapted: list[Any] = [one for one in module.modules() if _adapter(one) is not None]
    within = {id(layer.base_layer) for layer in adapted}
    every: list[Any] = [one for one in module.modules() if id(one) not in within]
    found = [one for one in every if _is_worth_it(one)]
    kept, room = [], _BYTES
    for layer in sorted(found, key=lambda layer: -layer.weight.numel()):
        room -= layer.weight.nbytes
        if room >= 0:
            kept.append(layer)
    return kept


def _is_worth_it(layer: Any) -> bool:
    linear = layer if _adapter(layer) is None else layer.base_layer
    return (
        type(linear) is nn.Linear
        # Without what offloading libraries hook into it.
        and "forward" not in {**layer.__dict__, **linear.__dict__}
        and shapes.device_of(linear.weight.device).type == "cpu"
        and not is_divided(linear.weight)
        and linear.weight.dtype == torch.float32
        and linear.weight.numel() >= _LEAST
    )


def _adapter(layer: Any) -> str | None:
    """The one adapter that a layer runs with, if it is no more than a product beside it."""
    if type(layer) is not LoRALinear or layer.disable_adapters or layer.merged:
        return None
    active = [name for name in layer.active_adapters if name in layer.lora_A]
    if len(active) != 1 or active[0] in layer.lora_variant or layer.lora_bias[active[0]]:
        return None
    return str(active[0])


def _forward(layer: Any) -> Any:
    """The layer as a function of its input."""
    usual, weight, bias = layer.forward, layer.weight.detach(), layer.bias
    adapter = _adapter(layer)
    if adapter is not None:
        down, up = layer.lora_A[adapter].weight.detach(), layer.lora_B[adapter].weight.detach()
        weight = torch.addmm(weight, up, down, alpha=layer.scaling[adapter])
    if shapes.are_all():
        return partial(_beside, usual, torch.empty_like(weight))
    packed = torch.ops.mkldnn._reorder_linear_weight(weight)

    def run(x: Tensor) -> Tensor:
        if torch.is_grad_enabled() or x.numel() > _ROWS * x.shape[-1]:
            many: Tensor = usual(x)
            return many
        out: Tensor = torch.ops.mkldnn._linear_pointwise(x, packed, bias, "none", [], "")
        return out

    return run


def _beside(usual: Callable[[Tensor], Tensor], held: Tensor, x: Tensor) -> Tensor:
    """What a layer gives, while as many bytes are held as its copy has."""
    del held
    return usual(x)
