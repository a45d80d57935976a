"""Which weights a model has, in one line: so that others under the same name are noticed."""

import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor

from .sharding import is_divided

_BYTES = 16


def digest_of(weights: Mapping[str, Tensor]) -> str:
    """32 hex digits that change with any weight's name, shape, type or bytes.

    The same on every device, whatever the order of names and however they are split into files or
    divided over processes, all of which must ask for it then. About 1 GB a second and core. Of a
    tensor that has no numbers (`checkpoints.shapes`), the rest.
    """
    names = sorted(weights)
    divided = {name: weights[name] for name in names if is_divided(weights[name])}
    found = _digests(divided) if divided else {}
    with ThreadPoolExecutor() as pool:  # hashing lets go of the interpreter
        rest = [name for name in names if name not in divided]
        found.update(zip(rest, pool.map(_digest, (weights[name] for name in rest)), strict=True))
    whole = hashlib.blake2b(digest_size=_BYTES)
    for name in names:
        whole.update(f"{name} ".encode() + found[name])
    return whole.hexdigest()


def weights_in(module: nn.Module) -> dict[str, Tensor]:
    """The parameters and the buffers that are saved, by name; those that share memory once.

    With them what else is saved, as the scales of quantized weights.
    """
    saved: dict[str, Tensor] = module.state_dict(keep_vars=True)
    buffers = {name: b for name, b in module.named_buffers() if name in saved}
    every = {name for name, _ in module.named_parameters(remove_duplicate=False)}
    every |= {name for name, _ in module.named_buffers(remove_duplicate=False)}
    others = {n: t for n, t in saved.items() if n not in every and isinstance(t, Tensor)}
    return {**dict(module.named_parameters()), **buffers, **others}


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


def _digests(divided: Mapping[str, Any]) -> dict[str, bytes]:
    """Of divided weights, put together one at a time, each digested by one of the processes."""
    import torch.distributed as dist

    mesh = next(iter(divided.values())).device_mesh
    group, rank, count = mesh.get_group(), mesh.get_local_rank(), mesh.size()
    table = torch.zeros(len(divided), _BYTES, dtype=torch.uint8, device=mesh.device_type)
    for i, weight in enumerate(divided.values()):
        whole = weight.detach().full_tensor()
        if i % count == rank:
            table[i] = torch.tensor(list(_digest(whole)), dtype=torch.uint8)
    dist.all_reduce(table, group=group)
    return {name: bytes(row) for name, row in zip(divided, table.tolist(), strict=True)}


def _digest(weight: Tensor) -> bytes:
    said = f"{tuple(weight.shape)} {weight.dtype} "
    digest = hashlib.blake2b(said.encode(), digest_size=_BYTES)
    if not isinstance(weight, FakeTensor):
        values = weight.detach().cpu().contiguous()
        digest.update(values.view(-1).view(torch.uint8).numpy().data)
    return digest.digest()
