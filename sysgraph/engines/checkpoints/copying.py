"""Weights into tensors of the same names."""

from collections.abc import Mapping

import torch
from torch import Tensor

from ...support.errors import InputError


def copy_weights(target: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> None:
    """Copies `weights` into the tensors of the same names; all of them, or none.

    Raises:
        InputError: a name or shape differs.
    """
    odd = sorted(target.keys() ^ weights.keys())
    odd += [k for k, t in target.items() if k in weights and t.shape != weights[k].shape]
    if odd:
        name = odd[0]
        sides = [
            f"{tuple(side[name].shape)}" if name in side else "nothing"
            for side in (weights, target)
        ]
        raise InputError(f"{len(odd)} weight(s) do not fit, as {name}: {sides[0]} for {sides[1]}")
    with torch.no_grad():
        for name, tensor in target.items():
            tensor.copy_(weights[name])
