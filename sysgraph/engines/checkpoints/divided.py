"""A module divided over the processes of a run, block by block, by torch's `fully_shard`.

Each process holds a part of every weight, of its gradient and of its optimizer state. A block's
weights are put together while it runs, from all processes' parts, so all must run it at once:
before each pass of the module they agree on it, and those with nothing to run make an idle pass.
"""

import contextlib
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import (
    CPUOffloadPolicy,
    FSDPModule,
    MixedPrecisionPolicy,
    OffloadPolicy,
    fully_shard,
)
from torch.utils._pytree import tree_map_only

from ..sharding import Probe, Sharding
from .memory import bytes_of
from .parts import aside

_LARGEST = 1 / 8
"""Of a module's weights, what one block has at most: its weights are whole while it runs."""
_SMALLEST = 1 / 1000
"""A smaller block is not worth a call to the other processes: it is whole whenever the rest is."""


class Divided:
    """A module that is divided in place, and runs in all processes at once.

    Args:
        root: its parameters become DTensors.
        probe: a little work of it, always the same.
        training: asked before a pass with gradients: the kind of passes (see `learns`) it is one
            of; None: nothing is trained in it.
        computes: the type that it runs in, where its weights are float32 to be trained.
    """

    def __init__(
        self,
        root: Any,
        sharding: Sharding,
        probe: Probe,
        *,
        training: Callable[[], int | None],
        computes: torch.dtype = torch.float32,
    ) -> None:
        self._root, self._probe, self._training = root, probe, training
        self._together = sharding.together
        half = computes if computes != torch.float32 else None
        how: dict[str, Any] = {
            "mesh": sharding.mesh,
            "mp_policy": MixedPrecisionPolicy(half, torch.float32, cast_forward_inputs=False),
            "offload_policy": CPUOffloadPolicy() if sharding.offload else OffloadPolicy(),
        }
        found = [*blocks(root, probe), root]
        with aside(root):
            for block in found:
                block.register_forward_hook(_own_outputs)
                fully_shard(block, **how)
        for module in root.modules():
            if isinstance(module, FSDPModule):
                # A loss is divided by the whole batch already: gradients are to be summed.
                module.set_gradient_divide_factor(1.0)
                module.set_force_sum_reduction_for_comms(True)
        # What a pass does not reach has a gradient of zeros, so that all processes sum the same.
        root.set_reduce_scatter_unused_params(True)
        self._still = self._together.join(self._idle, self.rest)
        root.register_forward_pre_hook(self._announced, prepend=True)
        self._hooked = [(m, len(m._forward_pre_hooks)) for m in root.modules()]

    def learns(self, idle: Callable[[], None]) -> int:
        """The number of a new kind of passes: with gradients, each backed up before the next.

        Args:
            idle: makes such a pass and its backward pass, weighted by zeros.
        """
        return self._together.join(partial(self._apart, idle), self.rest)

    def rest(self) -> None:
        """Lets go of the other processes' parts that the last pass left behind."""
        self._root.reshard()

    def _announced(self, *_: Any) -> None:
        number = self._training() if torch.is_grad_enabled() else None
        self._together.announce(self._still if number is None else number)
        # What is left of an earlier pass may be old, and is not left in every process.
        self.rest()

    @torch.no_grad()
    def _idle(self) -> None:
        self._apart(partial(self._probe, self._root))

    def _apart(self, run: Callable[[], object]) -> None:
        """Runs without the hooks of the pass that waits for its turn."""
        with contextlib.ExitStack() as stack:
            for module, count in self._hooked:
                if len(module._forward_pre_hooks) > count:
                    stack.enter_context(_first_hooks(module, count))
            run()


def _own_outputs(_: nn.Module, args: object, output: Any) -> Any:
    """No views: what is computed in place on one would lose torch's notice of the backward pass."""
    return tree_map_only(Tensor, lambda t: t.clone() if _is_lost(t) else t, output)


def _is_lost(output: Tensor) -> bool:
    return output.requires_grad and output._is_view()


@contextlib.contextmanager
def _first_hooks(module: Any, count: int) -> Iterator[None]:
    hooks = module._forward_pre_hooks
    module._forward_pre_hooks = OrderedDict(list(hooks.items())[:count])
    try:
        yield
    finally:
        module._forward_pre_hooks = hooks


def blocks(root: nn.Module, probe: Probe) -> list[nn.Module]:
    """The parts of a module whose weights are put together one after the other; the rest stays.

    They are found by running it: the largest modules that are run as a whole and have no more than
    an eighth of the weights. So of a language model its layers, of a UNet its blocks or what they
    consist of. What a probe does not run (the tower for images of a model that reads a text) is no
    block: another pass might run it.
    """
    runs = _runs(root, probe)
    total = bytes_of(root)
    head: nn.Module | None = getattr(root, "get_output_embeddings", lambda: None)()
    apart = {id(p) for p in [*_shared(root), *(head.parameters() if head else ())]}
    found: list[nn.Module] = []

    def look(module: nn.Module) -> None:
        for child in module.children():
            size = bytes_of(child)
            fits = runs[child] and next(child.children(), None) is not None
            alone = not any(id(p) in apart for p in child.parameters())
            if size < _SMALLEST * total or child is head:
                continue
            if fits and alone and size <= _LARGEST * total:
                found.append(child)
            else:
                look(child)

    look(root)
    return found or _layers(root, runs)


def _layers(root: nn.Module, runs: Counter[nn.Module]) -> list[nn.Module]:
    """Of a module of few layers, those: `fully_shard` sees a backward pass begin in blocks alone.

    What is computed of hidden states does not come from the root's own output.
    """
    lists = (one for one in root.modules() if isinstance(one, nn.ModuleList))
    return next((found for one in lists if (found := [m for m in one if runs[m]])), [])


@torch.no_grad()
def _runs(root: nn.Module, probe: Probe) -> Counter[nn.Module]:
    """How often each module is called."""
    calls: Counter[nn.Module] = Counter()

    def count(module: nn.Module, *_: Any) -> None:
        calls[module] += 1

    handles = [module.register_forward_pre_hook(count) for module in root.modules()]
    try:
        probe(root)
    finally:
        for handle in handles:
            handle.remove()
    return calls


def _shared(root: nn.Module) -> list[nn.Parameter]:
    """Parameters that have several places."""
    places = Counter(p for _, p in root.named_parameters(remove_duplicate=False))
    return [parameter for parameter, count in places.items() if count > 1]
