"""Whether parameters may have other values than when they were last looked at."""

from collections.abc import Iterable
from functools import cache
from typing import Any

from torch import nn
from torch.optim.optimizer import register_optimizer_step_post_hook


class Changes:
    """Watches parameters; at first they count as changed.

    A change in place counts up a tensor's version, but a fused optimizer's step does not: so every
    step of any optimizer may have changed them.
    """

    def __init__(self, parameters: Iterable[nn.Parameter]) -> None:
        self._parameters = tuple(parameters)
        self._seen: tuple[int, ...] | None = None
        _counted()

    def since_last_time(self) -> bool:
        """Whether they may have changed since this was last asked."""
        now = (len(_counted()), *(parameter._version for parameter in self._parameters))
        before, self._seen = self._seen, now
        return before != now


@cache
def _counted() -> "_Count":
    """The steps that optimizers have taken since this was first asked for."""
    count = _Count()
    register_optimizer_step_post_hook(count)
    return count


class _Count:
    def __init__(self) -> None:
        self._steps = 0

    def __call__(self, *_: Any) -> None:
        self._steps += 1

    def __len__(self) -> int:
        return self._steps
