"""A trainable copy of every weight, divided over processes."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from torch import Tensor, nn

from ...support.errors import InputError
from ..sharding import Probe, Sharding, sharded
from .copying import copy_weights

if TYPE_CHECKING:
    from .divided import Divided
    from .weights import Trainable

R = TypeVar("R", bound="Trainable")


class DividedCopy(Generic[R]):
    """As `weights.Full`; the float32 weights are all there are of the trained copy.

    They are rounded to the base's own type as they are put together to run. The reference is the
    base, or a frozen copy that is divided like it: what a process has of it stays on its device.
    """

    def __init__(self, resident: R, name: str) -> None:
        self.resident, self._name = resident, name
        self._policy = resident.load().requires_grad_(True)
        self._known = dict(self._policy.named_parameters())
        self._snapshot: nn.Module | None = None
        self._is_moved = False
        self._how: tuple[Sharding, Probe] | None = None
        self._divided: Divided | None = None

    @property
    def digest(self) -> str:
        """The base's."""
        return self.resident.digest

    def prepare(self, sharding: Sharding) -> None:
        """Nothing: the base is the reference."""

    def divide(self, sharding: Sharding, probe: Probe, idle: Callable[[], None]) -> None:
        """Divides the trained copy.

        Raises:
            InputError: its weights are of several types.
        """
        from .divided import Divided

        types = {p.dtype for p in self._policy.parameters()}
        if len(types) > 1:
            several = " and ".join(sorted(str(t).removeprefix("torch.") for t in types))
            raise InputError(
                f"model {self._name!r} has weights in {several}, and cannot be trained whole where "
                "it is divided over processes: set `dtype: float32`, or `train: lora`"
            )
        for parameter in self._policy.parameters():
            parameter.data = parameter.data.float()
        kinds: list[int] = []
        divided = Divided(
            self._policy, sharding, probe, training=lambda: kinds[0], computes=types.pop()
        )
        kinds.append(divided.learns(idle))
        self._divided = divided
        self._how = sharding, probe
        self._known = dict(self._policy.named_parameters())

    def module(self, *, reference: bool) -> nn.Module:
        """The trained copy, or the base or snapshot it is compared with."""
        if not reference:
            return self._policy
        if self._is_moved and self._snapshot is not None:
            return self._snapshot
        return self.resident.adapters.module(None)

    def parameters(self) -> dict[str, nn.Parameter]:
        """Every weight, in float32, tied ones once."""
        return dict(self._known)

    def set_reference(self, weights: dict[str, Tensor] | None) -> None:
        """Puts `weights` into a frozen copy; None: the base is the reference again."""
        self._is_moved = weights is not None
        if weights is None:
            return
        if self._snapshot is None:
            self._snapshot = self._frozen()
        copy_weights(dict(self._snapshot.named_parameters()), weights)

    def _frozen(self) -> nn.Module:
        from .divided import Divided

        assert self._how is not None
        sharding, probe = self._how
        with sharded(sharding):
            module = self.resident.load()
        Divided(module, sharding, probe, training=lambda: None)
        return module

    def release(self) -> None:
        """Nothing: what a process has of the reference is small."""

    @contextlib.contextmanager
    def gathered(self, *, here: bool) -> Iterator[None]:
        """The copy is whole until the block ends."""
        from .gathering import gathered

        if self._divided is not None:
            self._divided.rest()
        with gathered(self._policy, self._policy.parameters(), here=here):
            yield

    def save(self, folder: Path) -> None:
        """Writes the copy in float32, once it is gathered, as its library's own loader reads it."""
        self.resident.save(self._policy, folder)

    def export(self, adapter: Path, whole: Path, *, merge: bool) -> dict[str, Path]:
        """Not done where it is divided: what `save` wrote can be loaded whole, and exported."""
        raise InputError(f"model {self._name!r} is divided over processes: export what it saved")

    def load(self, folder: Path) -> None:
        """Not done where it is divided.

        Raises:
            InputError: always.
        """
        raise InputError(f"model {self._name!r} is divided over processes: load it undivided")
