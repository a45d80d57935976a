"""SG005: a file holds one graph."""

from ..diagnostics import Code, Diagnostic, problem
from ..source import Source

CODE = Code(
    id="SG005",
    title="not one document",
    meaning="A graph file is one YAML document: not empty, and not several, divided by `---`.",
    wrong="name: one\n---\nname: two\n",
    right="name: one\n",
)


def second(source: Source, start: int) -> Diagnostic:
    """Another `---`."""
    return problem(
        CODE,
        "a second document begins here; a graph file holds one graph",
        span=source.span(start, start + 3),
        help="move it to a file of its own",
    )


def empty(source: Source) -> Diagnostic:
    """Nothing but comments."""
    help = "a graph has the keys name, models, nodes, edges, outputs"
    return problem(CODE, "the file is empty", span=source.span(0, 0), help=help)
