"""Scoring as passes: what runs at once, and what all of them give together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..support.device import moved, on_device
from .work import NOTHING, Work


@dataclass(frozen=True)
class Pass:
    """A part of scoring that runs at once: one forward pass of one model, on that model's device.

    Args:
        rows: what each value is of, as an index into the requests that were asked about. The log p
            of a request is the sum of all values of it, in all passes.
        run: gives the values, [len(rows)], nats, float32, with a graph where gradients are enabled.
            It may be called again, and gives the same.
        share: of the memory that one pass's graph may take, how much this one's does.
        work: the tokens that it runs a model on.
        waits: whether its graph may be kept beside others' until all are backed up.
    """

    rows: tuple[int, ...]
    run: Callable[[], Tensor]
    share: float = 0.0
    work: Work = NOTHING
    waits: bool = True


def total(passes: Sequence[Pass], count: int, device: torch.device) -> Tensor:
    """Log p of each of `count` requests, from the passes of all of them: [count], nats, float32."""
    out = torch.zeros(count, device=device)
    for one in passes:
        out = out.index_add(0, on_device(one.rows, device), moved(one.run(), device))
    return out
