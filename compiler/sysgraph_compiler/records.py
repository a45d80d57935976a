"""Records: a field that something names is a variable of its own, which follows from its record.

`call.query` is then a node like others, deterministic, with the one parent `call`. Nothing after
this file knows that it is a field: it gates, is looped over, is an argument, an output or in a
prompt as any node is.
"""

import re
from collections.abc import Iterator, Mapping
from typing import ClassVar, Literal

from sysgraph_schemas import Computed, Graph, Node, RecordField

from .templates.parse import code_of

_DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*", re.ASCII)


class FieldNode(Computed):
    """A field of a record. Deterministic: probability 1."""

    noun: ClassVar[str] = "a field"
    is_deterministic: ClassVar[bool] = True

    kind: Literal["field"] = "field"
    record: str
    """The node whose value has it."""
    field: RecordField
    """What it holds."""
    parser: str
    """The parser that reads it, or the tool that gives it, for messages."""
    name: str
    """Its key in the record."""

    @property
    def part(self) -> tuple[str, str]:
        """The record and the key."""
        return self.record, self.name

    @property
    def reader(self) -> str:
        """The field of the parser or the tool, for messages."""
        return f"the field `{self.name}` of {self.parser}"

    @property
    def value_type(self) -> str:
        """As the field says."""
        return self.field.value_type

    @property
    def choices(self) -> list[str]:
        """The field's options."""
        return self.field.choices

    @property
    def fewest(self) -> int:
        """How many elements it has at least."""
        return self.field.fewest

    @property
    def most(self) -> int | None:
        """How many elements it has at most."""
        return self.field.most


def with_fields(graph: Graph) -> Graph:
    """The graph, with parse nodes that know their parsers and a node for every field in use."""
    nodes = {name: node.bound(graph.parsers) for name, node in graph.nodes.items()}
    fields = _fields(graph, nodes)
    same = all(nodes[name] is node for name, node in graph.nodes.items())
    if same and not fields:
        return graph
    found: dict[str, Node] = {}
    for name, node in nodes.items():
        found[name] = node
        found.update(fields.get(name, {}))
    edges = [
        f"{', '.join([name, *nodes[name].spread.values()])} -> {', '.join(several)}"
        for name, several in fields.items()
    ]
    loops = {
        name: loop.model_copy(
            update={"nodes": [n for node in loop.nodes for n in (node, *fields.get(node, ()))]}
        )
        for name, loop in graph.loops.items()
    }
    update = {"nodes": found, "edges": [*graph.edges, *edges], "loops": loops}
    copy = graph.model_copy(update=update)
    copy._places = graph._places
    return copy


def _fields(graph: Graph, nodes: Mapping[str, Node]) -> dict[str, dict[str, Node]]:
    """The nodes to add for the fields of each record."""
    records = {name: node for name, node in nodes.items() if node.parts}
    if not records:
        return {}
    named = set(_everything_named(graph))
    found: dict[str, dict[str, Node]] = {}
    for name, node in records.items():
        for key, field in node.parts.items():
            full = f"{name}.{key}"
            if full in named and full not in nodes:
                found.setdefault(name, {})[full] = FieldNode(
                    record=name,
                    name=key,
                    field=field,
                    parser=str(node.reader),
                    for_each={**node.copies, **node.spread} or None,
                )
    return found


def _everything_named(graph: Graph) -> Iterator[str]:
    """All names with dots wherever a node can be named."""
    carried = (text for loop in graph.loops.values() for text in loop.carry)
    for text in (*graph.edges, *carried, *graph.outputs, *(graph.fit.observed or ())):
        yield from _DOTTED.findall(text)
    for loop in graph.loops.values():
        yield from loop.until or ()
        yield from () if loop.over is None else (loop.over,)
    for name, node in graph.nodes.items():
        yield from _names(name, node)
        yield from node.gates


def _names(name: str, node: Node) -> Iterator[str]:
    """What is named in a node's templates, lists of messages, arguments and `for_each`."""
    yield from node.arguments.values()
    yield from node.spread.values()
    for source in node.sources.values():
        yield called(name, node, source)
    for text in node.templates.values():
        for code in code_of(text):
            for said in _DOTTED.findall(code):
                yield called(name, node, said)


def called(name: str, node: Node, said: str) -> str:
    """The node that a name in a node's templates stands for, or that and a field of it.

    What the node's `names` says; else, in a part, the part's own node of that name.
    """
    if said in node.called:
        return node.called[said]
    first, dot, rest = said.partition(".")
    if first in node.called:
        return f"{node.called[first]}{dot}{rest}"
    part = name.rpartition(".")[0]
    return f"{part}.{said}" if part else said


def meant(graph: Graph, parent: str, child: str) -> tuple[str, ...]:
    """What an edge between two nodes leads from: of a record, the fields that the child names.

    The record itself, where it names none, or the record as a whole too.
    """
    nodes = graph.nodes
    parts = nodes[parent].parts if parent in nodes else {}
    if not parts or child not in nodes or nodes[child].part:
        return (parent,)
    node = nodes[child]
    names = {*_names(child, node)}
    read = [full for full in (f"{parent}.{key}" for key in parts) if full in names]
    gates = [full for full in (f"{parent}.{key}" for key in parts) if full in node.gates]
    # What has no templates and no arguments reads its parents as they are.
    gated = bool(gates and (node.templates or node.arguments))
    whole = parent in names or not (read or gated)
    some = [full for full in (*read, *gates) if full in nodes]
    return tuple(dict.fromkeys([*([parent] if whole else []), *some]))


def record_of(graph: Graph, name: str) -> str | None:
    """The node whose field a name would be, by how it is written; None for one without a dot."""
    owner = name.rpartition(".")[0]
    return owner if name not in graph.nodes and owner in graph.nodes else None
