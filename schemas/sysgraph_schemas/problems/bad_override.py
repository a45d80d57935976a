"""SG007: a `--set a.b=value` that cannot be applied."""

from ..diagnostics import Code, Diagnostic, problem
from ..graph import Graph
from ..located import Located
from ..source import Source
from ..suggest import quoted, suggestion

CODE = Code(
    id="SG007",
    title="--set",
    meaning="`--set a.b=value` puts a value into the graph before it is checked: `a.b` is a path "
    "of keys, the value is YAML. It can give a key that the file leaves out, but names no new "
    "model or node.",
    wrong="--set model.ada.id=gpt2\n",
    right="--set models.ada.id=gpt2\n",
)


def no_assignment(source: Source) -> Diagnostic:
    """No `=`, or nothing before it."""
    help = "write it as path=value, for example fit.beta=0.5"
    return problem(
        CODE, "`--set` takes path=value", span=source.span(0, len(source.text)), help=help
    )


def no_such_name(source: Source, start: int, name: str, parent: Located, within: str) -> Diagnostic:
    """A step of the path that leads nowhere."""
    where = quoted(within) if within else "a graph"
    return problem(
        CODE,
        f"there is no {quoted(name)} in {where}",
        span=source.span(start, start + len(name)),
        help=suggestion(name, parent.entries if within else Graph.model_fields, "the keys are"),
    )


def not_a_section(source: Source, start: int, name: str, within: str) -> Diagnostic:
    """A path that goes on below a plain value."""
    return problem(
        CODE,
        f"{quoted(within)} has no keys, so there is no {quoted(name)} in it",
        span=source.span(start, start + len(name)),
    )
