"""What the engines of checkpoints do alike: everything but how their models score and sample."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from sysgraph_schemas import Checkpoint

from ..base import Pass, Request, total
from ..grouping import grouped
from .memory import graph_bytes, pass_bytes
from .weights import Trainable, Weights, weights_of

S = TypeVar("S", bound=Checkpoint)
R = TypeVar("R", bound=Trainable)
Values = Callable[[nn.Module], Tensor]
"""What a forward pass of a module gives."""


ENCODED = 50_000
"""Texts whose token ids an engine keeps: each step needs them again. About 40 bytes a token."""


@dataclass(frozen=True)
class Part:
    """A `Pass` before it is said under which weights `values` runs."""

    rows: Sequence[int]
    values: Values
    share: float = 0.0


class CheckpointEngine(ABC, Generic[S, R]):
    """All models of a kind; those of one id, revision and dtype share one resident.

    Args:
        models: their specs by name.
        resident: loads what a spec names.
    """

    def __init__(
        self,
        models: Mapping[str, S],
        resident: Callable[[S, torch.device], R],
        *,
        device: torch.device,
        seed: int,
    ) -> None:
        self._specs = dict(models)
        self._device = device
        self._fits: dict[Hashable, float] = {}
        self._weights: dict[str, Weights[R]] = {}
        residents: dict[Hashable, R] = {}
        for name, spec in models.items():
            key = (spec.id, spec.revision or "main", spec.dtype)
            if key not in residents:
                residents[key] = resident(spec, device)
            self._weights[name] = weights_of(residents[key], name, spec, seed)

    def passes(
        self, requests: Sequence[Request], *, reference: bool, gradients: bool = False
    ) -> list[Pass]:
        """Passes of requests that run under the same weights, which each pass switches to."""

        def key(request: Request) -> Hashable:
            return self._weights[request.model].key(reference=reference)

        out = []
        for indices in grouped(requests, key):
            together = [requests[i] for i in indices]
            weights = self._weights[together[0].model]
            for part in self._parts(weights, together, gradients):
                rows = tuple(indices[i] for i in part.rows)
                run = partial(_run, weights, reference, part.values)
                out.append(Pass(rows, run, part.share))
        return out

    def log_prob(self, requests: Sequence[Request], *, reference: bool) -> Tensor:
        """[len(requests)], nats, float32."""
        return total(self.passes(requests, reference=reference), len(requests), self._device)

    @abstractmethod
    def _parts(
        self, weights: Weights[R], requests: Sequence[Request], gradients: bool
    ) -> Iterator[Part]:
        """What the forward passes give of requests that run under the same weights.

        Args:
            gradients: their graphs fit into memory one at a time, see `_fitting`.
        """

    def _fitting(self, weights: Weights[R], values: Values, size: Hashable = None) -> float:
        """How many times the graph of `values` fits into one pass.

        It is measured once, and always on the same work: a resumed run cuts its passes as before.

        Args:
            size: tells other work under the same weights from this.
        """
        key = (weights.key(reference=False), size)
        if key not in self._fits:
            module = weights.module(reference=False)
            held = graph_bytes(module, lambda: values(module))
            self._fits[key] = pass_bytes(self._device) / max(held, 1)
        return self._fits[key]

    def parameters(self, model: str) -> dict[str, nn.Parameter]:
        """What is trained of `model`, by module name; empty for a frozen one."""
        return self._weights[model].parameters()

    def set_reference(self, model: str, weights: dict[str, Tensor] | None) -> None:
        """Makes `weights` the reference of `model`; None: as before training."""
        self._weights[model].set_reference(weights)

    def save(self, model: str, folder: Path) -> None:
        """Writes the adapter, or for `train: full` the whole copy, into `folder`."""
        self._weights[model].save(folder)

    def load(self, model: str, folder: Path) -> None:
        """Reads what `save` wrote, or raises InputError and changes nothing."""
        self._weights[model].load(folder)


def _run(weights: Weights[R], reference: bool, values: Values) -> Tensor:
    return values(weights.module(reference=reference))
