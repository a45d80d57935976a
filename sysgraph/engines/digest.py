"""The identity of the weights that a model has before it is trained."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from .base import Engine

_ADAPTER = re.compile(r"\.(lora_\w+|modules_to_save)\.")
_WRAPPER = re.compile(r"\.(base_layer|original_module)(?=\.)")
_KNOWN: "WeakKeyDictionary[nn.Module, str]" = WeakKeyDictionary()


def base_digest(engine: Engine, model: str) -> str:
    """A digest of the weights of `model` before training, of which adapters are no part.

    The same for the same weights, whatever adapters are on them and wherever they were read from.
    """
    own: Any = getattr(engine, "digest", None)
    if own is not None:
        return str(own(model))
    weights: Any = getattr(engine, "_weights", {}).get(model)
    if weights is None:
        initial: Any = getattr(engine, "_initial", {}).get(model)
        return weights_digest({} if initial is None else {"logits": initial})
    resident = weights.resident
    modules = list(_modules(getattr(resident, "pipeline", None) or resident.base))
    for _, module in modules:
        if module not in _KNOWN:
            _KNOWN[module] = weights_digest(_plain(module))
    return hashlib.blake2b(
        " ".join(f"{name}={_KNOWN[module]}" for name, module in modules).encode(), digest_size=16
    ).hexdigest()


def weights_digest(tensors: Mapping[str, Tensor]) -> str:
    """Of tensors by name: of their names, types, shapes and values."""
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(tensors):
        values = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {values.dtype} {tuple(values.shape)}\n".encode())
        digest.update(values.view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _modules(given: Any) -> Iterator[tuple[str, nn.Module]]:
    """A module, or those that a pipeline is made of."""
    if isinstance(given, nn.Module):
        yield "base", given
        return
    for name, part in sorted(given.components.items()):
        if isinstance(part, nn.Module):
            yield name, part


def _plain(module: nn.Module) -> dict[str, Tensor]:
    """The weights by the names they have without adapters on the module."""
    return {
        _WRAPPER.sub("", name): tensor
        for name, tensor in module.state_dict().items()
        if not _ADAPTER.search(f".{name}")
    }
