"""What a training would take, as numbers."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from ..engines.base import Base

CPU = "cpu"


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
        by_model: what the passes of each model alone take.
        unknown: the models whose passes are in none of these figures, as they do not run on
            shapes, and why.
        made_up: no pair is there yet: these are of the longest values that there could be.
    """

    pairs: int
    passes: int
    tokens: int
    references: int
    activations: int
    by_model: Mapping[str, int]
    made_up: bool
    unknown: Mapping[str, str] = field(default_factory=dict)


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
class Place:
    """What one device is to hold.

    Attributes:
        room: bytes that it has.
        sharing: processes that share it.
        lasting: bytes of one process between two passes.
        peak: bytes of one process at the most.
        largest: what that is made of, the largest first: bytes by what takes them.
    """

    device: str
    room: int
    sharing: int
    lasting: int
    peak: int
    largest: tuple[tuple[str, int], ...]

    @property
    def fits(self) -> bool:
        """Whether it has room for all processes that share it."""
        return self.peak * self.sharing <= self.room


@dataclass(frozen=True)
class Forecast:
    """What each process of a training takes.

    Attributes:
        device: where models are that have no device of their own.
        rooms: bytes that devices have, for all processes that share one; main memory is `cpu`.
        processes: of the run; on one machine, as far as is known.
        samples: what is drawn in a round, by model.
        latent: what is drawn of values that pairs lack, by model, for the steps of one redraw.
        offloads: whether weights, gradients and the optimizer wait in main memory.
    """

    name: str
    device: str
    rooms: Mapping[str, int]
    processes: int
    bases: tuple[Base, ...]
    models: tuple[ModelShare, ...]
    step: StepShare
    samples: tuple[Drawing, ...] = ()
    latent: tuple[Drawing, ...] = ()
    offloads: bool = False

    @property
    def places(self) -> tuple[Place, ...]:
        """The devices that models are on, and main memory if anything is kept there."""
        found = map(self._place, dict.fromkeys([*(base.device for base in self.bases), CPU]))
        return tuple(one for one in found if one.peak)

    @property
    def fits(self) -> bool:
        """Whether every device has room for all processes that share it."""
        return all(place.fits for place in self.places)

    @property
    def peak(self) -> int:
        """Bytes of one process at the most, on all devices."""
        return sum(place.peak for place in self.places)

    def device_of(self, model: str) -> str:
        """Where a model lives."""
        return next((base.device for base in self.bases if model in base.models), CPU)

    def _place(self, device: str) -> Place:
        lasting = self._lasting(device)
        passing = self._passing(device)
        most = max(passing, key=lambda one: one[1], default=("", 0))
        parts = sorted([*lasting, most], key=lambda one: -one[1])
        stays = sum(size for _, size in lasting)
        return Place(
            device,
            self.rooms[device],
            self.processes if device == CPU else 1,
            stays,
            stays + most[1],
            tuple(one for one in parts if one[1]),
        )

    def _lasting(self, device: str) -> list[tuple[str, int]]:
        """What is there between two passes."""

        def waits(home: str) -> bool:
            return (CPU if self.offloads else home) == device

        found = [(f"base {one.id}: weights", one.size) for one in self.bases if waits(one.device)]
        for one in self.models:
            sizes = {"copies": one.kept, "reference": one.reference} if device == CPU else {}
            if waits(self.device_of(one.model)):
                sizes |= {
                    "weights": one.weights,
                    "gradients": one.gradients,
                    "optimizer": one.optimizer,
                }
            found += [(f"model {one.model}: {what}", size) for what, size in sizes.items()]
        return found

    def _passing(self, device: str) -> list[tuple[str, int]]:
        """What is there for some time, one after the other."""
        by_model = self.step.by_model
        there = {m: most for m, most in by_model.items() if self.device_of(m) == device}
        held = min(self.step.activations, sum(there.values()))
        found = [(f"passes of {', '.join(there)}", held)] if there else []
        for what, several in (("samples", self.samples), ("draws", self.latent)):
            found += [
                (f"model {one.model}: {what}", one.memory)
                for one in several
                if self.device_of(one.model) == device
            ]
        if device != CPU:  # where a reference waits in main memory, and is moved to its passes
            found += [
                (f"model {one.model}: reference", one.reference + by_model.get(one.model, 0))
                for one in self.models
                if self.device_of(one.model) == device
            ]
        return found

    def to_json(self) -> dict[str, Any]:
        """All of it, as JSON can say it."""
        places = [{**asdict(place), "fits": place.fits} for place in self.places]
        return {**asdict(self), "places": places, "peak": self.peak, "fits": self.fits}


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
