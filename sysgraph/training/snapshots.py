"""Copies of trained weights, by model and parameter name."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

Weights = Mapping[str, Mapping[str, nn.Parameter]]
Snapshot = dict[str, dict[str, Tensor]]


def copy_of(weights: Weights) -> Snapshot:
    """A detached copy of every weight."""
    return {
        model: {name: parameter.detach().clone() for name, parameter in parameters.items()}
        for model, parameters in weights.items()
    }


@torch.no_grad()
def put(weights: Weights, snapshot: Snapshot) -> None:
    """Copies `snapshot` into the weights it was taken of."""
    for model, parameters in weights.items():
        for name, parameter in parameters.items():
            parameter.copy_(snapshot[model][name])


def fingerprint(parameters: Mapping[str, Tensor]) -> Tensor:
    """Two numbers that differ when a weight does, but for a coincidence: [2], float64."""
    values = [p.detach().to("cpu", torch.float64) for p in parameters.values()]
    return torch.stack([torch.stack([v.sum(), v.square().sum()]) for v in values]).sum(0)
