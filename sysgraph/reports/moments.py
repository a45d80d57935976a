"""The graph over time: what each box of the diagram adds to the margin, and how far it moved."""

from collections.abc import Mapping, Sequence
from typing import Any

from sysgraph_compiler.drawing import Diagram

from .curves import added, credit_in
from .facts import Facts, Line

_MOST = 200


def moments(facts: Facts, shown: Diagram) -> list[dict[str, Any]]:
    """Evaluations on held-out pairs, without any the logged steps; then the run's end, if it came.

    Each has `credit` and `moved` by box, null for what is not trained or not known. Those of steps
    are against the round's start, the last against the models before training.
    """
    lines = [line for line in facts.milestones if "eval_loss" in line]
    prefix = "eval_" if lines else ""
    lines = lines or list(facts.steps)
    if len(lines) > _MOST:
        lines = [lines[i * len(lines) // _MOST] for i in range(_MOST)]
    boxes = _variables(facts, shown)
    found = [_of_line(facts, line, prefix, boxes) for line in lines]
    if facts.credit is not None:
        found.append(_of_credit(facts, boxes))
    return found


def _variables(facts: Facts, shown: Diagram) -> list[list[str]]:
    """The trained variables of each box."""
    trained = {t.variable for t in facts.program.terms if t.status == "trained"}
    by_node: dict[str, list[str]] = {}
    for variable in facts.program.variables:
        if variable.name in trained:
            by_node.setdefault(variable.node, []).append(variable.name)
    return [[v for node in box.nodes for v in by_node.get(node, ())] for box in shown.boxes]


def _of_line(
    facts: Facts, line: Line, prefix: str, boxes: Sequence[Sequence[str]]
) -> dict[str, Any]:
    beta = facts.program.fit.beta or 1.0

    def moved(variable: str) -> float | None:
        if line.get(f"{prefix}moved/{variable}") is not None:
            return float(line[f"{prefix}moved/{variable}"])
        sides = [line.get(f"{prefix}rewards/{s}/{variable}") for s in ("chosen", "rejected")]
        there = [abs(float(v)) for v in sides if v is not None]
        return sum(there) / len(there) / beta if there else None

    rounds = facts.program.fit.rounds
    where = f"round {int(line.get('round', 0)) + 1}, " if rounds else ""
    return {
        "label": f"{where}step {line.get('step', 0)}",
        **_by_box(boxes, lambda v: credit_in(line, v, prefix), moved),
    }


def _of_credit(facts: Facts, boxes: Sequence[Sequence[str]]) -> dict[str, Any]:
    assert facts.credit is not None
    nodes = {one.variable: one for one in facts.credit.nodes}
    return {
        "label": "at the end, against before training",
        **_by_box(
            boxes,
            lambda v: nodes[v].margin.mean if v in nodes else None,
            lambda v: nodes[v].moved if v in nodes else None,
        ),
    }


def _by_box(boxes: Sequence[Sequence[str]], credit: Any, moved: Any) -> Mapping[str, Any]:
    def rounded(value: float | None) -> float | None:
        return None if value is None else float(f"{value:.4g}")

    most = [[m for v in several if (m := moved(v)) is not None] for several in boxes]
    return {
        "credit": [rounded(added([credit(v) for v in several])) for several in boxes],
        "moved": [rounded(max(several, default=None)) for several in most],
    }
