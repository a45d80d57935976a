"""What a computation's last bits depend on besides its program, weights and data."""

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from .workers import Workers

_LIBRARIES = ("torch", "transformers", "peft", "diffusers", "numpy")


def surroundings(workers: Workers) -> dict[str, Any]:
    """Versions, devices, threads and processes, as JSON."""
    device = workers.device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return {
        **{library: _version(library) for library in _LIBRARIES},
        "device": name,
        "processor": f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}",
        "threads of torch": torch.get_num_threads(),
        "processes": workers.accelerator.num_processes,
        "mixed precision": workers.accelerator.mixed_precision,
    }


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None
