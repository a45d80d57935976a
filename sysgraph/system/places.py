"""Where each model lives: on the run's device, on the one that it names, or where there is room."""

from collections.abc import Mapping

import torch

from sysgraph_schemas import Checkpoint
from sysgraph_schemas.models import Model

from ..support.device import accelerators, default_device, numbered
from ..support.errors import InputError

_AUTO = "auto"


def places(models: Mapping[str, Model], device: torch.device) -> dict[str, torch.device]:
    """The devices of those models that say where they live.

    Args:
        device: the run's, where all others do.

    Raises:
        InputError: this machine has no such device, or each of several processes has one.
    """
    checkpoints = {name: spec for name, spec in models.items() if isinstance(spec, Checkpoint)}
    said = {name: spec.device for name, spec in checkpoints.items() if spec.device is not None}
    _require_alone(said)
    found = {name: _named(name, where) for name, where in said.items() if where != _AUTO}
    auto = {name for name, where in said.items() if where == _AUTO}
    if auto:
        from .spreading import by_size

        found |= by_size(checkpoints, auto, found, device)
    return {name: found[name] for name in said}


def on_places(
    models: Mapping[str, Model], places: Mapping[str, torch.device], device: torch.device
) -> dict[str, Model]:
    """The models, with the places that they have in place of what the graph says of them.

    Args:
        device: the run's; what is there has none of its own, and shares its base with all there.
    """
    own = numbered(device)
    said = {name: None if place == own else str(place) for name, place in places.items()}
    return {
        name: spec.model_copy(update={"device": said[name]}) if name in said else spec
        for name, spec in models.items()
    }


def _require_alone(said: Mapping[str, str]) -> None:
    """Refuses a device of its own where that is each process's.

    Raises:
        InputError: with the model's name.
    """
    if not torch.distributed.is_available() or not torch.distributed.is_initialized():
        return
    processes = torch.distributed.get_world_size()
    for name, where in said.items():
        if processes > 1 and where != "cpu":
            raise InputError(
                f"model {name!r}: `device: {where}` is for a run of one process. Of these "
                f"{processes}, each has a device for all its models: leave it out, or start one"
            )


def _named(model: str, said: str) -> torch.device:
    """The device that is called so.

    Raises:
        InputError: this machine has none.
    """
    # By name: torch itself knows none of a kind whose package is not installed.
    there = {str(one): one for one in (*accelerators(), torch.device("cpu"))}
    own = default_device()
    name = str(numbered(own)) if said == own.type else said
    if name not in there:
        raise InputError(
            f"model {model!r}: there is no device {said!r} here, but {', '.join(there)}; to have "
            f"it elsewhere for once, add `--set models.{model}.device={next(iter(there))}`"
        )
    return there[name]
