"""What a computation's last bits depend on besides its program, weights and data."""

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from ..support.device import called
from ..system import System
from .workers import Workers

_LIBRARIES = ("torch", "transformers", "peft", "bitsandbytes", "diffusers", "numpy")


def surroundings(workers: Workers, system: System) -> dict[str, Any]:
    """Versions, devices, threads and processes, and how models are on them, as JSON."""
    fit, models = system.program.fit, system.program.models
    divided = [] if workers.alone else [m for m, spec in models.items() if spec.is_divided(fit)]
    return {
        **{library: _version(library) for library in _LIBRARIES},
        "device": called(workers.device),
        "processor": f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}",
        "threads of torch": torch.get_num_threads(),
        "processes": workers.accelerator.num_processes,
        "mixed precision": workers.accelerator.mixed_precision,
        "divided models": ", ".join(divided) or "none",
        **{f"device of model {model}": called(place) for model, place in system.places.items()},
    }


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None
