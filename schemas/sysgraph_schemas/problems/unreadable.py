"""SG001: there is no text to read."""

from ..diagnostics import Code, Diagnostic, Span, problem

CODE = Code(
    id="SG001",
    title="the graph file cannot be read",
    meaning="There is no such file, it is a folder, it may not be read, or it is no UTF-8 text.",
    wrong="sysgraph check graphs/mao.yaml",
    right="sysgraph check graphs/moa.yaml",
)


def diagnose(name: str, why: str, help: str | None = None) -> Diagnostic:
    """The file as a whole."""
    return problem(CODE, why, span=Span(name, 1, 1, 1, 1, name), help=help)
