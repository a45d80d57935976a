"""How much memory a process has, now."""

import psutil
import torch


def resident() -> int:
    """Bytes of main memory that this process holds."""
    return int(psutil.Process().memory_info().rss)


def on_device(device: torch.device) -> tuple[int, int] | None:
    """Bytes of a GPU that this process holds, and that there are; None: it is no GPU.

    It asks the allocator, not the GPU: nothing waits for it.
    """
    if device.type != "cuda":
        return None
    return torch.cuda.memory_reserved(device), torch.cuda.get_device_properties(device).total_memory
