"""How a model's policy and reference relate to the shared base: one class per way of training.

Each gives the module to run as policy and as reference.
"""

import contextlib
import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor, nn

from sysgraph_schemas import Checkpoint

from ...support.errors import InputError
from ...support.seeding import derive
from ..digest import digest_of
from ..sharding import Probe, Sharding, current
from .adapters import Adapters
from .copying import copy_weights
from .divided_copy import DividedCopy
from .loading import UNREADABLE
from .masters import Masters
from .offloaded import Offloaded


class Trainable(Protocol):
    """A base in memory, shared by every model that names it: for adapters, and to be copied."""

    adapters: Adapters
    device: torch.device
    noun: ClassVar[str]
    """What `save` writes, for messages."""

    @property
    def digest(self) -> str:
        """Of the base's weights as they were loaded."""
        ...

    @property
    def weights(self) -> Mapping[str, Tensor]:
        """The base's, by name; adapters are none of them."""
        ...

    @property
    def settings(self) -> str:
        """Tells how the base computes, its weights aside."""
        ...

    def load(self) -> nn.Module:
        """Another copy of the base, frozen, in evaluation mode."""
        ...

    def divide(self, sharding: Sharding, probe: Probe) -> None:
        """Divides the base and all adapters on it over processes.

        Args:
            probe: a little work of the base.
        """
        ...

    def offloaded(self) -> Offloaded:
        """The base, once nothing but references will run on it."""
        ...

    def save(self, module: Any, folder: Path) -> None:
        """Writes a trained copy into `folder`, as its library's own loader reads it."""
        ...

    def write(self, module: Any, folder: Path) -> None:
        """Writes a copy into `folder` with all that it takes to run it."""
        ...

    def merged(self, folder: Path) -> nn.Module:
        """Another copy of the base, with the adapter in `folder` merged into it.

        Raises:
            InputError: the base takes none.
        """
        ...

    def read(self, folder: Path) -> nn.Module:
        """What `save` wrote.

        Raises:
            one of UNREADABLE: it is not there, or damaged.
        """
        ...


R = TypeVar("R", bound=Trainable)


class Weights(Protocol[R]):
    """A model's policy and reference weights."""

    resident: R

    @property
    def digest(self) -> str:
        """Of what it was before training."""
        ...

    def module(self, *, reference: bool) -> nn.Module:
        """The module with the policy's or the reference's weights, until the next such call."""
        ...

    def parameters(self) -> dict[str, nn.Parameter]:
        """What is trained."""
        ...

    def set_reference(self, weights: dict[str, Tensor] | None) -> None:
        """Other reference weights than the ones before training, or (None) those."""
        ...

    def release(self) -> None:
        """The reference is not needed for now: frees what it alone has on the device."""
        ...

    def save(self, folder: Path) -> None:
        """Writes what is trained, as its library's own loader reads it."""
        ...

    def load(self, folder: Path) -> None:
        """Reads what `save` wrote.

        Raises:
            InputError: it is not there, or does not fit; nothing was changed.
        """
        ...

    def export(self, adapter: Path, whole: Path, *, merge: bool) -> dict[str, Path]:
        """Writes what its base does not have; see `Exported`."""
        ...


@runtime_checkable
class Dividable(Protocol):
    """Weights on a base that can be divided over processes."""

    def prepare(self, sharding: Sharding) -> None:
        """Adds what the base is to have before it is divided."""
        ...

    def divide(self, sharding: Sharding, probe: Probe, idle: Callable[[], None]) -> None:
        """Divides what there is beside the base, which is divided already.

        Args:
            probe: a little work of its module.
            idle: makes a training pass of it that changes nothing; see `Divided.learns`.
        """
        ...

    def gathered(self, *, here: bool) -> AbstractContextManager[None]:
        """What is trained is whole until the block ends; see `gathering.gathered`."""
        ...


class Frozen(Generic[R]):
    """The base as it is; policy and reference are one."""

    def __init__(self, resident: R) -> None:
        self.resident = resident

    @property
    def digest(self) -> str:
        """The base's."""
        return self.resident.digest

    def module(self, *, reference: bool) -> nn.Module:
        """The base."""
        return self.resident.adapters.module(None)

    def parameters(self) -> dict[str, nn.Parameter]:
        """Nothing."""
        return {}

    def set_reference(self, weights: dict[str, Tensor] | None) -> None:
        """Nothing: there is but one set of weights."""

    def release(self) -> None:
        """Nothing: the base is in use."""

    def prepare(self, sharding: Sharding) -> None:
        """Nothing: the base is all there is."""

    def divide(self, sharding: Sharding, probe: Probe, idle: Callable[[], None]) -> None:
        """Nothing: the base is all there is."""

    def gathered(self, *, here: bool) -> AbstractContextManager[None]:
        """Nothing: none is trained."""
        return contextlib.nullcontext()

    def save(self, folder: Path) -> None:
        """Nothing to write."""

    def load(self, folder: Path) -> None:
        """Nothing to read."""

    def export(self, adapter: Path, whole: Path, *, merge: bool) -> dict[str, Path]:
        """Nothing to write."""
        return {}


