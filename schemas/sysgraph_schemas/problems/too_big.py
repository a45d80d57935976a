"""SG006: a file beyond the caps."""

from ..diagnostics import Code, Diagnostic, Span, problem
from ..limits import MAX_BYTES, MAX_DEPTH, MAX_YAML_NODES
from ..source import Source

CODE = Code(
    id="SG006",
    title="graph file too big",
    meaning="A graph file is read within a second or so whatever is in it, so its bytes, its depth "
    "and its values (counted as often as aliases repeat them) are capped.",
    wrong="""\
description: [[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]
""",
    right="""\
description: Two drafts, one answer.
""",
)


def many_bytes(name: str) -> Diagnostic:
    """Refused before it is parsed."""
    what = f"the file has more than {MAX_BYTES:,} bytes"
    help = "`for_each` says many like nodes in one line"
    return problem(CODE, what, span=Span(name, 1, 1, 1, 1, name), help=help)


def deep(source: Source, start: int) -> Diagnostic:
    """Lists in lists in lists."""
    what = f"more than {MAX_DEPTH} lists and mappings inside one another"
    return problem(CODE, what, span=source.span(start, start + 1))


def many_values(source: Source, start: int) -> Diagnostic:
    """Too many values, or a few that aliases repeat too often."""
    what = f"the file has more than {MAX_YAML_NODES:,} values, counting what aliases repeat"
    help = "`for_each` says many like nodes in one line"
    return problem(CODE, what, span=source.span(start, start + 1), help=help)
