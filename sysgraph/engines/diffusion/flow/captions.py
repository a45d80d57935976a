"""A pipeline's own `encode_prompt`, each caption embedded once and alone, as long as it is kept."""

import hashlib
import inspect
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from PIL.Image import Image
from torch import Tensor
from torch.utils import _pytree

from ....support.quiet_diffusers import quiet
from ...checkpoints import shapes
from ...digest import digest_of
from ..cache import TensorCache

_CACHED_BYTES = 2**30
_LONE = "prompt"


class Unstackable(ValueError):
    """What a pipeline makes of several captions does not follow from what it makes of each."""


class _Shape(NamedTuple):
    """How the tensors of one caption's embedding stand in what `encode_prompt` gives."""

    tree: Any
    present: tuple[bool, ...]
    """Which leaves are tensors; the others are None."""


class CaptionEncoder:
    """Stands in for `encode_prompt` of a pipeline: takes what it takes, and gives what it gives.

    Some that edit read the picture with the caption.

    One caption at a time: in a batch its last bits would depend on what is beside it.

    Args:
        encode: the pipeline's own method.
        device: where embeddings are wanted.
    """

    def __init__(self, encode: Callable[..., Any], device: torch.device) -> None:
        self._encode, self._device = encode, device
        self._signature = inspect.signature(encode)
        self._kept: TensorCache[str] = TensorCache(_CACHED_BYTES)
        self._shapes: dict[str, _Shape] = {}
        self.last: Any = None
        """What it gave last."""

    def __call__(self, *args: Any, **settings: Any) -> Any:
        """What `encode_prompt` gives, of a list of captions.

        Raises:
            Unstackable: the captions' embeddings cannot be put together.
        """
        given = dict(self._signature.bind(*args, **settings).arguments)
        if not isinstance(given.get(_LONE), list):
            return self._encode(**given)
        count = len(given[_LONE])
        rows = [
            # Of a single caption, there may be several pictures.
            {k: [v[i]] if isinstance(v, list) and count > 1 else v for k, v in given.items()}
            for i in range(count)
        ]
        keys = [repr([(k, _told(v)) for k, v in sorted(row.items())]) for row in rows]
        by_key = dict(zip(keys, rows, strict=True))

        def make(absent: list[str]) -> list[tuple[Tensor, ...]]:
            return [self._embed(key, by_key[key]) for key in absent]

        kept = self._kept.get(keys, make)
        shapes = [self._shapes[key] for key in keys]
        trees = [_restored(t, s, self._device) for t, s in zip(kept, shapes, strict=True)]
        self.last = _stacked(trees)
        return self.last

    @torch.no_grad()
    def _embed(self, key: str, row: dict[str, Any]) -> tuple[Tensor, ...]:
        with quiet():
            leaves, tree = _pytree.tree_flatten(self._encode(**row))
        self._shapes[key] = _Shape(tree, tuple(isinstance(leaf, Tensor) for leaf in leaves))
        return tuple(leaf for leaf in leaves if isinstance(leaf, Tensor))


def _told(given: Any) -> Any:
    """What tells an argument from others: of pictures, what they show."""
    if isinstance(given, list):
        return [_told(one) for one in given]
    if isinstance(given, Image):
        return given.size, given.mode, hashlib.blake2b(given.tobytes()).hexdigest()
    return digest_of({"given": given}) if isinstance(given, Tensor) else given


def _restored(tensors: Sequence[Tensor], shape: _Shape, device: torch.device) -> Any:
    there = iter(tensors)
    leaves = [next(there).to(device) if present else None for present in shape.present]
    return _pytree.tree_unflatten(leaves, shape.tree)


def _stacked(trees: Sequence[Any]) -> Any:
    """Embeddings of one caption each, as those of a batch."""
    first = trees[0]
    if isinstance(first, tuple):
        return tuple(_stacked(parts) for parts in zip(*trees, strict=True))
    if isinstance(first, list):  # one tensor a caption, of any lengths
        return [one for tree in trees for one in tree]
    if first is None and all(tree is None for tree in trees):
        return None
    if not all(isinstance(tree, Tensor) and tree.shape == first.shape for tree in trees):
        raise Unstackable("captions have embeddings of several shapes")
    if first.shape[0] == 1:
        return torch.cat(list(trees))
    # Of no caption, as positions are.
    if not shapes.are_all() and any(not torch.equal(tree, first) for tree in trees):
        raise Unstackable("what should be no caption's own differs by caption")
    return first


def shape_of(found: Any) -> tuple[tuple[int, ...] | None, ...]:
    """What must agree of captions that are to be embedded together."""
    parts = found if isinstance(found, tuple) else (found,)
    return tuple(tuple(part.shape) if isinstance(part, Tensor) else None for part in parts)
