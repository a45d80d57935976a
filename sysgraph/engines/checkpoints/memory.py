"""How much of the work of a gradient one pass may take on: measured, not guessed."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

_ON_CPU = 512 * 2**20


def graph_bytes(module: nn.Module, run: Callable[[], Tensor]) -> int:
    """Bytes that the graph of `run()` keeps for its gradient, the weights of `module` aside."""
    weights = {tensor.untyped_storage().data_ptr() for tensor in module.parameters()}
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(note, lambda saved: saved):
        values = run()  # the graph, and with it all that was noted, lives as long as this
    del values
    return sum(kept.values())


def pass_bytes(device: torch.device) -> int:
    """Bytes that the graph of one pass may keep: what fills a device and leaves room beside it.

    Of an accelerator, an eighth of its memory; on a CPU, where a larger pass is no faster, 512 MiB.
    """
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory) // 8
    return _ON_CPU
