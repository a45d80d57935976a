"""SG804: a computed value in data, without the texts that it follows from."""

from collections.abc import Container, Iterator

from sysgraph_schemas import Code, Diagnostic
from sysgraph_schemas.diagnostics import problem

from ...facts import Facts
from ...observation import in_file, resolve, unobserved

CODE = Code(
    id="SG804",
    title="computed value without its text",
    meaning="A value that a parser reads or a tool computes follows from texts, and the likelihood "
    "is theirs. Data that holds the value alone does not say which of many texts it was. A "
    "selection's value does: it is the text of the branch that ran.",
    wrong="""\
--observed items,answer
""",
    right="""\
--observed draft,answer
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each computed node that is named while a text before it is not."""
    given = resolve(facts.graph, facts.observation)
    gaps = {gap.partition("[")[0] for gap in unobserved(facts.graph, facts.observation)}
    named = {name.partition("[")[0]: name for name in given.names or ()}
    if not gaps or facts.has_cycle:
        return
    for node, name in named.items():
        spec = facts.graph.nodes.get(node)
        if spec is None or not spec.is_deterministic:
            continue
        texts = [text for text in _texts(facts, node, named) if text in gaps]
        if not texts:
            continue
        several = ", ".join(f"`{text}`" for text in texts)
        noun = "the text it is" if len(texts) == 1 else "the texts it is"
        how = "computed from" if spec.tool_name else "read from"
        said = f"data would hold `{name}`, but not {several}, {noun} {how}"
        how = "too" if spec.takes_any else "instead"
        help = f"name {several} {how}: `{node}` follows from it"
        if in_file(facts.graph, facts.observation):
            path = ("fit", "observed", list(given.names or ()).index(name))
            yield facts.diagnose(CODE, said, path, help=help)
        else:
            yield problem(CODE, said, span=given.span(name), help=help)


def _texts(facts: Facts, node: str, named: Container[str]) -> list[str]:
    """What models wrote that a computed node's value follows from, but for a selection's branches.

    What data holds of the values in between says it.
    """
    nodes, found = facts.graph.nodes, [node]
    for name in found:
        if nodes[name].is_deterministic:
            follows = [p for p in facts.reads(name) if p not in found]
            if nodes[name].takes_any:
                follows = [p for p in follows if nodes[p].is_deterministic]
            found += [p for p in follows if not (p in named and nodes[p].takes_any)]
    return [name for name in found if nodes[name].model_template is not None]
