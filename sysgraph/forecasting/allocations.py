"""How many bytes of tensors there are at a time, whether or not they hold numbers."""

import weakref
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Allocations(TorchDispatchMode):
    """Counts the tensors that operations in its block make, until these are gone.

    What an operation is given, and none before it made, was there before and is not counted.

    Attributes:
        now: bytes of those that are there.
        most: the most that `now` was since `restart`.
        most_ever: the most that it was.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.most = self.most_ever = 0
        self._seen: dict[int, weakref.ref[Any]] = {}

    def restart(self) -> int:
        """Has `most` begin anew: at `now`, which it gives."""
        self.most = self.now
        return self.now

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Does the operation, and looks at what goes in and what comes out."""
        self._see((args, kwargs), is_new=False)
        out = func(*args, **(kwargs or {}))
        self._see(out, is_new=True)
        return out

    def _see(self, tensors: object, *, is_new: bool) -> None:
        for leaf in tree_leaves(tensors):
            if isinstance(leaf, Tensor):
                held, key, size = _held(leaf)
                if key not in self._seen:
                    size = size if is_new else 0
                    self._seen[key] = weakref.ref(held, self._forgetting(key, size))
                    self.now += size
        self.most = max(self.most, self.now)
        self.most_ever = max(self.most_ever, self.most)

    def _forgetting(self, key: int, size: int) -> Callable[[object], None]:
        def forget(_: object) -> None:
            del self._seen[key]
            self.now -= size

        return forget


def _held(tensor: Tensor) -> tuple[Any, int, int]:
    """What lives as long as a tensor's bytes, what tells it from others, and how many they are."""
    if tensor.is_mkldnn:  # laid out by oneDNN, which shows no storage
        return tensor, id(tensor), tensor.numel() * tensor.element_size()
    storage = tensor.untyped_storage()
    return storage, storage._cdata, storage.nbytes()
