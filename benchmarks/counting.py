"""FLOPs of what runs, by torch's FlopCounterMode, and of what would have to run.

FlopCounterMode counts matrix multiplications (a multiplication and an addition are 2 FLOPs). It
does not know a CPU's fused attention, which is counted here: one that is causal by its flag skips
what is not visible, so half of it counts; one with a mask computes everything.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch.utils.flop_counter import (
    FlopCounterMode,
    sdpa_backward_flop_count,
    sdpa_flop_count,
)

T = TypeVar("T")
Shape = torch.Size


def flops(run: Callable[[], T]) -> tuple[int, T]:
    """The FLOPs of `run()`, forward and backward, and what it gives."""
    with FlopCounterMode(display=False, custom_mapping=_formulas()) as counter:
        found = run()
    return counter.get_total_flops(), found


def _formulas() -> dict[Any, Callable[..., int]]:
    aten = torch.ops.aten
    return {
        aten._scaled_dot_product_flash_attention_for_cpu: _attention,
        aten._scaled_dot_product_flash_attention_for_cpu_backward: _attention_backward,
    }


def _attention(
    query: Shape,
    key: Shape,
    value: Shape,
    dropout: float = 0.0,
    is_causal: bool = False,
    **_: object,
) -> int:
    return _seen(sdpa_flop_count(query, key, value), query, key, is_causal)


def _attention_backward(
    grad: Shape,
    query: Shape,
    key: Shape,
    value: Shape,
    out: Shape,
    logsumexp: Shape,
    dropout: float,
    is_causal: bool,
    **_: object,
) -> int:
    return _seen(sdpa_backward_flop_count(grad, query, key, value), query, key, is_causal)


def _seen(count: int, query: Shape, key: Shape, is_causal: bool) -> int:
    length = query[2]
    if not is_causal or length != key[2]:
        return count
    return count * (length + 1) // (2 * length)
