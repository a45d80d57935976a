"""Layers of 4 bits as shapes, for what is found out without numbers: see `shapes`."""

from collections.abc import Collection
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Function

from .quantized import BLOCK, STATE, shape_of
from .targets import LINEAR


def shaped(module: nn.Module, kept: Collection[str]) -> nn.Module:
    """`module` with such layers in place of its linear ones, but for those of the names `kept`."""
    for name, layer in [*module.named_modules()]:
        if isinstance(layer, LINEAR) and name not in kept:
            module.set_submodule(name, _Layer(layer))
    return module


class _Layer(nn.Linear):
    """What a layer of 4 bits takes, and what is computed with it."""

    def __init__(self, layer: Any) -> None:
        nn.Module.__init__(self)
        self.out_features, self.in_features = shape = torch.Size(shape_of(layer))
        packed = layer.weight.new_empty(shape.numel() // 2, 1, dtype=torch.uint8)
        self.weight = nn.Parameter(packed, requires_grad=False)
        setattr(self.weight, STATE, SimpleNamespace(shape=shape))
        self.bias = layer.bias
        self._scales = layer.weight.new_empty(shape.numel() // BLOCK, dtype=torch.float32)

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination[f"{prefix}weight.absmax"] = self._scales

    def forward(self, x: Tensor) -> Tensor:
        """[..., in] to [..., out]."""
        found: Tensor = _Multiplied.apply(x, self.weight, self.out_features)  # type: ignore[no-untyped-call]
        return found if self.bias is None else found + self.bias


class _Multiplied(Function):
    """As bitsandbytes does it: weights in full are there for the time of a product alone."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, rows: int) -> Tensor:
        ctx.weight, ctx.shape = weight, (rows, x.shape[-1])
        return F.linear(x, weight.new_empty(ctx.shape, dtype=x.dtype))

    @staticmethod
    def backward(ctx: Any, by_out: Tensor) -> tuple[Tensor, None, None]:
        return by_out @ ctx.weight.new_empty(ctx.shape, dtype=by_out.dtype), None, None