class Adapted(Frozen[R]):
    """The base with an adapter from a folder, as it is; policy and reference are one."""

    def __init__(self, resident: R, name: str, folder: Path) -> None:
        super().__init__(resident)
        self._name = f"{name.replace('.', '-')}__adapter"
        try:
            resident.adapters.attach(self._name, folder)
        except InputError as error:
            raise InputError(f"cannot load the adapter of model {name!r}: {error}") from error

    @cached_property
    def digest(self) -> str:
        """Of the base and the adapter."""
        adapters = self.resident.adapters
        scale = repr(sorted(map(repr, adapters.config(self._name).to_dict().items())))
        parts = (self.resident.digest, digest_of(adapters.state(self._name)), scale)
        return hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()

    def module(self, *, reference: bool) -> nn.Module:
        """The base with the adapter."""
        return self.resident.adapters.module(self._name)


class Adapter(Generic[R]):
    """A LoRA adapter on the shared base. Reference: adapters off, or a second, frozen adapter."""

    def __init__(self, resident: R, name: str, spec: Checkpoint, seed: int) -> None:
        self.resident = resident
        self._name, self._spec, self._seed = name, spec, derive(seed, name)
        # peft makes the adapter's name a part of parameter names and a key of an nn.ModuleDict: a
        # model may be called `mlp` or `train`, an adapter may not.
        plain = name.replace(".", "-")  # of a part: an nn.ModuleDict has no dots in its keys
        self._policy = f"{plain}__policy"
        self._snapshot = f"{plain}__reference"
        self._has_snapshot = False
        self._reference: str | None = None
        self._adapters = resident.adapters
        try:
            self._adapters.add(self._policy, spec.lora, self._seed, trained=True)
        except InputError as error:
            raise InputError(f"model {name!r} on {spec.id!r}: {error}") from error

    @property
    def digest(self) -> str:
        """The base's."""
        return self.resident.digest

    def module(self, *, reference: bool) -> nn.Module:
        """The base with the policy's adapter, the reference's, or none."""
        return self._adapters.module(self._reference if reference else self._policy)

    def parameters(self) -> dict[str, nn.Parameter]:
        """The adapter's, by module name."""
        return self._adapters.parameters(self._policy)

    def set_reference(self, weights: dict[str, Tensor] | None) -> None:
        """Puts `weights` into a second adapter; None: the base is the reference again."""
        if weights is None:
            self._reference = None
            return
        self._add_snapshot()
        copy_weights(self._adapters.parameters(self._snapshot), weights)
        self._reference = self._snapshot

    def _add_snapshot(self) -> None:
        if not self._has_snapshot:
            self._adapters.add(self._snapshot, self._spec.lora, self._seed, trained=False)
            self._has_snapshot = True

    def release(self) -> None:
        """Nothing: an adapter is small."""

    def prepare(self, sharding: Sharding) -> None:
        """Adds the second adapter, where one will be needed."""
        if sharding.moves:
            self._add_snapshot()

    def divide(self, sharding: Sharding, probe: Probe, idle: Callable[[], None]) -> None:
        """The adapter is divided with the base; all processes train it at once from now on."""
        self._adapters.learns(self._policy, idle)

    def gathered(self, *, here: bool) -> AbstractContextManager[None]:
        """The adapter is whole until the block ends."""
        return self._adapters.gathered(self._policy, here=here)

    def save(self, folder: Path) -> None:
        """Writes the adapter as its library's own loader reads it."""
        self._adapters.save(self._policy, folder)

    def export(self, adapter: Path, whole: Path, *, merge: bool) -> dict[str, Path]:
        """Writes the adapter, or a copy of the base with it merged in."""
        if not merge:
            self.save(adapter)
            return {"adapter": adapter}
        with tempfile.TemporaryDirectory() as place:
            self.save(Path(place) / "adapters" / "merged")
            module = self.resident.merged(Path(place) / "adapters" / "merged")
        self.resident.write(module, whole)
        return {"id": whole}

    def load(self, folder: Path) -> None:
        """Reads an adapter of the same shape and scale."""
        try:
            weights, settings = self._adapters.read(folder)
        except UNREADABLE as error:
            raise InputError(f"{folder} is no adapter for model {self._name!r}: {error}") from error
        config = self._adapters.config(self._policy)
        for field in ("r", "lora_alpha", "use_rslora", "use_dora"):  # what the weights mean
            if field in settings and settings[field] != getattr(config, field):
                raise InputError(
                    f"{folder} does not fit model {self._name!r}: its {field} is "
                    f"{settings[field]}, the graph's is {getattr(config, field)}"
                )
        _fill(self._adapters.state(self._policy), weights, folder, self._name)


