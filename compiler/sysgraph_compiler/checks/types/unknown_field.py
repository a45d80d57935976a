"""SG509: a field that is none."""

from collections.abc import Iterable, Iterator

from sysgraph_schemas import Code, Diagnostic
from sysgraph_schemas.diagnostics import Path
from sysgraph_schemas.suggest import quoted, suggestion

from ...edges import Edge
from ...expansion import carry_edges
from ...facts import Facts
from ...records import record_of
from ...templates.types import in_words

_Place = tuple[str, Path, tuple[int, int] | None, bool]

CODE = Code(
    id="SG509",
    title="unknown field",
    meaning="`call.query` is the field `query` of the record `call`: of a parse node whose parser "
    "has `fields`, or a tool node that has, and this among them.",
    wrong="""\
parsers:
  call: {kind: json, fields: {tool: text, query: text}, on_failure: reject}
nodes:
  call: {kind: parse, parser: call}
  answer: {kind: lm, model: ada, prompt: "{{ question }} {{ call.qurey }}"}
edges:
  - draft -> call
  - question, call -> answer
""",
    right="""\
parsers:
  call: {kind: json, fields: {tool: text, query: text}, on_failure: reject}
nodes:
  call: {kind: parse, parser: call}
  answer: {kind: lm, model: ada, prompt: "{{ question }} {{ call.query }}"}
edges:
  - draft -> call
  - question, call -> answer
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each name that is written as a field and is none, at each of its places."""
    if ("nodes",) in facts.broken:
        return
    nodes = facts.graph.nodes
    for name, path, within, key in _everywhere(facts):
        owner = record_of(facts.graph, name)
        if owner is None or facts.type_of(owner) == "any":
            continue
        field, parts = name.rpartition(".")[2], nodes[owner].parts
        said = f"`{owner}` has no field {quoted(field)}"
        help = suggestion(field, parts, f"the fields of `{owner}` are")
        if not parts:
            said += f": it is {in_words(facts.type_of(owner))}"
            help = "a parse node whose json parser has `fields` gives a record"
        yield facts.diagnose(CODE, said, path, within=within, key=key, help=help)


def _everywhere(facts: Facts) -> Iterator[_Place]:
    yield from _in_edges(facts)
    yield from _in_nodes(facts)
    yield from _in_templates(facts)


def _in_edges(facts: Facts) -> Iterator[_Place]:
    yield from _ends(("edges",), facts.edges)
    for name, loop in facts.graph.loops.items():
        yield from _ends(("loops", name, "carry"), carry_edges(loop))


def _ends(path: Path, edges: Iterable[Edge]) -> Iterator[_Place]:
    for edge in edges:
        for end in (*edge.parents, *edge.children):
            if "." in end.name:
                yield end.name, (*path, edge.index), (end.start, end.end), False


def _in_nodes(facts: Facts) -> Iterator[_Place]:
    for name, node in facts.graph.nodes.items():
        for gate in node.gates:
            yield gate, ("nodes", name, "when", gate), None, True
        for key, source in node.spread.items():
            yield source, ("nodes", name, "for_each", key), None, False
        for key, parent in node.arguments.items():
            yield parent, ("nodes", name, "args", key), None, False
    for index, name in enumerate(facts.graph.outputs):
        yield name, ("outputs", index), None, False


def _in_templates(facts: Facts) -> Iterator[_Place]:
    """Of records alone: SG501 speaks of other values that have no fields."""
    for path, parsed in facts.sound():
        for name, line in facts.free_names[parsed].items():
            owner = record_of(facts.graph, name)
            if owner and facts.graph.nodes[owner].parts:
                yield name, path, parsed.find(name.rpartition(".")[2], line, after="."), False
