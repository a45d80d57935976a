"""Weights that only serve to score: they wait in the CPU's memory, and cost the device nothing."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Self

import torch
from torch import Tensor, nn

from .copying import copy_weights


class Offloaded:
    """A frozen module that is on the device only while it runs.

    Its buffers, which are small, stay on the device.

    Args:
        module: taken over: its weights move to the CPU's memory.
        device: where it runs.
    """

    def __init__(self, module: nn.Module, device: torch.device) -> None:
        self._device, self._module = device, module
        waiting = _waiting(module)
        self._kept = tuple(waiting.values())
        self._places = [
            (owner._parameters, name, waiting[id(parameter)])
            for owner in module.modules()
            for name, parameter in owner._parameters.items()
            if parameter is not None
        ]
        self._is_loaded = False
        self.release()

    @classmethod
    def copy_of(cls, module: nn.Module, device: torch.device) -> Self:
        """A copy of a module; every copy of a weight is made in the CPU's memory."""
        # By the memo, so that no second copy is ever on the device, and tied weights stay tied.
        memo: dict[int, Any] = {**_waiting(module, copy=True)}
        return cls(deepcopy(module, memo), device)

    def load(self) -> nn.Module:
        """The module with its weights on the device, until `release`."""
        if not self._is_loaded:
            there = {id(p): nn.Parameter(p.to(self._device), False) for p in self._kept}
            for parameters, name, kept in self._places:
                parameters[name] = there[id(kept)]
            self._is_loaded = True
        return self._module

    def release(self) -> None:
        """Frees the device of the weights."""
        for parameters, name, kept in self._places:
            parameters[name] = kept
        self._is_loaded = False

    def fill(self, weights: Mapping[str, Tensor]) -> None:
        """Gives it other weights, rounded to its own type.

        Raises:
            InputError: a name or shape differs; nothing was changed.
        """
        self.release()
        copy_weights(dict(self._module.named_parameters()), weights)


def _waiting(module: nn.Module, *, copy: bool = False) -> dict[int, nn.Parameter]:
    """What stands for each parameter in the CPU's memory, by the parameter's id."""
    return {
        id(parameter): nn.Parameter(parameter.detach().to("cpu", copy=copy), False)
        for parameter in module.parameters()
    }
