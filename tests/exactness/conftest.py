"""Random systems of `table` models, and an oracle that enumerates them without sysgraph."""

import itertools
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import sysgraph
from sysgraph import Completion, Program, Trace

QUESTION = "q"
TEXTS = ("ok u", "ok v", "junk")  # what the parser `ok (.+)` reads from them: u, v, nothing


@dataclass
class Node:
    """One node as the oracle sees it: its copies, their models and whom they see."""

    name: str
    kind: str  # lm | reject | default
    copies: list[str]
    models: list[str]
    parents: list[str]
    keys: list[Any] | None = None


@dataclass
class World:
    """A random system: `spec` for sysgraph, `nodes` and `tables` for the oracle."""

    nodes: list[Node]
    values: dict[str, list[str]]
    tables: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    spec: dict[str, Any] = field(default_factory=dict)

    def program(self) -> Program:
        return sysgraph.compile(sysgraph.load(json.dumps(self.spec)))

    def outcomes(self) -> Iterator[tuple[dict[str, str], set[str], float]]:
        """Every (texts of models, nonexistent variables, probability) of positive dimension."""
        yield from self._extend(0, 0, {}, set(), 1.0)

    def _extend(
        self, at: int, copy: int, values: dict[str, str], gone: set[str], p: float
    ) -> Iterator[tuple[dict[str, str], set[str], float]]:
        if at == len(self.nodes):
            texts = {n: v for n, v in values.items() if self._kind(n) == "lm"}
            yield texts, gone, p
            return
        node = self.nodes[at]
        if copy == len(node.copies):
            yield from self._extend(at + 1, 0, values, gone, p)
            return
        name = node.copies[copy]
        parents = self.seen_by(node, copy)
        if gone.intersection(parents):
            yield from self._extend(at, copy + 1, values, gone | {name}, p)
        elif node.kind == "lm":
            model = node.models[copy]
            row = self.tables[model][self.context(node, values)]
            for value, probability in zip(self.values[model], row, strict=True):
                more = {**values, name: value}
                yield from self._extend(at, copy + 1, more, gone, p * float(probability))
        else:
            text = values[parents[0]]
            if text.startswith("ok "):
                yield from self._extend(at, copy + 1, {**values, name: text[3:]}, gone, p)
            elif node.kind == "default":
                yield from self._extend(at, copy + 1, {**values, name: "none"}, gone, p)
            else:
                yield from self._extend(at, copy + 1, values, gone | {name}, p)

    def seen_by(self, node: Node, copy: int) -> list[str]:
        """The variables a copy hangs on: its own copy of a parser's parent, else whole groups."""
        by_name = {n.name: n for n in self.nodes}
        if node.kind != "lm":
            source = by_name[node.parents[0]]
            return [source.copies[copy]]
        return [c for parent in node.parents for c in by_name[parent].copies]

    def context(self, node: Node, values: dict[str, str]) -> str:
        by_name = {n.name: n for n in self.nodes}
        parts = ["+".join(values[c] for c in by_name[p].copies) for p in node.parents]
        return "/".join([QUESTION, *parts])

    def _kind(self, name: str) -> str:
        return next(n.kind for n in self.nodes if name in n.copies)


def build(rng: random.Random) -> World:
    """A system of 2 to 5 generated nodes with shared models, groups and both kinds of parsers."""
    values = {m: list(TEXTS[: rng.choice((2, 3, 3))]) for m in ("m0", "m1", "m2")}
    nodes: list[Node] = []
    for i in range(rng.randint(2, 5)):
        name = f"n{i}"
        sources = [n for n in nodes if n.kind == "lm"]
        if sources and rng.random() < 0.4:
            nodes.append(_parse(rng, name, rng.choice(sources)))
            continue
        parents = [n.name for n in nodes if rng.random() < 0.6]
        if rng.random() < 0.3:
            by_model = rng.random() < 0.5
            keys: list[Any] = rng.sample(sorted(values), 2) if by_model else [1, 2]
            models = keys if by_model else [rng.choice(sorted(values))] * 2
            copies = [f"{name}[{key}]" for key in keys]
            nodes.append(Node(name, "lm", copies, models, parents, keys))
        else:
            nodes.append(Node(name, "lm", [name], [rng.choice(sorted(values))], parents))
    world = World(nodes, values)
    _fill(rng, world)
    world.spec = _spec(world)
    return world


