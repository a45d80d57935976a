"""Table systems of several shapes with unobserved nodes, and their marginals without sysgraph."""

import itertools
import json
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

import sysgraph
from sysgraph import Completion, System, Trace
from sysgraph.engines.requests import requests

SIZES = {"a": 3, "b": 3, "z": 3}
"""Equal, so that no shape is a bottleneck: every p(z | x) is within every system's reach."""


@dataclass(frozen=True)
class Shape:
    """A system over nodes named by one letter each, and which of them a preference shows.

    `product` is its joint distribution as an einsum of its tables, `seen` what is left of it once
    the others are summed over.
    """

    name: str
    parents: dict[str, str]
    observed: str
    product: str

    @property
    def nodes(self) -> str:
        return "".join(self.parents)

    @property
    def latent(self) -> str:
        return "".join(node for node in self.nodes if node not in self.observed)


SHAPES = (
    Shape("chain", {"a": "", "z": "a"}, "z", "a,az"),
    Shape("sequence", {"a": "", "b": "a", "z": "b"}, "z", "a,ab,bz"),
    Shape("parallel", {"a": "", "b": "", "z": "ab"}, "z", "a,b,abz"),
    Shape("diamond", {"a": "", "b": "a", "z": "ab"}, "z", "a,ab,abz"),
    Shape("upstream seen", {"a": "", "b": "a", "z": "b"}, "az", "a,ab,bz"),
    Shape("downstream seen", {"a": "", "b": "a", "z": "ab"}, "bz", "a,ab,abz"),
)


def values(node: str) -> list[str]:
    return [f"{node}{i}" for i in range(SIZES[node])]


def shape_of(node: str, parents: str) -> list[int]:
    return [*(SIZES[p] for p in parents), SIZES[node]]


@dataclass
class World:
    """The system, and every outcome: rows are observed values, columns the unobserved ones'."""

    shape: Shape
    system: System
    traces: list[Trace]

    def __post_init__(self) -> None:
        found = [list(requests(self.system.program, trace)) for trace in self.traces]
        self._flat = [request for terms in found for _, request in terms]

    @property
    def rows(self) -> int:
        return len(self.traces) // self.columns

    @property
    def columns(self) -> int:
        return len(list(itertools.product(*map(values, self.shape.latent))))

    def terms(self, *, reference: bool = False) -> dict[str, Tensor]:
        """Every node's log-probability in every outcome: [rows, columns], float64."""
        found = self.system.score(self._flat, reference=reference).double()
        terms = found.view(self.rows, self.columns, -1).unbind(-1)
        return dict(zip(self.shape.nodes, terms, strict=True))

    def joint(self, *, reference: bool = False) -> Tensor:
        """Log p(y, z | x): [rows, columns]."""
        return torch.stack(list(self.terms(reference=reference).values())).sum(0)

    def logits(self) -> dict[str, torch.nn.Parameter]:
        return {n: self.system.parameters(f"m_{n}")["logits"] for n in self.shape.nodes}

    def brute_force(self, logits: dict[str, Tensor]) -> Tensor:
        """Log p(z | x) of every observed outcome, [rows]: a product of tables, summed."""
        tables = [
            logits[node].softmax(-1).view(shape_of(node, parents))
            for node, parents in self.shape.parents.items()
        ]
        return torch.einsum(f"{self.shape.product}->{self.shape.observed}", *tables).log().view(-1)

    def perturb(self, seed: int, scale: float = 1.0) -> None:
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for logits in self.logits().values():
                logits.add_(scale * torch.randn(logits.shape, generator=generator).double())


def build(shape: Shape, *, seed: int | None = None, beta: float = 0.5) -> World:
    """The shape's system; its tables uniform, or random by `seed`."""
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    models: dict[str, Any] = {}
    for node, parents in shape.parents.items():
        contexts = ["/".join(c) for c in itertools.product(*map(values, parents))]
        models[f"m_{node}"] = {"kind": "table", "values": values(node)}
        if parents:
            models[f"m_{node}"]["contexts"] = contexts
        if generator is not None:
            size = (len(contexts), SIZES[node])
            rows = torch.randn(size, generator=generator, dtype=torch.float64).softmax(-1)
            models[f"m_{node}"]["probs"] = rows.tolist()
    spec = {
        "sysgraph": 1,
        "name": "latent",
        "models": models,
        "nodes": {"x": {"kind": "input"}, **{n: _node(n, p) for n, p in shape.parents.items()}},
        "edges": [f"{', '.join(p) or 'x'} -> {n}" for n, p in shape.parents.items()],
        "outputs": ["z"],
        "fit": {"beta": beta},
    }
    program = sysgraph.compile(sysgraph.load(json.dumps(spec)))
    order = shape.observed + shape.latent
    traces = [
        Trace({"x": "x"}, {n: Completion(v) for n, v in zip(order, row, strict=True)}, ("z",))
        for row in itertools.product(*map(values, order))
    ]
    return World(shape, System(program, device="cpu"), traces)


def _node(node: str, parents: str) -> dict[str, str]:
    prompt = "/".join(f"{{{{ {p} }}}}" for p in parents or "x")
    return {"kind": "lm", "model": f"m_{node}", "prompt": prompt}
