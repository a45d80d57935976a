"""Models of which there are shapes alone: what they would take is found out without taking it.

Under `only_shapes` every tensor is one of torch's fake tensors: it has a shape, a type and a
device, and no numbers. A checkpoint is made from its config, so that nothing but configs and
tokenizers is read. The very code that scores and trains then runs on shapes, and what it would
keep can be counted.

What a probe finds out by comparing numbers cannot be found out so: it asks `are_all`, and gives
what holds of nearly every model.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode, unset_fake_temporarily
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import AutoConfig, PreTrainedConfig, PreTrainedModel

_DEVICE: ContextVar[torch.device | None] = ContextVar("only shapes", default=None)


@contextlib.contextmanager
def only_shapes(device: torch.device) -> Iterator[None]:
    """Models that are loaded in the block, and all they compute in it, are shapes.

    They stand on the CPU as far as torch is told, which then need not have the device.

    Args:
        device: where they would be.
    """
    token, moves = _DEVICE.set(device), nn.Module._apply
    nn.Module._apply = _apply  # type: ignore[method-assign]
    try:
        # What was real before, as a picture's pixels, may be computed with.
        with FakeTensorMode(allow_non_fake_inputs=True):
            yield
    finally:
        nn.Module._apply = moves  # type: ignore[method-assign]
        _DEVICE.reset(token)


def _apply(module: nn.Module, change: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
    """As `nn.Module._apply`, which would swap the insides of tensors, and of fakes it cannot."""
    for child in module.children() if recurse else ():
        _apply(child, change)
    several: tuple[dict[str, Any], ...] = (module._parameters, module._buffers)
    for tensors in several:
        for name, old in tensors.items():
            if old is None:
                continue
            with torch.no_grad():
                new = change(old)
            if new is not old:
                is_weight = isinstance(old, nn.Parameter)
                tensors[name] = nn.Parameter(new, old.requires_grad) if is_weight else new
    return module


@contextlib.contextmanager
def numbers() -> Iterator[None]:
    """What is made in the block has numbers all the same; what weights take part in still has none.

    So a pass may look at its ids, masks, positions and times, as many do; and not at what its
    layers give.
    """
    with unset_fake_temporarily(), _Places():
        yield


def like(tensor: Tensor) -> contextlib.AbstractContextManager[Any]:
    """What is made in the block has numbers only where `tensor` has: what takes many of them."""
    return tensor.fake_mode if isinstance(tensor, FakeTensor) else contextlib.nullcontext()


class _Places(TorchDispatchMode):
    """Where a mask with numbers picks from a tensor without, how many it picks is known."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Does the operation, with the places where a mask is true in the mask's stead."""
        if func in _PICKING and isinstance(args[0], FakeTensor):
            found: list[Any] = []
            for index in args[1]:
                is_mask = index is not None and index.dtype in (torch.bool, torch.uint8)
                known = is_mask and not isinstance(index, FakeTensor)
                found += index.nonzero(as_tuple=True) if known else [index]
            args = (args[0], found, *args[2:])
        return func(*args, **(kwargs or {}))


_PICKING = (
    torch.ops.aten.index.Tensor,
    torch.ops.aten.index_put.default,
    torch.ops.aten.index_put_.default,
    torch.ops.aten._index_put_impl_.default,
)


def are_all() -> bool:
    """Whether there are no numbers to compare: see `only_shapes`."""
    return _DEVICE.get() is not None


def device_of(device: torch.device) -> torch.device:
    """The device that `device` stands for."""
    return _DEVICE.get() or device


def held_on(device: torch.device) -> torch.device:
    """Where torch is to put what lives on `device`."""
    return torch.device("cpu") if are_all() else device


def blank(path: Any, kind: Any, *, dtype: Any, revision: str, **settings: Any) -> nn.Module:
    """A module of `kind`, one of transformers' auto classes, as its config describes it.

    Args:
        path: what `from_pretrained` takes.
        dtype: `auto` is what the config says, and float32 where it does not.
        settings: more of what `from_config` takes.

    Raises:
        one of UNREADABLE: there is no config.
    """
    config: PreTrainedConfig = AutoConfig.from_pretrained(
        path, revision=revision, trust_remote_code=False
    )
    if dtype in ("auto", None):
        dtype = config.dtype or torch.float32
    module: nn.Module = kind.from_config(config, dtype=dtype, trust_remote_code=False, **settings)
    return module


def blank_part(folder: Path, kind: Any, dtype: torch.dtype) -> nn.Module:
    """A part of a pipeline, of a class of transformers or diffusers, as its config describes it.

    Raises:
        one of UNREADABLE: there is no config.
    """
    if issubclass(kind, PreTrainedModel):
        config = kind.config_class.from_pretrained(folder, local_files_only=True)
        module: nn.Module = kind._from_config(config, dtype=dtype)
    else:
        module = kind.from_config(kind.load_config(folder, local_files_only=True)).to(dtype)
    return module.eval()
