"""What a training would take, as numbers."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from ..engines.base import Base

MAIN_MEMORY = "main memory"


@dataclass(frozen=True)
class ModelShare:
    """What one trained model takes, beside its base.

    Attributes:
        train: how it is trained.
        parameters: numbers that are trained.
        weights: bytes of its own weights: of the adapter, or of the trained copy.
        gradients: bytes of their gradients.
        optimizer: bytes of AdamW's two moments.
        reference: bytes of a reference of its own, as rounds and one that moves have it.
        kept: bytes of main memory for copies: of the best weights, of the round's start.
    """

    model: str
    train: str
    parameters: int
    weights: int
    gradients: int
    optimizer: int
    reference: int
    kept: int


@dataclass(frozen=True)
class StepShare:
    """What one process does in one step.

    Attributes:
        pairs: of the batch.
        passes: forward passes, each with its backward pass where something trains.
        tokens: that models are run on in them.
        references: passes for the reference's values: of a step where noise is renewed each time,
            else once for all steps.
        activations: bytes that graphs and what computes them take at the most.
        made_up: no pair is there yet: these are of the longest values that there could be.
    """

    pairs: int
    passes: int
    tokens: int
    references: int
    activations: int
    made_up: bool


@dataclass(frozen=True)
class Forecast:
    """What each process of a training takes.

    Attributes:
        device: where models are.
        room: bytes that it has, for all processes that share it.
        processes: of the run; on one machine, as far as is known.
    """

    name: str
    device: str
    room: int
    processes: int
    bases: tuple[Base, ...]
    models: tuple[ModelShare, ...]
    step: StepShare

    @property
    def lasting(self) -> int:
        """Bytes on the device between two passes."""
        on_cpu = self.device == "cpu"
        models = sum(
            m.weights + m.gradients + m.optimizer + (m.reference + m.kept if on_cpu else 0)
            for m in self.models
        )
        return sum(base.size for base in self.bases) + models

    @property
    def peak(self) -> int:
        """Bytes on the device at the most."""
        moved = 0 if self.device == "cpu" else max((m.reference for m in self.models), default=0)
        return self.lasting + max(self.step.activations, moved)

    @property
    def fits(self) -> bool:
        """Whether the device has room for all processes that share it."""
        sharing = self.processes if self.device == "cpu" else 1
        return self.peak * sharing <= self.room

    def to_json(self) -> dict[str, Any]:
        """All of it, as JSON can say it."""
        return {**asdict(self), "lasting": self.lasting, "peak": self.peak, "fits": self.fits}


Unit = Literal["B", "KiB", "MiB", "GiB"]


def human(size: int) -> str:
    """Bytes as people read them: three digits."""
    units: tuple[Unit, ...] = ("B", "KiB", "MiB", "GiB")
    value, unit = float(size), units[0]
    for unit in units:
        if value < 1000 or unit == units[-1]:
            break
        value /= 1024
    return f"{value:.3g} {unit}" if value < 1000 else f"{value:,.0f} {unit}"
