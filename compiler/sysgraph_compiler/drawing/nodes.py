"""A program's nodes and the links between them, from its variables."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from ..program import Program, Term, Variable
from .clean import line
from .spec import Copy, Model, Node, Role


class NodeLink(NamedTuple):
    """An edge of the graph file. `paired`: each copy sees its own counterpart only."""

    parent: str
    child: str
    paired: bool


def read_nodes(program: Program) -> tuple[tuple[Node, ...], tuple[NodeLink, ...]]:
    """Every node with its copies, and every edge between nodes, in the program's order."""
    copies: dict[str, list[Variable]] = {}
    for variable in program.variables:
        copies.setdefault(variable.node, []).append(variable)
    owner = {variable.name: variable.node for variable in program.variables}
    sizes = {node: len(names) for node, names in program.groups.items()}
    terms = {term.variable: term for term in program.terms}
    outputs = frozenset(program.outputs)
    nodes: list[Node] = []
    links: list[NodeLink] = []
    for name, variables in copies.items():
        seen: dict[str, int] = {}
        for parent in variables[0].parents:
            seen[owner[parent]] = seen.get(owner[parent], 0) + 1
        links += [NodeLink(p, name, count < sizes.get(p, 1)) for p, count in seen.items()]
        nodes.append(_node(program, variables, tuple(seen), terms, outputs, owner))
    return tuple(nodes), tuple(links)


def read_models(program: Program) -> tuple[Model, ...]:
    """The models that have terms, in the order of the file."""
    status = {term.model: term.status for term in program.terms}
    found = []
    for name, spec in program.models.items():
        if name in status:
            what = getattr(spec, "id", None) or f"{spec.kind} of {len(getattr(spec, 'values', ()))}"
            how = f"trained, {spec.train}" if status[name] == "trained" else status[name]
            found.append(Model(name, line(f"{what} ({how})")))
    return tuple(found)


def _node(
    program: Program,
    variables: Sequence[Variable],
    parents: tuple[str, ...],
    terms: dict[str, Term],
    outputs: frozenset[str],
    owner: dict[str, str],
) -> Node:
    first = variables[0]
    own = [terms.get(variable.name) for variable in variables]
    return Node(
        name=first.node,
        kind=first.kind,
        role=_role(own),
        type=first.type,
        output=first.name in outputs,
        each=_each(program, variables),
        parser=_parser(program, first.parser),
        prompt=first.prompt,
        messages=tuple((m.role, m.content) for m in first.messages or ()),
        parents=parents,
        copies=tuple(
            Copy(v.name, t.model if t else None, _factor(program, v, t, owner))
            for v, t in zip(variables, own, strict=True)
        ),
    )


def _role(terms: Sequence[Term | None]) -> Role:
    statuses: set[Role] = {"input" if term is None else term.status for term in terms}
    return statuses.pop() if len(statuses) == 1 else "mixed"


def _each(program: Program, variables: Sequence[Variable]) -> str | None:
    if variables[0].node not in program.groups:
        return None
    keys = variables[0].bindings
    lists = {k: dict.fromkeys(str(v.bindings[k]) for v in variables) for k in keys}
    return "; ".join(f"{key}: {', '.join(items)}" for key, items in lists.items())


def _parser(program: Program, name: str | None) -> str | None:
    if name is None:
        return None
    spec: dict[str, Any] = program.parsers[name].model_dump(exclude_defaults=True, exclude={"kind"})
    settings = "".join(f", {key} {value!r}" for key, value in spec.items())
    return f"{name} ({program.parsers[name].kind}{settings})"


def _factor(
    program: Program, variable: Variable, term: Term | None, owner: dict[str, str]
) -> str | None:
    """Log p_model(variable | parents); a whole group of parents stands as `draft[*]`."""
    if term is None:
        return None
    counts: dict[str, list[str]] = {}
    for parent in variable.parents:
        counts.setdefault(owner[parent], []).append(parent)
    given: list[str] = []
    for node, names in counts.items():
        whole = len(names) > 1 and len(names) == len(program.groups.get(node, ()))
        given += [f"{node}[*]"] if whole else names
    event = f"{variable.name} | {', '.join(given)}" if given else variable.name
    if term.model is None:
        return f"log p({event}) = 0"
    return f"log p_{term.model}({event})"