def _parse(rng: random.Random, name: str, source: Node) -> Node:
    copies = [c.replace(source.name, name, 1) for c in source.copies]
    return Node(name, rng.choice(("reject", "default")), copies, [], [source.name], source.keys)


def _fill(rng: random.Random, world: World) -> None:
    """A row of probabilities, some of them 0, for every context any node may have."""
    by_name = {n.name: n for n in world.nodes}
    possible: dict[str, list[str]] = {}
    for node in world.nodes:
        if node.kind != "lm":
            possible[node.name] = ["u", "v", "none"]
            continue
        possible[node.name] = sorted({v for m in node.models for v in world.values[m]})
        choices = [possible[p] for p in node.parents for _ in by_name[p].copies]
        for combination in itertools.product(*choices):
            found = iter(combination)
            given = {c: next(found) for p in node.parents for c in by_name[p].copies}
            for model in node.models:
                rows = world.tables.setdefault(model, {})
                rows.setdefault(world.context(node, given), _row(rng, len(world.values[model])))


def _row(rng: random.Random, size: int) -> np.ndarray:
    weights = np.array([rng.choice((0.0, *[rng.random() + 0.01] * 5)) for _ in range(size)])
    weights[rng.randrange(size)] += 0.5
    return weights / weights.sum()


def _spec(world: World) -> dict[str, Any]:
    nodes: dict[str, Any] = {"question": {"kind": "input"}}
    edges = []
    for node in world.nodes:
        each = {} if node.keys is None else {"for_each": {"key": node.keys}}
        if node.kind != "lm":
            nodes[node.name] = {"kind": "parse", "parser": node.kind, **each}
            edges.append(f"{node.parents[0]} -> {node.name}")
            continue
        by_name = {n.name: n for n in world.nodes}
        parts = [
            f"{{{{ {p} | join('+') }}}}" if by_name[p].keys else f"{{{{ {p} }}}}"
            for p in node.parents
        ]
        model = "{{ key }}" if node.models == node.keys else node.models[0]
        prompt = "/".join(["{{ question }}", *parts])
        nodes[node.name] = {"kind": "lm", "model": model, "prompt": prompt, **each}
        edges.append(f"{', '.join(['question', *node.parents])} -> {node.name}")
    inner = {p for n in world.nodes for p in n.parents}
    return {
        "sysgraph": 1,
        "name": "random",
        "models": {
            model: {
                "kind": "table",
                "values": world.values[model],
                "contexts": list(rows),
                "probs": [row.tolist() for row in rows.values()],
            }
            for model, rows in world.tables.items()
        },
        "parsers": {
            "reject": {"kind": "regex", "pattern": "ok (.+)", "on_failure": "reject"},
            "default": {
                "kind": "regex",
                "pattern": "ok (.+)",
                "on_failure": "default",
                "default": "none",
            },
        },
        "nodes": nodes,
        "edges": edges,
        "outputs": [n.name for n in world.nodes if n.name not in inner],
    }


@pytest.fixture(scope="session")
def random_world() -> Callable[[int], World]:
    """The random system of a seed, small enough to enumerate."""

    def world(seed: int) -> World:
        rng = random.Random(seed)
        while True:
            found = build(rng)
            if sum(1 for _ in found.outcomes()) <= 500:
                return found

    return world


@pytest.fixture(scope="session")
def as_trace() -> Callable[[Program, dict[str, str]], Trace]:
    """A trace of nothing but the models' texts."""

    def trace(program: Program, texts: dict[str, str]) -> Trace:
        values = {name: Completion(text) for name, text in texts.items()}
        return Trace({"question": QUESTION}, values, program.outputs)

    return trace
