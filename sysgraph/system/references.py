"""Log p of data under the models before training: worked out once, then read from disk.

What one call of a model computes is kept under a key of everything that its numbers depend on to
the last bit: the weights and settings of the model, every row of the call, in order, since what
stands beside a row moves its last bits, the machine, and the code. So what is read is what would
have been computed, bit for bit, and a run is the same whether it reads or computes.
"""

import hashlib
import os
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from ..engines import Request, choices
from ..engines.passes import total
from ..support.device import moved, on_device
from ..support.errors import InputError
from ..support.progress import Reporter
from ..support.shelf import Shelf
from ..toys.cache import cache_root
from .models import Models

SWITCH = "SYSGRAPH_REFERENCES"
"""The environment variable: `off` reads and keeps nothing."""


def shelf(reporter: Reporter) -> Shelf | None:
    """Where values are kept on this machine; None: they are not to be.

    Raises:
        InputError: the switch is neither `on` nor `off`.
    """
    said = os.environ.get(SWITCH) or "on"
    if said not in ("on", "off"):
        raise InputError(f"{SWITCH} is {said!r}: set it to `on` or `off`, or unset it")
    return Shelf(cache_root() / "references", reporter) if said == "on" else None


class References:
    """Log p_ref of requests, from a shelf where it is there.

    Args:
        kept: None: everything is computed.
        surroundings: what last bits depend on besides models and rows: versions, device, threads.
    """

    def __init__(
        self, models: Models, kept: Shelf | None, surroundings: Mapping[str, object]
    ) -> None:
        self._models, self._kept = models, kept
        self._around = (_code(), sorted(surroundings.items()), torch.get_float32_matmul_precision())
        self.read, self.computed = 0, 0
        """Values so far; an option of a choice is one."""

    @torch.no_grad()
    def log_prob(self, requests: Sequence[Request]) -> Tensor:
        """As `System.score(requests, reference=True)`, to the bit: [N], nats, float32."""
        return choices.scored(requests, self._values)

    def tidy(self) -> str | None:
        """Keeps the shelf in bounds, after the last value; says what was read, None if nothing."""
        if self._kept is not None and self.computed:
            self._kept.tidy()
        if self._kept is None or not self.read:
            return None
        count = self.read + self.computed
        return f"{self.read} of {count} values read from {self._kept.folder}"

    def _values(self, flat: Sequence[Request]) -> Tensor:
        out = torch.zeros(len(flat), device=self._models.device)
        for indices in self._models.calls(flat, reference=True):
            values = self._of_call([flat[i] for i in indices])
            out[on_device(indices, out.device)] = values
        return out

    def _of_call(self, requests: Sequence[Request]) -> Tensor:
        """[len(requests)], of requests that are scored under the same weights."""
        device, key = self._models.device, self._key(requests)
        if self._kept is not None and key is not None:
            found = self._kept.get(key, len(requests))
            if found is not None:
                self.read += len(requests)
                return moved(found, device)
        passes = self._models.passes(requests, reference=True)
        values = total(passes, len(requests), device)
        self.computed += len(requests)
        if self._kept is not None and key is not None and bool(values.isfinite().all()):
            self._kept.put(key, values)
        return values

    def _key(self, requests: Sequence[Request]) -> str | None:
        """Tells a call from all others; None where one of its requests can not be told."""
        if self._kept is None:
            return None
        whole = hashlib.blake2b(digest_size=16)
        whole.update(repr((self._around, _autocast(self._models.device))).encode())
        for request in requests:
            one = self._models.fingerprint(request)
            if one is None:
                return None
            whole.update(f"{len(one)} {one}".encode())
        return whole.hexdigest()


def _autocast(device: torch.device) -> str | None:
    """The type that is computed in, where it is not the weights' own."""
    if not torch.is_autocast_enabled(device.type):
        return None
    return str(torch.get_autocast_dtype(device.type))


@cache
def _code() -> str:
    """A digest of the code that computes log p: another version may round otherwise."""
    package = Path(__file__).parents[1]
    whole = hashlib.blake2b(digest_size=16)
    for room in ("engines", "objectives", "support"):
        for path in sorted((package / room).rglob("*.py")):
            whole.update(f"{path.relative_to(package)} ".encode() + path.read_bytes())
    return whole.hexdigest()
