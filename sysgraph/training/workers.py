"""The processes of one run, through accelerate: who does which share, and what becomes of shares.

Gradients are summed once per step over one flat buffer, with zeros for what a process's share did
not touch: a node without a gradient cannot make another process wait, as bucketed hooks could.
"""

from collections.abc import Iterable, Sequence
from typing import TypeVar

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedType, gather_object
from torch import Tensor, nn

from ..support.device import default_device, moved
from ..support.errors import InputError

T = TypeVar("T")

_REPLICATED = {
    DistributedType.NO,
    DistributedType.MULTI_CPU,
    DistributedType.MULTI_GPU,
    DistributedType.MULTI_XPU,
    DistributedType.MULTI_NPU,
}


class Workers:
    """This process among the run's processes.

    Args:
        mixed_precision: `no`, `bf16`, `fp16`; None: as accelerate is configured.

    Raises:
        InputError: accelerate is configured to shard models, which this training does not do, or
            the device cannot compute in this precision.
    """

    def __init__(self, mixed_precision: str | None) -> None:
        # The state is one per Python process: an earlier run's precision would stay in effect.
        AcceleratorState._reset_state()
        # Without `cpu=True`, processes that were launched on a machine without an accelerator do
        # not find each other: each would take itself for the only one.
        on_cpu = default_device().type == "cpu"
        self.accelerator = Accelerator(mixed_precision=mixed_precision, cpu=on_cpu or None)
        if self.accelerator.distributed_type not in _REPLICATED:
            raise InputError(
                f"accelerate is configured for {self.accelerator.distributed_type.value}; sysgraph "
                "trains replicated models (one process, or several with the same models)"
            )
        if self.accelerator.mixed_precision == "fp16" and self.device.type == "cpu":
            raise InputError("mixed precision fp16 needs a GPU; on a CPU choose bf16 or no")
        # The loop divides by the whole batch itself; `accelerate launch` may set another divisor.
        self.accelerator.gradient_accumulation_steps = 1

    @property
    def device(self) -> torch.device:
        """This process's device."""
        device: torch.device = self.accelerator.device
        return device

    @property
    def main(self) -> bool:
        """Whether this process writes files and shows progress."""
        return bool(self.accelerator.is_main_process)

    @property
    def alone(self) -> bool:
        """Whether this is the only process."""
        return bool(self.accelerator.num_processes == 1)

    def share(self, items: Sequence[T]) -> Sequence[T]:
        """This process's part of `items`."""
        return items[self.accelerator.process_index :: self.accelerator.num_processes]

    def together(self, share: Sequence[T]) -> list[T]:
        """All processes' shares in the order of the items that `share` split."""
        if self.alone:
            return list(share)
        indexed = [
            (i * self.accelerator.num_processes + self.accelerator.process_index, item)
            for i, item in enumerate(share)
        ]
        return [item for _, item in sorted(gather_object(indexed), key=lambda pair: pair[0])]

    def gather(self, mine: list[T]) -> list[T]:
        """All processes' items, one process after the other."""
        return list(mine) if self.alone else list(gather_object(mine))

    def sum(self, tensor: Tensor) -> Tensor:
        """The sum of every process's `tensor`."""
        if self.alone:
            return tensor
        total: Tensor = self.accelerator.reduce(tensor, reduction="sum")
        return total

    def wait(self) -> None:
        """Until every process is here."""
        self.accelerator.wait_for_everyone()

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Gives every parameter the sum of all processes' gradients, 0 where there is none."""
        several = list(parameters)
        for parameter in several:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        if self.alone:
            return
        gradients = [p.grad for p in several if p.grad is not None]
        # Half-precision gradients are added in float32; tables keep their float64.
        wide = [g.float() if g.element_size() < 4 else g for g in gradients]
        flat = self.sum(torch.cat([moved(g.flatten(), self.device) for g in wide]))
        for gradient, part in zip(
            gradients, flat.split([g.numel() for g in gradients]), strict=True
        ):
            gradient.copy_(part.view_as(gradient))
