"""Where models live, and how numbers get there."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def default_device() -> torch.device:
    """An accelerator if there is one, else the CPU."""
    found = torch.accelerator.current_accelerator(check_available=True)
    return found if found is not None else torch.device("cpu")


def accelerators() -> tuple[torch.device, ...]:
    """Those that this machine has, by number."""
    kind = default_device().type
    count = 0 if kind == "cpu" else torch.accelerator.device_count()
    return tuple(torch.device(kind, number) for number in range(count))


def numbered(device: torch.device) -> torch.device:
    """The device with its number, where it has one: equal for equal devices."""
    if device.type != default_device().type or device.type == "cpu" or device.index is not None:
        return device
    return torch.device(device.type, torch.accelerator.current_device_index())


def called(device: torch.device) -> str:
    """What a computation's last bits depend on of a device."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def on_device(
    values: Sequence[Any], device: torch.device, dtype: torch.dtype | None = None
) -> Tensor:
    """As `torch.tensor(values, device=device)`, without a wait.

    An ordinary copy to a GPU waits for all that was asked of the GPU before; one from pinned memory
    is itself only asked for.
    """
    if device.type != "cuda":
        return torch.tensor(values, dtype=dtype, device=device)
    pinned = torch.tensor(values, dtype=dtype, pin_memory=True)
    return pinned.to(device, non_blocking=True)


def moved(tensor: Tensor, device: torch.device) -> Tensor:
    """As `tensor.to(device)`, to a GPU without a wait: see `on_device`."""
    if device.type != "cuda" or tensor.device.type != "cpu":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)
