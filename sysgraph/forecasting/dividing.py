"""What of a training each process holds where models are divided over processes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from ..engines.base import Base, Whole
from ..system import System
from .result import Drawing, ModelShare, StepShare


@dataclass(frozen=True)
class Division:
    """Which models are divided, over how many processes.

    Args:
        processes: at least two.
        models: those that are, by name.
    """

    processes: int
    models: Mapping[str, Whole]

    @classmethod
    def of(cls, system: System, processes: int) -> "Division":
        """As the graph wants it."""
        program = system.program
        wanted = (m for m, spec in program.models.items() if spec.is_divided(program.fit))
        models = {m: system.whole(m) for m in wanted} if processes > 1 else {}
        return cls(processes, models)

    def base(self, base: Base, models: Sequence[ModelShare]) -> Base:
        """A process's part of a checkpoint."""
        first = base.models[0]
        if first not in self.models:
            return base
        beside = sum(m.weights for m in models if m.model in base.models and m.train == "lora")
        divided = min(base.size, self.models[first].divided - beside)
        return replace(base, size=base.size - divided + self._part(divided))

    def model(self, share: ModelShare, dtype: str) -> ModelShare:
        """A process's part of a trained model; of one trained whole, float32 weights are all."""
        if share.model not in self.models:
            return share
        running = share.parameters * getattr(torch, dtype).itemsize
        is_copy = share.train == "full"
        return replace(
            share,
            weights=self._part(share.gradients if is_copy else share.weights),
            gradients=self._part(share.gradients),
            optimizer=self._part(share.optimizer),
            reference=self._part(min(share.reference, running)),
            kept=self._part(share.kept),
        )

    def step(self, step: StepShare) -> StepShare:
        """With what is put together while passes run."""
        more = {model: whole.running for model, whole in self.models.items()}
        by_model = {model: most + more.get(model, 0) for model, most in step.by_model.items()}
        most = max((more.get(model, 0) for model in step.by_model), default=0)
        return replace(step, activations=step.activations + most, by_model=by_model)

    def drawing(self, drawing: Drawing) -> Drawing:
        """The same of drawing."""
        whole = self.models.get(drawing.model)
        return replace(drawing, memory=drawing.memory + (whole.running if whole else 0))

    def _part(self, size: int) -> int:
        return -(-size // self.processes)
