"""The processes of one run, through accelerate: who does which share, and what becomes of shares.

Gradients are summed once per step over one flat buffer, with zeros for what a process's share did
not touch: a node without a gradient cannot make another process wait, as bucketed hooks could.
"""

import contextlib
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import TypeVar

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import AutocastKwargs, DistributedType, gather_object
from torch import Tensor, nn

from sysgraph_compiler import Program

from ..engines.sharding import Sharding, is_divided
from ..support.device import default_device, moved
from ..support.errors import InputError
from ..support.progress import Reporter
from .lockstep import Lockstep

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
        InputError: accelerate is configured to shard models by a plugin of its own, or the device
            cannot compute in this precision.
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
                "divides models over processes by itself: set `fit.shard: true`, and start it with "
                "plain `torchrun`, or `accelerate launch` without such a plugin"
            )
        if self.accelerator.mixed_precision == "fp16" and self.device.type == "cpu":
            raise InputError("mixed precision fp16 needs a GPU; on a CPU choose bf16 or no")
        # The loop divides by the whole batch itself; `accelerate launch` may set another divisor.
        self.accelerator.gradient_accumulation_steps = 1
        self._lockstep = None if self.alone else Lockstep()

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
    def number(self) -> int:
        """Of this process, from 0 on."""
        return int(self.accelerator.process_index)

    @property
    def alone(self) -> bool:
        """Whether this is the only process."""
        return bool(self.accelerator.num_processes == 1)

    def sharding(self, program: Program, reporter: Reporter) -> Sharding | None:
        """How models are divided over the processes; None: none is to be.

        Raises:
            InputError: weights are to wait in the CPU's memory, and run there; or the precision is
                none to train divided models in.
        """
        fit = program.fit
        divided = [name for name, spec in program.models.items() if spec.is_divided(fit)]
        if not divided:
            return None
        if self._lockstep is None:
            reporter.line(
                "`shard`: this is the only process, and holds every model whole; `torchrun "
                "--nproc-per-node N -m sysgraph fit ...` divides them over N"
            )
            return None
        reporter.line(
            f"divided over {self.accelerator.num_processes} processes: {', '.join(divided)}. "
            "Drawing puts their weights together for each token or step: where it takes long, a "
            "`sampler` draws faster"
        )
        if fit.offloads and self.device.type == "cpu":
            raise InputError(
                "`fit.shard.cpu_offload` has weights wait in the CPU's memory, and they run there: "
                "set `fit.shard: true`"
            )
        if self.accelerator.mixed_precision == "fp16":
            raise InputError(
                "mixed precision fp16 scales losses by what each process finds in its gradients, "
                "of which it has a part where models are divided: choose bf16"
            )
        # Casts that autocast would keep are of whole weights, which are to go after each block.
        self.accelerator.autocast_handler = AutocastKwargs(cache_enabled=False)
        from torch.distributed.device_mesh import init_device_mesh

        return Sharding(
            mesh=init_device_mesh(self.device.type, (self.accelerator.num_processes,)),
            together=self._lockstep,
            offload=fit.offloads,
            moves=fit.rounds > 1 or fit.reference is not None,
        )

    def failing_together(self) -> AbstractContextManager[None]:
        """What is raised meanwhile ends the other processes too, with its message."""
        return self._lockstep.failing_together() if self._lockstep else contextlib.nullcontext()

    def _settle(self) -> None:
        """Until no process has any more passes to make that take all of them."""
        if self._lockstep is not None:
            self._lockstep.settle()

    def share(self, items: Sequence[T]) -> Sequence[T]:
        """This process's part of `items`."""
        return items[self.accelerator.process_index :: self.accelerator.num_processes]

    def together(self, share: Sequence[T]) -> list[T]:
        """All processes' shares in the order of the items that `share` split."""
        if self.alone:
            return list(share)
        self._settle()
        indexed = [
            (i * self.accelerator.num_processes + self.accelerator.process_index, item)
            for i, item in enumerate(share)
        ]
        return [item for _, item in sorted(gather_object(indexed), key=lambda pair: pair[0])]

    def gather(self, mine: list[T]) -> list[T]:
        """All processes' items, one process after the other."""
        self._settle()
        return list(mine) if self.alone else list(gather_object(mine))

    def sum(self, tensor: Tensor) -> Tensor:
        """The sum of every process's `tensor`."""
        if self.alone:
            return tensor
        self._settle()
        total: Tensor = self.accelerator.reduce(tensor, reduction="sum")
        return total

    def wait(self) -> None:
        """Until every process is here."""
        self._settle()
        self.accelerator.wait_for_everyone()

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Gives every parameter the sum of all processes' gradients, 0 where there is none.

        Those of divided parameters are sums already.
        """
        several = list(parameters)
        self._settle()  # the others' passes add to the gradients of what is divided
        for parameter in several:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        if self.alone:
            return
        gradients = [p.grad for p in several if p.grad is not None and not is_divided(p)]
        # Half-precision gradients are added in float32; tables keep their float64.
        wide = [g.float() if g.element_size() < 4 else g for g in gradients]
        if not wide:
            return
        flat = self.sum(torch.cat([moved(g.flatten(), self.device) for g in wide]))
        for gradient, part in zip(
            gradients, flat.split([g.numel() for g in gradients]), strict=True
        ):
            gradient.copy_(part.view_as(gradient))
