"""How much memory a process has, now."""

from collections.abc import Iterable

import psutil
import torch


def resident() -> int:
    """Bytes of main memory that this process holds."""
    return int(psutil.Process().memory_info().rss)


def on_gpus(devices: Iterable[torch.device]) -> tuple[int, int] | None:
    """Bytes of GPUs that this process holds, and that there are; None: none of these is a GPU.

    It asks the allocators, not the GPUs: nothing waits for it.
    """
    gpus = [one for one in devices if one.type == "cuda"]
    if not gpus:
        return None
    whole = sum(torch.cuda.get_device_properties(one).total_memory for one in gpus)
    return sum(map(torch.cuda.memory_reserved, gpus)), whole
