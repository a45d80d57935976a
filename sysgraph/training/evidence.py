"""Whether training reached every model it was declared for."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from sysgraph_compiler import Program

from ..support.errors import RunError
from .lessons import lessons, surest, untaught, why_nothing
from .pairs import PairTable
from .snapshots import Weights, fingerprint
from .workers import Workers


class Evidence:
    """Which models got a gradient and changed, over all rounds of a run.

    Args:
        program: whose terms are trained.
        weights: the trained parameters as they are before training.
        workers: the processes, each of which may hold another part of the weights.
    """

    def __init__(self, program: Program, weights: Weights, workers: Workers) -> None:
        self._program, self._weights, self._workers = program, weights, workers
        device = workers.device
        self._start = {model: fingerprint(parameters) for model, parameters in weights.items()}
        # Tensors: to ask for their value in every step would make the step wait for the device.
        self._gradients = {model: torch.zeros((), device=device) for model in weights}
        self._changed: set[str] = set()
        self._lessons: dict[str, str] = {}

    def add_pairs(self, table: PairTable) -> list[str]:
        """A round trains on these pairs; which models they cannot teach, and why.

        Raises:
            RunError: they teach none, and no other pairs will come.
        """
        found = lessons(table, self._program)
        self._lessons = surest([self._lessons, found])
        without = untaught(table, self._program)
        words = [
            f"no pair gives a gradient to {model}, which is to be trained: "
            f"{why_nothing(self._program, model, found[model])}"
            for model in without
        ]
        if len(without) == len(found) and not self._program.fit.rounds:
            raise RunError("; ".join(words))
        return words

    def add_step(self, norms: Mapping[str, Tensor]) -> None:
        """A step was taken with gradients of these norms, `grad_norm/MODEL` each."""
        for model, seen in self._gradients.items():
            seen += norms[f"grad_norm/{model}"].to(seen.dtype)

    def add_round(self) -> None:
        """A round's last step was taken, and its best weights are not put back yet."""
        found = [
            model
            for model, parameters in self._weights.items()
            if model not in self._changed and fingerprint(parameters) != self._start[model]
        ]
        self._changed.update(self._workers.gather(found))

    def shortfalls(self) -> list[str]:
        """Which models of a finished run learnt nothing, and why.

        Raises:
            RunError: none of them learnt anything.
        """
        found = [
            f"{model} was to be trained, and no step gave it a gradient: "
            f"{why_nothing(self._program, model, self._lessons.get(model))}"
            for model, seen in self._gradients.items()
            if not seen > 0
        ]
        found += [
            f"{model} got gradients but did not change: the learning rate is 0, or lost in the "
            "rounding of the weights' type. Raise `learning_rate`, or set `dtype: float32`"
            for model, seen in self._gradients.items()
            if seen > 0 and model not in self._changed
        ]
        if not self._changed:
            raise RunError(f"nothing was learned. {'; '.join(found)}")
        return found

    def state(self) -> dict[str, Any]:
        """JSON that `load` reads."""
        return {
            "gradients": {model: float(seen) for model, seen in self._gradients.items()},
            "changed": sorted(self._changed),
            "lessons": self._lessons,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Goes on from what `state` returned."""
        for model, seen in self._gradients.items():
            seen.fill_(state["gradients"][model])
        self._changed = set(state["changed"])
        self._lessons = dict(state["lessons"])
