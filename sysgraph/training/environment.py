"""What a computation's last bits depend on besides its program, weights and data."""

import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from ..support.device import called
from .workers import Workers

_LIBRARIES = ("torch", "transformers", "peft", "bitsandbytes", "diffusers", "numpy")


def surroundings(workers: Workers, places: Mapping[str, torch.device]) -> dict[str, Any]:
    """Versions, devices, threads and processes, as JSON.

    Args:
        places: the devices of models that have one of their own.
    """
    return {
        **{library: _version(library) for library in _LIBRARIES},
        "device": called(workers.device),
        "processor": f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}",
        "threads of torch": torch.get_num_threads(),
        "processes": workers.accelerator.num_processes,
        "mixed precision": workers.accelerator.mixed_precision,
        **{f"device of model {model}": called(place) for model, place in places.items()},
    }


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None
