"""Log-probabilities that no step changes, kept from step to step."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ..engines import Request
from ..support.device import on_device
from ..support.seeding import derive
from ..system import System

CAPACITY = 100_000


class ReferenceCache:
    """The reference's log p by request, of frozen models too: theirs is the policy's.

    The longest unused are forgotten beyond `CAPACITY`. Values stay on the device. They are part of
    a run's state: scored again among other requests, they could differ in their last bits.
    """

    def __init__(self, system: System) -> None:
        self._system = system
        self._slots: OrderedDict[int, int] = OrderedDict()
        self._values = torch.zeros(CAPACITY, device=system.device)

    @torch.no_grad()
    def log_prob(self, requests: Sequence[Request]) -> Tensor:
        """[len(requests)], nats. Equal requests may be among them."""
        keys = [derive(r.model, r.context, r.value, r.options) for r in requests]
        unknown = dict(zip(keys, requests, strict=True))
        known = [key for key in unknown if key in self._slots]
        for key in known:
            self._slots.move_to_end(key)
            del unknown[key]
        new = self._system.score(list(unknown.values()), reference=True)
        old = self._values[self._at([self._slots[key] for key in known])]
        where = {key: at for at, key in enumerate([*known, *unknown])}
        found = torch.cat([old, new])[self._at([where[key] for key in keys])]
        self._keep(list(unknown), new)
        return found

    def clear(self) -> None:
        """Forgets all: the reference is another one."""
        self._slots.clear()

    def state(self) -> dict[str, Tensor]:
        """What `load` reads: keys and values, the longest unused first."""
        keys = torch.tensor(list(self._slots), dtype=torch.long)
        return {"keys": keys, "values": self._values[self._at(list(self._slots.values()))]}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Goes on from what `state` returned."""
        self._slots.clear()
        self._keep(state["keys"].tolist(), state["values"].to(self._values.device))

    def _keep(self, keys: Sequence[int], values: Tensor) -> None:
        keys, values = keys[-CAPACITY:], values[-CAPACITY:]
        slots = []
        for key in keys:
            full = len(self._slots) == CAPACITY
            slot = self._slots.popitem(last=False)[1] if full else len(self._slots)
            self._slots[key] = slot
            slots.append(slot)
        self._values[self._at(slots)] = values

    def _at(self, positions: Sequence[int]) -> Tensor:
        return on_device(positions, self._values.device, torch.long)
