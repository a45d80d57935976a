"""SG605: a program beyond the caps."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic, NodeSpec
from sysgraph_schemas.limits import MAX_EDGES, MAX_LINKS, MAX_PROMPT_TOTAL, MAX_VARIABLES

from ...facts import Facts

CODE = Code(
    id="SG605",
    title="program too big",
    meaning="`for_each` and `loops` multiply: the program's variables, their parents (every copy "
    "of a child sees every copy of a parent) and their prompts are counted before they are copied.",
    wrong="""\
nodes:
  draft:
    kind: lm
    for_each:
      a: [1, 2, 3, 4, 5, 6, 7, 8]
      b: [1, 2, 3, 4, 5, 6, 7, 8]
      c: [1, 2, 3, 4, 5, 6, 7, 8]
      d: [1, 2, 3, 4, 5, 6, 7, 8]
      e: [1, 2, 3, 4, 5, 6, 7, 8]
    model: ada
    prompt: "{{ question }}"
""",
    right="""\
nodes:
  draft:
    kind: lm
    for_each:
      a: [1, 2, 3]
      b: [1, 2, 3]
    model: ada
    prompt: "{{ question }}"
""",
)


_SEPARATE = 20
"""Characters that a text of its own costs besides."""


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Placed at the node that adds most."""
    if facts.edge_count > MAX_EDGES:
        said = f"the edges have {facts.edge_count:,} pairs of parent and child"
        yield facts.diagnose(CODE, f"{said}; the most is {MAX_EDGES:,}", ("edges",), key=True)
        return
    if facts.expansion.carry_count > MAX_EDGES:
        said = f"the loops carry {facts.expansion.carry_count:,} pairs of parent and child"
        yield facts.diagnose(CODE, f"{said}; the most is {MAX_EDGES:,}", ("loops",), key=True)
        return
    nodes = facts.graph.nodes
    copies = {name: facts.expansion.count(name) for name in nodes}
    links = dict.fromkeys(nodes, 0)
    for parent, child in (*facts.links, *facts.expansion.carried):
        links[child] += copies[child] * facts.expansion.number_seen(parent, child)
    prompts = {name: copies[name] * _written(node) for name, node in nodes.items()}
    counts = (
        (copies, MAX_VARIABLES, "variables"),
        (links, MAX_LINKS, "edges between variables"),
        (prompts, MAX_PROMPT_TOTAL, "characters of prompts and options"),
    )
    for amounts, most, what in counts:
        total = sum(amounts.values())
        if total > most:
            worst = max(amounts, key=amounts.__getitem__)
            said = f"the program would have {total:,} {what}; the most is {most:,}"
            help = f"`{worst}` alone has {amounts[worst]:,}"
            yield facts.diagnose(CODE, said, ("nodes", worst), key=True, help=help)
            return


def _written(node: NodeSpec) -> int:
    """Characters that every copy of a node holds."""
    gates = (option for options in node.gates.values() for option in options)
    arguments = (text for pair in node.arguments.items() for text in pair)
    constants = (str(part) for pair in node.constants.items() for part in pair)
    texts = (*node.templates.values(), *node.choices, *gates, *arguments, *constants)
    return sum(len(text) + _SEPARATE for text in texts)
