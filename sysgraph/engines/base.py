"""What every engine does: score a flat list of requests, draw a flat list of samples.

Everything that makes it fast (equal requests once, sorting by length, one call for models that
share weights) happens behind these methods and never shows in an objective.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from torch import Tensor, nn

from ..trace import Completion


class ChatTurn(NamedTuple):
    """One message of a chat prompt, rendered."""

    role: str
    content: str


Context = str | tuple[ChatTurn, ...]


@dataclass(frozen=True, slots=True)
class Request:
    """Score `value` under `model`, given `context`."""

    model: str
    context: Context
    value: Completion


@dataclass(frozen=True, slots=True)
class Draw:
    """Sample from `model`, given `context`; equal draws give equal samples."""

    model: str
    context: Context
    seed: int


class Engine(Protocol):
    """All models of one kind, resident on one device."""

    def problem(self, request: Request) -> str | None:
        """Why `request` cannot be scored, or None. Cheap: no model runs."""
        ...

    def length(self, request: Request) -> int:
        """Number of tokens of the value that are scored, its end-of-sequence token included."""
        ...

    def log_prob(self, requests: Sequence[Request], *, reference: bool) -> Tensor:
        """Log p(value | context), [len(requests)], nats, summed over tokens, float32."""
        ...

    def sample(self, draws: Sequence[Draw], *, batch_size: int | None = None) -> list[Completion]:
        """One completion per draw; the same whatever the batch size."""
        ...

    def parameters(self, model: str) -> dict[str, nn.Parameter]:
        """The trainable parameters of `model` by a stable name; empty for a frozen one."""
        ...

    def set_reference(self, model: str, weights: dict[str, Tensor] | None) -> None:
        """Makes `weights` (as named by `parameters`) the reference; None: as before training."""
        ...

    def save(self, model: str, folder: Path) -> None:
        """Writes the trained part of `model` to `folder`, as its library's own loader reads it."""
        ...

    def load(self, model: str, folder: Path) -> None:
        """Reads what `save` wrote."""
        ...
