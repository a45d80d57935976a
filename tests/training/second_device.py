"""A second device, in this process: real numbers, which no operation may mix with the CPU's.

    python -m tests.training.second_device HOME GRAPH OUTPUT [HOME GRAPH OUTPUT]...

fits graphs, each with the run's own device (`cpu` or `npu:0`), in which models name the other.

torch lets a backend be written in Python, under the name that Ascend's has. Its tensors have a
device of their own for torch, autograd's threads included; their numbers are in a CPU's tensor.
"""

import sys
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.utils import _pytree as pytree
from torch.utils import backend_registration as backends
from torch.utils._python_dispatch import TorchDispatchMode

ATEN = torch.ops.aten
KIND = "npu"
NAME = f"{KIND}:0"
MOVES = (ATEN._to_copy.default, ATEN.copy_.default)
PICKS = (ATEN.index.Tensor, ATEN.index_put.default, ATEN.index_put_.default)
# What torch's own code calls below the modes, to make a tensor of a list.
BELOW = {
    "empty_strided": ATEN.empty_strided.default,
    "empty.memory_format": ATEN.empty.memory_format,
    "copy_": ATEN.copy_.default,
}
_LIBRARY = torch.library.Library("aten", "IMPL")


class Held(Tensor):
    """A tensor on the second device."""

    raw: Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, raw: Tensor) -> "Held":
        self: Held = Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls,
            raw.size(),
            strides=raw.stride(),
            storage_offset=raw.storage_offset(),
            dtype=raw.dtype,
            layout=raw.layout,
            device=torch.device(NAME),
        )
        self.raw = raw
        return self

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override]
        return done(func, args, kwargs or {})

    # What safetensors asks for, to see which weights are one.

    def storage(self) -> Any:
        return self.raw.storage()

    def untyped_storage(self) -> Any:
        return self.raw.untyped_storage()

    def data_ptr(self) -> int:
        return self.raw.data_ptr()

    def tolist(self) -> Any:
        return self.raw.tolist()


def done(func: Any, args: Any, kwargs: Any) -> Any:
    """Does an operation where its tensors are.

    Raises:
        RuntimeError: they are on both devices, as on a GPU: numbers without a dimension, and
            places that are picked from, may be the CPU's.
    """
    tensors = [one for one in pytree.tree_leaves((args, kwargs)) if isinstance(one, Tensor)]
    held = {id(one.raw): one for one in tensors if isinstance(one, Held)}
    asked = kwargs.get("device")
    there = asked is not None and torch.device(asked).type == KIND
    if not held and not there:
        return func(*args, **kwargs)
    if held and func not in (*MOVES, *PICKS):
        others = [one for one in tensors if not isinstance(one, Held) and one.dim()]
        if others:
            raise RuntimeError(f"{func}: expected all tensors on one device, found cpu and {NAME}")
    home = args[0] if func is ATEN.copy_.default else None
    stays = isinstance(home, Held) if home is not None else there or asked is None
    args, kwargs = pytree.tree_map_only(Held, lambda one: one.raw, (args, kwargs))
    if asked is not None:
        kwargs = {**kwargs, "device": torch.device("cpu") if there else asked}
    out = func(*args, **kwargs)
    if not stays:
        return out
    return pytree.tree_map_only(
        Tensor, lambda one: held[id(one)] if id(one) in held else Held(one), out
    )


class Second(TorchDispatchMode):
    """The device is there, and so is what is made on it."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return done(func, args, kwargs or {})


def register() -> None:
    """For good: this process has an accelerator from now on."""
    backends._setup_privateuseone_for_python_backend(KIND)
    # A weight that two layers share is one tensor after it was moved, too, as between CPU and GPU.
    torch.__future__.set_swap_module_params_on_conversion(True)
    for name, func in BELOW.items():
        _LIBRARY.impl(name, lambda *a, f=func, **k: done(f, a, k), "PrivateUse1")


def main(*words: str) -> None:
    import sysgraph
    from sysgraph.support.progress import Reporter
    from sysgraph.training.workers import Workers

    for home, graph, output in zip(words[::3], words[1::3], words[2::3], strict=True):
        with patch.object(Workers, "device", torch.device(home)):
            sysgraph.fit(graph, output=output, reporter=Reporter(shown=False))


if __name__ == "__main__":
    register()
    with Second():
        try:
            torch.ones(2, device=NAME) + torch.ones(2)
        except RuntimeError:
            main(*sys.argv[1:])
        else:
            sys.exit("devices can be mixed: nothing would be found")
