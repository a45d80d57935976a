"""SG310: a tool that is not installed."""

from collections.abc import Iterator
from functools import cache

from sysgraph_schemas import Code, Diagnostic
from sysgraph_schemas.suggest import quoted, suggestion

from ...facts import Facts

CODE = Code(
    id="SG310",
    title="unknown tool",
    meaning="A tool node names a function that an installed package registers in the entry-point "
    "group `sysgraph.tools`, or one in a file of your own: `--plugin my_tools.py`, in Python "
    "`tools={...}`. A package's is looked up here by its name, and imported only when it runs.",
    wrong="""\
nodes:
  sum: {kind: tool, tool: calcualte, args: {expression: draft}}
edges:
  - draft -> sum
""",
    right="""\
nodes:
  sum: {kind: tool, tool: calculate, args: {expression: draft}}
edges:
  - draft -> sum
""",
)

GROUP = "sysgraph.tools"


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each unknown name."""
    for name, node in facts.graph.nodes.items():
        if node.tool_name is None or node.tool_name in facts.tools:
            continue
        if node.tool_name not in installed():
            help = suggestion(node.tool_name, sorted({*installed(), *facts.tools}), "the tools are")
            help += "; your own come from a file: `--plugin my_tools.py`"
            path = ("nodes", name, "tool")
            yield facts.diagnose(CODE, f"unknown tool {quoted(node.tool_name)}", path, help=help)


@cache
def installed() -> tuple[str, ...]:
    """The names of all registered tools; none of them is imported."""
    from importlib.metadata import entry_points  # costs 30 ms: most graphs have no tools

    return tuple(sorted(entry_points(group=GROUP).names))
