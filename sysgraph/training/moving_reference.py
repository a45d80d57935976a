"""A reference that follows the policy (TR-DPO, Gorbatovski et al. 2024, arXiv 2404.09656).

Every `every` steps  ref <- mix * policy + (1 - mix) * ref,  weight by weight: of an adapter, its
own matrices. Held-out pairs are measured against the round's start throughout, or the losses that
choose its best step would be of different things.
"""

import contextlib
from collections.abc import Iterator

from sysgraph_schemas.fit import Reference

from ..system import System
from .snapshots import Snapshot, Weights, copy_of


class MovingReference:
    """The reference of one round.

    Args:
        start: the round's, which the system has now.
    """

    def __init__(
        self, system: System, weights: Weights, settings: Reference, start: Snapshot
    ) -> None:
        self._system, self._weights, self._settings = system, weights, settings
        self._start, self._now = start, start

    def span(self, step: int, steps: int) -> range:
        """The steps around `step`, of `steps`, that have one reference."""
        first = step - step % self._settings.every
        return range(first, min(first + self._settings.every, steps))

    def follow(self, step: int) -> bool:
        """Moves towards the policy if it is time after `step` steps; whether it did."""
        if step % self._settings.every:
            return False
        mix, policy = self._settings.mix, copy_of(self._weights)
        self._now = {
            model: {
                name: before.cpu().mul(1 - mix).add(policy[model][name], alpha=mix)
                for name, before in weights.items()
            }
            for model, weights in self._now.items()
        }
        self.install()
        return True

    def install(self) -> None:
        """Makes it the system's reference."""
        self._set(self._now)

    @contextlib.contextmanager
    def at_start(self) -> Iterator[None]:
        """The round's start is the system's reference meanwhile."""
        self._set(self._start)
        yield
        self.install()

    def state(self) -> Snapshot:
        """Where it is; empty: at the start, which the run's state has already."""
        return {} if self._now is self._start else self._now

    def load(self, state: Snapshot) -> None:
        """Goes on from what `state` returned; `install` is still to come."""
        self._now = state or self._start

    def _set(self, snapshot: Snapshot) -> None:
        for model, weights in snapshot.items():
            self._system.set_reference(model, weights)
