"""SG801: `--observed` or `fit.observed` names what the graph does not have."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic
from sysgraph_schemas.diagnostics import problem
from sysgraph_schemas.suggest import quoted, suggestion

from ...copies import copy_names
from ...facts import Facts
from ...observation import in_file, resolve

CODE = Code(
    id="SG801",
    title="unknown node in --observed",
    meaning="`--observed` and `fit.observed` name the nodes whose values data holds, or copies of "
    "them (`draft[ada]`).",
    wrong="--observed drfat,answer\n",
    right="--observed draft,answer\n",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each unknown name."""
    given = resolve(facts.graph, facts.observation)
    for index, name in enumerate(given.names or ()):
        node = name.partition("[")[0]
        copies = _copies(facts, node) if "[" in name else []
        if facts.knows(name) or name in copies:
            continue
        generated = [n for n in facts.graph.nodes if not facts.graph.nodes[n].is_input]
        help = suggestion(name, generated, "the generated nodes are")
        if copies:
            help = suggestion(name, copies, f"the copies of `{node}` are")
        if in_file(facts.graph, facts.observation):
            said = f"{quoted(name)} is no node"
            yield facts.diagnose(CODE, said, ("fit", "observed", index), help=help)
        else:
            said = (
                f"{quoted(name)} is no node" if name else "there is a comma with no name beside it"
            )
            yield problem(CODE, said, span=given.span(name), help=help)


def _copies(facts: Facts, node: str) -> list[str]:
    if node not in facts.graph.nodes or node in facts.oversized:
        return []
    last = facts.expansion.last(node) if node in facts.last_turns else ()
    return [*(name for name, _ in copy_names(node, facts.expansion.axes.get(node, {}))), *last]
