"""Copies of trained weights, by model and parameter name."""

import hashlib
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ..engines.sharding import part_of

Weights = Mapping[str, Mapping[str, nn.Parameter]]
Snapshot = dict[str, dict[str, Tensor]]


def copy_of(weights: Weights) -> Snapshot:
    """A copy of every weight in the CPU's memory: it is only there to be put back."""
    return {
        model: {
            name: parameter.detach().to("cpu", copy=True) for name, parameter in parameters.items()
        }
        for model, parameters in weights.items()
    }


@torch.no_grad()
def put(weights: Weights, snapshot: Snapshot) -> None:
    """Copies `snapshot` into the weights it was taken of."""
    for model, parameters in weights.items():
        for name, parameter in parameters.items():
            parameter.copy_(snapshot[model][name])


def fingerprint(parameters: Mapping[str, Tensor]) -> str:
    """A digest that changes when any weight does, of the parts that this process holds."""
    digest = hashlib.blake2b()
    for parameter in parameters.values():
        values = part_of(parameter).cpu().contiguous().view(-1).view(torch.uint8)
        digest.update(values.numpy().data)
    return digest.hexdigest()
