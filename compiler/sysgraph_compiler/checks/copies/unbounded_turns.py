"""SG621: a loop over a list that may have any number of elements."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic

from ...facts import Facts

CODE = Code(
    id="SG621",
    title="loop over a list without a bound",
    meaning="The program has variables for every turn that there may be, so the parser says how "
    "many elements its list has at most: `max_items`. Of a shorter list the last turns do not run.",
    wrong="""\
parsers:
  parts: {kind: lines, min_items: 1, on_failure: reject}
nodes:
  parts: {kind: parse, parser: parts}
  note: {kind: lm, model: ada, prompt: "{{ element }} {{ note }}"}
edges:
  - draft -> parts
loops:
  read: {over: parts, nodes: [note], carry: [note -> note]}
outputs: [note]
""",
    right="""\
parsers:
  parts: {kind: lines, min_items: 1, max_items: 3, on_failure: reject}
nodes:
  parts: {kind: parse, parser: parts}
  note: {kind: lm, model: ada, prompt: "{{ element }} {{ note }}"}
edges:
  - draft -> parts
loops:
  read: {over: parts, nodes: [note], carry: [note -> note]}
outputs: [note]
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each such loop."""
    nodes = facts.graph.nodes
    for loop, spec in facts.graph.loops.items():
        over = spec.over
        if over not in nodes or not facts.is_list(over) or facts.expansion.most(over):
            continue
        parser = nodes[over].parser_name
        where = f"the parser `{parser}`" if parser else f"the node `{over}`"
        said = f"how many turns `{loop}` has at most is not known: {where} has no `max_items`"
        help = f"add for example `max_items: {max(8, facts.expansion.fewest(over))}` to {where}"
        yield facts.diagnose(CODE, said, ("loops", loop, "over"), help=help)
