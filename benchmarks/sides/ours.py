"""The steps that `sysgraph fit` takes, one at a time."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

import sysgraph
from sysgraph import System
from sysgraph.support.progress import Reporter
from sysgraph.support.seeding import derive
from sysgraph.training.batches import batch_visits
from sysgraph.training.evidence import Evidence
from sysgraph.training.loop import Loop
from sysgraph.training.metrics import MetricsFile
from sysgraph.training.optimization import Optimization
from sysgraph.training.pairs import tabulate
from sysgraph.training.workers import Workers

LEARNING_RATE = 1e-4
BETA = 0.1


class Ours:
    """A run of `fit` on these rows, up to its first step.

    Args:
        graph: of the graph file; what its `fit` leaves open is as for all sides.
        rows: preference pairs, as `load_pairs` takes them.
        pairs: of a step.
    """

    def __init__(
        self,
        graph: Mapping[str, Any],
        rows: Sequence[Mapping[str, Any]],
        *,
        pairs: int = 1,
        device: str = "cpu",
        spread: float = 0.0,
    ) -> None:
        fit = {
            "learning_rate": LEARNING_RATE,
            "beta": BETA,
            "lr_scheduler": "constant",
            "batch_size": pairs,
            "steps": len(rows) // pairs,
            "mixed_precision": "no",
            **graph.get("fit", {}),
        }
        program = sysgraph.compile(sysgraph.load(json.dumps({**graph, "fit": fit}, indent=1)))
        self.system = System(program, device=device)
        self._workers = Workers("no")
        table = tabulate(self.system, sysgraph.load_pairs(program, [dict(row) for row in rows]))
        self._table = table
        weights = {model: self.system.parameters(model) for model in self.system.trained()}
        self._move(spread)
        self._optimization = _Noted(program, weights, self._workers)
        self.loop = Loop(
            self.system,
            self._workers,
            table,
            tabulate(self.system, [], held_out=True),
            number=0,
            reference={},
            optimization=self._optimization,
            evidence=Evidence(program, weights, self._workers),
            metrics=MetricsFile(None),
            reporter=Reporter(shown=False),
        )
        size, seed = fit["batch_size"], derive(program.fit.seed, 0)
        self.order = [batch_visits(len(table), size, i, seed) for i in range(len(rows) // pairs)]
        """The rows of each step."""
        self.noises = table.noises
        """Under which images are scored."""

    def prepare(self) -> None:
        """Does what comes once a run: the reference's values, how much memory a pass takes."""
        self.loop.prepare()
        self.system.passes(self._table.requests, gradients=True)

    def step(self) -> Tensor:
        """Takes the next step; the mean loss of its pairs."""
        self.loop.take_step()
        return self._optimization.loss / self.system.program.fit.batch_size

    def parameters(self) -> dict[str, dict[str, nn.Parameter]]:
        """What is trained, by model and name."""
        return {model: self.system.parameters(model) for model in self.system.trained()}

    def log_probs(self) -> dict[str, Tensor]:
        """The policy's log p of each row by node, as its engine gives it: [rows, 2], nats."""
        with torch.no_grad():
            values = self.system.score(self._table.requests)
        values = torch.cat([values, values.new_zeros(1)])[self._table.index]  # (N, 2, T)
        return dict(zip(self._table.terms, values.unbind(-1), strict=True))

    def _move(self, spread: float) -> None:
        """Moves the policy away from the reference: adapters start as none."""
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for parameters in self.parameters().values():
                for parameter in parameters.values():
                    noise = torch.randn(parameter.shape, generator=generator)
                    parameter.add_(noise.to(parameter), alpha=spread)


class _Noted(Optimization):
    """Knows the loss of the last step."""

    loss: Tensor

    def step(self, loss: Tensor) -> dict[str, Tensor]:
        self.loss = loss
        return super().step(loss)