class Full(Generic[R]):
    """A trainable copy of every weight. Reference: the untouched shared base, or a frozen copy.

    The frozen copy is on the device only while it scores, and so is a base that no other model
    runs on. What is trained, saved and resumed from is float32; the trained copy runs in the base's
    own type.

    Args:
        base: the base, if only models trained whole are of it.
    """

    def __init__(self, resident: R, name: str, base: Offloaded | None) -> None:
        self.resident = resident
        self._base = base
        self._name = name
        self._policy = resident.load().requires_grad_(True)
        self._masters = Masters(self._policy)
        self._reference: Offloaded | None = None

    @property
    def digest(self) -> str:
        """The base's."""
        return self.resident.digest

    def module(self, *, reference: bool) -> nn.Module:
        """The trained copy, or the base or snapshot it is compared with."""
        if not reference:
            self._masters.refresh()
            return self._policy
        waiting = self._reference or self._base
        return self.resident.adapters.module(None) if waiting is None else waiting.load()

    def parameters(self) -> dict[str, nn.Parameter]:
        """Every weight, in float32, tied ones once."""
        return self._masters.parameters()

    def set_reference(self, weights: dict[str, Tensor] | None) -> None:
        """Puts `weights` into a frozen copy; None: the base is the reference again."""
        if weights is None:
            self._reference = None
            return
        if self._reference is None:
            self._reference = Offloaded.copy_of(self._policy, self.resident.device)
        self._reference.fill(weights)

    def release(self) -> None:
        """Takes the frozen copy, or the base, off the device."""
        waiting = self._reference or self._base
        if waiting is not None:
            waiting.release()

    def save(self, folder: Path) -> None:
        """Writes the copy in float32, as its library's own loader reads it."""
        with self._masters.in_place():
            self.resident.save(self._policy, folder)

    def export(self, adapter: Path, whole: Path, *, merge: bool) -> dict[str, Path]:
        """Writes the copy, in the type that it runs in."""
        self.resident.write(self.module(reference=False), whole)
        return {"id": whole}

    def load(self, folder: Path) -> None:
        """Reads a copy of the same architecture."""
        try:
            saved = self.resident.read(folder)
        except UNREADABLE as error:
            what = f"{folder} is no {self.resident.noun} for model {self._name!r}"
            raise InputError(f"{what}: {error}") from error
        weights = {name: parameter.detach() for name, parameter in saved.named_parameters()}
        _fill(self.parameters(), weights, folder, self._name)


def weights_of(
    resident: R, specs: Mapping[str, Checkpoint], seed: int
) -> Iterator[tuple[str, Weights[R]]]:
    """The weights of all models on one base, by their ways of training."""
    divided = current() is not None
    whole = all(spec.train == "full" for spec in specs.values())
    base = resident.offloaded() if whole and not divided else None
    for name, spec in specs.items():
        if spec.train == "lora":
            yield name, Adapter(resident, name, spec, seed)
        elif spec.train == "full":
            yield name, DividedCopy(resident, name) if divided else Full(resident, name, base)
        else:
            yield name, _still(resident, name, spec)


def _still(resident: R, name: str, spec: Checkpoint) -> Weights[R]:
    """Of a frozen model."""
    if spec.adapter is None:
        return Frozen(resident)
    return Adapted(resident, name, Path(spec.adapter).expanduser())


def _fill(
    target: Mapping[str, Tensor], weights: Mapping[str, Tensor], folder: Path, name: str
) -> None:
    """Copies what `folder` holds into model `name`, or raises InputError and changes nothing."""
    try:
        copy_weights(target, weights)
    except InputError as error:
        raise InputError(f"{folder} does not fit model {name!r}: {error}") from error
