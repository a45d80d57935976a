"""`device: auto`: models go where there is room, by what they would take there."""

from collections import defaultdict
from collections.abc import Hashable, Mapping, Set
from typing import Any, TypeVar

import torch

from sysgraph_schemas import Checkpoint

from ..engines import Trained, engine_of
from ..engines.base import Foreseen
from ..engines.checkpoints.memory import free_bytes
from ..engines.checkpoints.shapes import device_of, only_shapes
from ..engines.checkpoints.sources import source
from ..support.device import accelerators, numbered
from ..support.errors import InputError
from .shares import Share

G = TypeVar("G", bound=Hashable)
D = TypeVar("D", bound=Hashable)


def spread(sizes: Mapping[G, int], free: Mapping[D, int]) -> dict[G, D]:
    """Where to put what: the largest first, each onto the device that has most room left then.

    Args:
        sizes: bytes of each.
        free: bytes of each device, at least one; of equally empty ones the first is taken.
    """
    left = dict(free)
    found = {}
    for one in sorted(sizes, key=lambda one: -sizes[one]):
        found[one] = max(left, key=lambda device: left[device])
        left[found[one]] -= sizes[one]
    return found


def by_size(
    models: Mapping[str, Checkpoint],
    auto: Set[str],
    said: Mapping[str, torch.device],
    device: torch.device,
) -> dict[str, torch.device]:
    """The devices of the models `auto`, beside what is to live on each device anyway.

    Args:
        models: all that are loaded from checkpoints.
        said: the devices of those that name one.
        device: the run's, where all others are.

    Raises:
        InputError: a model is of a kind that is not loaded as shapes, or has no config.
    """
    devices = accelerators() or (torch.device("cpu"),)
    if len(devices) == 1:
        return dict.fromkeys(auto, devices[0])
    groups: dict[Hashable, dict[str, Checkpoint]] = defaultdict(dict)
    for name, spec in models.items():
        groups[spec.base.key][name] = spec
    free = {one: free_bytes(one) for one in devices}
    wanted = {}
    for key, specs in groups.items():
        size, first = _taken(specs), next(iter(specs))
        home = numbered(said.get(first, device_of(device)))
        if first in auto:
            wanted[key] = size
        elif home in free:
            free[home] -= size
    found = spread(wanted, free)
    return {name: found[models[name].base.key] for name in auto}


def _taken(specs: Mapping[str, Checkpoint]) -> int:
    """Bytes that models of one base take while they are trained, the base's among them.

    Raises:
        InputError: they are of a kind that is not loaded as shapes, or have no config.
    """
    name, first = next(iter(specs.items()))
    source(first.id, revision=first.revision)  # a toy is built here, with its numbers
    anywhere: Any = {n: spec.model_copy(update={"device": None}) for n, spec in specs.items()}
    cpu = torch.device("cpu")
    with only_shapes(cpu):
        engine = engine_of(first.kind)(anywhere, device=cpu, seed=0)
        if not isinstance(engine, Foreseen) or not isinstance(engine, Trained):
            raise InputError(
                f"model {name!r}: what models of kind {first.kind!r} take is not known before they "
                "are loaded: name a device in place of `auto`"
            )
        (base,) = engine.bases()
        own = {n: engine.parameters(n).values() for n in specs}
        shares = [Share.of(specs[n].training, own[n], base) for n in specs]
        return base.size + sum(share.lasting for share in shares)
