"""A module that runs on weights of which each process holds a part, before it is divided.

What a base allows, and where adapters go, is found by running it, before it has its adapters and
is divided with them. Meanwhile a weight is put together as a module runs that reads it, and is gone
when that ends: no process ever holds the whole.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any, Self
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

_Several = list[tuple[nn.Module, str, nn.Parameter]]
"""Weights, and where they stand."""


class _Lending:
    """Puts together the weights of each module that runs, with those of its children."""

    def __init__(self, module: nn.Module) -> None:
        self._lent: list[_Several] = []
        self._last: _Several = []  # of the outermost module: its head is run behind it too
        self._known = set(module.modules())
        self._handles = [
            handle
            for one in module.modules()
            for handle in (
                one.register_forward_pre_hook(self._lend),
                one.register_forward_hook(self._end, always_call=True),
            )
        ]

    def __deepcopy__(self, _: Any) -> Self:
        return self  # a copied module lends as the one that it is of

    def _lend(self, module: nn.Module, _: Any) -> None:
        if not self._lent:
            self.rest()
        several = [
            (owner, name, weight)
            for owner in (module, *self._inner(module))
            for name, weight in owner._parameters.items()
            if weight is not None and hasattr(weight, "full_tensor")
        ]
        for owner, name, weight in several:
            divided: Any = weight.detach()
            whole = nn.Parameter(divided.full_tensor(), weight.requires_grad)
            owner._parameters[name] = whole
            _LENT[_storage(whole)] = weight
        self._lent.append(several)

    def _inner(self, module: nn.Module) -> Iterator[nn.Module]:
        """Its children, whose weights some modules read; of what wraps one since, what it wraps."""
        for child in module.children():
            yield child
            if child not in self._known:
                yield from self._inner(child)

    def _end(self, *_: Any) -> None:
        several = self._lent.pop()
        if self._lent:
            _take_back(several)
        else:
            self._last = several

    def rest(self) -> None:
        """Takes back what the last run has left."""
        _take_back(self._last)
        self._last = []

    def leave(self) -> None:
        """Leaves the module as it is."""
        self.rest()
        for handle in self._handles:
            handle.remove()


def _take_back(several: _Several) -> None:
    for owner, name, weight in several:
        whole = owner._parameters[name]
        assert whole is not None
        del _LENT[_storage(whole)]
        owner._parameters[name] = weight


_LENT: dict[int, Any] = {}
"""The weights that are whole just now, by the storage of the whole."""
_LENDING: WeakKeyDictionary[nn.Module, _Lending] = WeakKeyDictionary()


def lend(module: nn.Module) -> None:
    """Has a module with parts of weights run: all processes at once, on the same input."""
    _LENDING[module] = _Lending(module)


def end(module: nn.Module) -> None:
    """Ends what `lend` began, where it did."""
    if module in _LENDING:
        _LENDING.pop(module).leave()


def rest(module: nn.Module) -> None:
    """Has a module's weights be parts, until it runs again; nothing where none are lent."""
    if module in _LENDING:
        _LENDING[module].rest()


def is_lent(tensor: Tensor) -> bool:
    """Whether it is a weight, or a view of one, that is whole for a moment."""
    return bool(_LENT) and _storage(tensor) in _LENT


def not_kept() -> AbstractContextManager[Any]:
    """Graphs that are made in the block keep no whole weights: backward passes put them together.

    All processes must make the same ones.
    """

    def pack(tensor: Tensor) -> Any:
        if not is_lent(tensor):
            return tensor.detach()  # what its own operation keeps would keep that, for ever
        view = (tensor.shape, tensor.stride(), tensor.storage_offset())
        return _LENT[_storage(tensor)], view

    def unpack(kept: Any) -> Tensor:
        if isinstance(kept, Tensor):
            return kept
        weight, view = kept
        whole: Tensor = weight.detach().full_tensor()
        return whole.as_strided(*view)

    return torch.autograd.graph.saved_tensors_hooks(pack, unpack)


def _storage(tensor: Tensor) -> int:
    address: int = tensor.untyped_storage()._cdata
    return address
