"""Which weights a model has, in one line: so that others under the same name are noticed."""

import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor


def digest_of(weights: Mapping[str, Tensor]) -> str:
    """32 hex digits that change with any weight's name, shape, type or bytes.

    The same on every device, whatever the order of names and however they are split into files.
    About 1 GB a second and core. Of a tensor that has no numbers (`checkpoints.shapes`), the rest.
    """
    names = sorted(weights)
    with ThreadPoolExecutor() as pool:  # hashing lets go of the interpreter
        parts = pool.map(_digest, (weights[name] for name in names))
        whole = hashlib.blake2b(digest_size=16)
        for name, part in zip(names, parts, strict=True):
            whole.update(f"{name} ".encode() + part)
    return whole.hexdigest()


def weights_in(module: nn.Module) -> dict[str, Tensor]:
    """The parameters and the buffers that are saved, by name; those that share memory once."""
    saved = module.state_dict(keep_vars=True).keys()
    buffers = {name: b for name, b in module.named_buffers() if name in saved}
    return {**dict(module.named_parameters()), **buffers}


Places = Mapping[str, tuple[dict[str, Tensor | None], str]]
"""Where weights stand in a module: the table of its parameters or buffers, and the name there."""


def places_of(weights: Mapping[str, Tensor], module: nn.Module) -> Places:
    """Where those of `weights` that are in `module` stand, to be found there once replaced."""
    names = {id(weight): name for name, weight in weights.items()}
    found: dict[str, tuple[dict[str, Tensor | None], str]] = {}
    for one in module.modules():
        tables: tuple[dict[str, Any], ...] = (one._parameters, one._buffers)
        for table in tables:
            for name, weight in table.items():
                if id(weight) in names:
                    found.setdefault(names[id(weight)], (table, name))
    return found


def weights_at(places: Places) -> dict[str, Tensor]:
    """What stands there now."""
    found = {name: table[key] for name, (table, key) in places.items()}
    return {name: weight for name, weight in found.items() if weight is not None}


def _digest(weight: Tensor) -> bytes:
    said = f"{tuple(weight.shape)} {weight.dtype} "
    digest = hashlib.blake2b(said.encode(), digest_size=16)
    if not isinstance(weight, FakeTensor):
        values = weight.detach().cpu().contiguous()
        digest.update(values.view(-1).view(torch.uint8).numpy().data)
    return digest.digest()
