"""SG004: a YAML tag that a graph file may not have."""

from ..diagnostics import Code, Diagnostic, problem
from ..source import Source
from ..suggest import quoted

CODE = Code(
    id="SG004",
    title="YAML tag",
    meaning="A graph file holds text, numbers, true, false, null, lists and mappings. A tag that "
    "asks for anything else (`!!python/object`, `!include`) is refused, and nothing is built.",
    wrong="name: !include other.yaml\n",
    right="name: moa\n",
)

_PREFIX = "tag:yaml.org,2002:"


def diagnose(source: Source, start: int, end: int, tag: str) -> Diagnostic:
    """A tag outside the core schema."""
    shown = f"!!{tag.removeprefix(_PREFIX)}" if tag.startswith(_PREFIX) else tag
    return problem(
        CODE,
        f"the tag {quoted(shown)} is not allowed: a graph file holds plain data",
        span=source.span(start, end),
        help="remove the tag",
    )


def misfit(source: Source, start: int, end: int, tag: str, text: str) -> Diagnostic:
    """`!!int hello`."""
    shown = f"!!{tag.removeprefix(_PREFIX)}"
    what = f"{quoted(text)} is not what its tag `{shown}` says"
    return problem(CODE, what, span=source.span(start, end), help="remove the tag")
