"""Whether models that are loaded are to be divided over the processes of a run, and by whom.

`checkpoints.divided` does it. Here is what others have to know of it, without torch's machinery.
"""

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor, nn

Probe = Callable[[nn.Module], Tensor]
"""A little work of a module, always the same."""


class Together(Protocol):
    """The processes of a run, which make every pass of a divided module at the same time."""

    def join(self, idle: Callable[[], None], rest: Callable[[], None]) -> int:
        """The number of a new kind of passes; every process asks for the same ones, in one order.

        Args:
            idle: makes a pass of this kind that changes nothing, beside another process's.
            rest: called when this process makes no more passes for now.
        """
        ...

    def announce(self, number: int) -> None:
        """Returns when every process is about to make a pass of this kind, or an idle one."""
        ...


@dataclass(frozen=True)
class Sharding:
    """How modules are divided.

    Args:
        mesh: the processes, as torch's device mesh of one dimension.
        together: keeps them in step.
        offload: whether weights wait in the CPU's memory.
        moves: whether references will be other weights than those before training.
    """

    mesh: Any
    together: Together
    offload: bool = False
    moves: bool = False


_CURRENT: ContextVar[Sharding | None] = ContextVar("sharding", default=None)


@contextlib.contextmanager
def sharded(sharding: Sharding | None) -> Iterator[None]:
    """Models that are loaded in the block are to be divided (None: they are not)."""
    token = _CURRENT.set(sharding)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def current() -> Sharding | None:
    """How models that are loaded now will be divided; None: not at all."""
    return _CURRENT.get()


def mesh() -> Any:
    """The processes that each read a part of what is loaded now; None: each reads the whole."""
    sharding = current()
    return sharding.mesh if sharding is not None else None


def is_divided(tensor: Tensor) -> bool:
    """Whether a process holds a part of it alone."""
    return hasattr(tensor, "to_local")


def part_of(tensor: Tensor) -> Tensor:
    """What this process holds of it, sharing memory: of a tensor that is not divided, all."""
    held: Any = tensor.detach()
    part: Tensor = held.to_local() if is_divided(tensor) else held
    return part
