"""SG801: `--observed` names what the graph does not have."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic
from sysgraph_schemas.diagnostics import problem
from sysgraph_schemas.suggest import quoted, suggestion

from ..copies import copy_names
from ..facts import Facts

CODE = Code(
    id="SG801",
    title="unknown node in --observed",
    meaning="`--observed` names the nodes whose values data holds, or copies of them "
    "(`draft[ada]`).",
    wrong="--observed drfat,answer\n",
    right="--observed draft,answer\n",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each unknown name."""
    for name in facts.observation.names or ():
        node = name.partition("[")[0]
        copies = _copies(facts, node) if "[" in name else []
        if facts.knows(name) or name in copies:
            continue
        generated = [n for n in facts.graph.nodes if not facts.graph.nodes[n].is_input]
        help = suggestion(name, generated, "the generated nodes are")
        if copies:
            help = suggestion(name, copies, f"the copies of `{node}` are")
        said = f"{quoted(name)} is no node" if name else "there is a comma with no name beside it"
        yield problem(CODE, said, span=facts.observation.span(name), help=help)


def _copies(facts: Facts, node: str) -> list[str]:
    spec = facts.graph.nodes.get(node)
    if spec is None or node in facts.oversized:
        return []
    return [name for name, _ in copy_names(node, spec.copies)]
