"""What a training would take, as numbers."""

from collections.abc import Mapping
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
        by_model: what the passes of each model alone take; None: that is not known, as the model
            looks at what its layers give, and `activations` is without it.
        made_up: no pair is there yet: these are of the longest values that there could be.
    """

    pairs: int
    passes: int
    tokens: int
    references: int
    activations: int
    by_model: Mapping[str, int | None]
    made_up: bool


@dataclass(frozen=True)
class Drawing:
    """What one process draws from a model.

    Attributes:
        values: how many.
        tokens: that these have at the most; 0 of images.
        at_once: values that are drawn side by side.
        memory: bytes that it takes at the most: caches of attention, latents, pixels.
    """

    model: str
    values: int
    tokens: int
    at_once: int
    memory: int

    def __add__(self, other: "Drawing") -> "Drawing":
        """Both, of one model, one after the other."""
        return Drawing(
            self.model,
            self.values + other.values,
            self.tokens + other.tokens,
            max(self.at_once, other.at_once),
            max(self.memory, other.memory),
        )


@dataclass(frozen=True)
class Forecast:
    """What each process of a training takes.

    Attributes:
        device: where models are.
        room: bytes that it has, for all processes that share it.
        processes: of the run; on one machine, as far as is known.
        samples: what is drawn in a round, by model.
        latent: what is drawn of values that pairs lack, by model, for the steps of one redraw.
    """

    name: str
    device: str
    room: int
    processes: int
    bases: tuple[Base, ...]
    models: tuple[ModelShare, ...]
    step: StepShare
    samples: tuple[Drawing, ...] = ()
    latent: tuple[Drawing, ...] = ()

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
        drawn = max((one.memory for one in (*self.samples, *self.latent)), default=0)
        return self.lasting + max(self.step.activations, moved, drawn)

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
