"""Table systems with gaps, small enough to sum by hand in float64, and objectives over them."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

import sysgraph
from sysgraph import Completion, System, Trace
from sysgraph.support.progress import Reporter
from sysgraph.traces.pair import Pair
from sysgraph.training.objective import Objective
from sysgraph.training.pairs import tabulate
from sysgraph.training.reference_cache import ReferenceCache
from sysgraph.training.totals import Totals
from sysgraph.training.workers import Workers

Tables = Mapping[str, Tensor]


@dataclass
class World:
    """A system whose policy has left the reference."""

    system: System

    def pair(self, chosen: Mapping[str, str], rejected: Mapping[str, str]) -> Pair:
        sides = [
            Trace({"x": "x"}, {n: Completion(v) for n, v in side.items()}, self.program.outputs)
            for side in (chosen, rejected)
        ]
        return Pair(*sides, "pairs.jsonl:1")

    @property
    def program(self) -> sysgraph.Program:
        return self.system.program

    def objective(self, pairs: Sequence[Pair], *key: object) -> Objective:
        """Ready for one step on all pairs."""
        objective = Objective(
            self.system,
            Workers("no"),
            tabulate(self.system, pairs),
            seed=0,
            remembered=ReferenceCache(self.system),
            reporter=Reporter(shown=False),
        )
        objective.prepare(range(len(pairs)), "")
        objective.draw(range(len(pairs)), *key)
        return objective

    def step(self, pairs: Sequence[Pair]) -> tuple[Tensor, Totals, Tables]:
        """Losses, metrics and gradients of all pairs."""
        losses, totals = self.objective(pairs).losses(range(len(pairs)))
        trained = {m: self.system.parameters(m)["logits"] for m in self.system.trained()}
        for logits in trained.values():
            logits.grad = None
        losses.sum().backward()  # type: ignore[no-untyped-call]
        grads = {m: torch.zeros_like(t) if t.grad is None else t.grad for m, t in trained.items()}
        return losses.detach(), totals, grads

    def tables(self, *, reference: bool = False) -> dict[str, Tensor]:
        """Log p of every model, [contexts, values], float64; leaves are the policy's logits."""
        engine = next(iter(self.system._engines.values()))
        logits = engine._reference if reference else engine._logits  # type: ignore[attr-defined]
        return {name: table.detach().clone() for name, table in logits.items()}


@pytest.fixture
def build() -> Callable[..., World]:
    """A graph of table models: nodes by name with their parents; `fit` settings."""

    def world(
        parents: Mapping[str, str], values: Mapping[str, list[str]], outputs: str, **changes: Any
    ) -> World:
        generator = torch.Generator().manual_seed(changes.pop("seed", 0))
        frozen = changes.pop("frozen", "")
        models: dict[str, Any] = {}
        nodes: dict[str, Any] = {"x": {"kind": "input"}}
        for node, above in parents.items():
            contexts = [""]
            for parent in above:
                contexts = [c + v for c in contexts for v in values[parent]]
            rows = torch.randn(
                len(contexts), len(values[node]), generator=generator, dtype=torch.float64
            )
            models[f"m{node}"] = {
                "kind": "table",
                "values": values[node],
                "probs": rows.softmax(-1).tolist(),
                **({"contexts": contexts} if above else {}),
                "train": "frozen" if node in frozen else "full",
            }
            prompt = "".join(f"{{{{ {p} }}}}" for p in above or "x")
            nodes[node] = {"kind": "lm", "model": f"m{node}", "prompt": prompt}
        spec = {
            "sysgraph": 1,
            "name": "latent",
            "models": models,
            "nodes": nodes,
            "edges": [f"{', '.join(p) or 'x'} -> {n}" for n, p in parents.items()],
            "outputs": list(outputs),
            "fit": {"beta": 0.5, **changes},
        }
        system = System(sysgraph.compile(sysgraph.load(json.dumps(spec))), device="cpu")
        for model in system.trained():
            logits = system.parameters(model)["logits"]
            with torch.no_grad():
                logits += torch.randn(logits.shape, generator=generator, dtype=torch.float64)
        return World(system)

    return world
