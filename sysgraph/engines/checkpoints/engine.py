"""What the engines of checkpoints do alike: everything but how their models score and sample."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from sysgraph_schemas import Checkpoint

from ..base import Request
from ..grouping import grouped
from .weights import Trainable, Weights, weights_of

S = TypeVar("S", bound=Checkpoint)
R = TypeVar("R", bound=Trainable)

ENCODED = 50_000
"""Texts whose token ids an engine keeps: each step needs them again. About 40 bytes a token."""


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
        self._weights: dict[str, Weights[R]] = {}
        residents: dict[Hashable, R] = {}
        for name, spec in models.items():
            key = (spec.id, spec.revision or "main", spec.dtype)
            if key not in residents:
                residents[key] = resident(spec, device)
            self._weights[name] = weights_of(residents[key], name, spec, seed)

    def log_prob(self, requests: Sequence[Request], *, reference: bool) -> Tensor:
        """[len(requests)], nats, float32; requests that run under the same weights run together."""

        def key(request: Request) -> Hashable:
            return self._weights[request.model].key(reference=reference)

        parts: list[Tensor] = []
        order: list[int] = []
        for indices in grouped(requests, key):
            weights = self._weights[requests[indices[0]].model]
            module = weights.module(reference=reference)
            together = [requests[i] for i in indices]
            for where, values in self._score(module, weights.resident, together):
                parts.append(values)
                order.extend(indices[i] for i in where)
        if not parts:
            return torch.empty(0)
        back = torch.tensor(order, device=parts[0].device).argsort()
        return torch.cat(parts)[back]

    @abstractmethod
    def _score(
        self, module: nn.Module, resident: R, requests: Sequence[Request]
    ) -> Iterator[tuple[list[int], Tensor]]:
        """Log-probabilities under `module` in parts: indices into `requests`, and their values."""

    def parameters(self, model: str) -> dict[str, nn.Parameter]:
        """What is trained of `model`, by module name; empty for a frozen one."""
        return self._weights[model].parameters()

    def set_reference(self, model: str, weights: dict[str, Tensor] | None) -> None:
        """Makes `weights` the reference of `model`; None: as before training."""
        self._weights[model].set_reference(weights)

    def digest(self, model: str) -> str:
        """The digest of the checkpoint's own weights."""
        return self._weights[model].resident.digest

    def save(self, model: str, folder: Path) -> None:
        """Writes the adapter, or for `train: full` the whole copy, into `folder`."""
        self._weights[model].save(folder)

    def load(self, model: str, folder: Path) -> None:
        """Reads what `save` wrote, or raises InputError and changes nothing."""
        self._weights[model].load(folder)
