"""SG110: a graph's name that could not name a folder."""

from ..diagnostics import Code, Diagnostic, problem
from .fault import Fault

CODE = Code(
    id="SG110",
    title="name of a graph",
    meaning="Runs and studies lie in folders that are called after the graph. Its name is letters, "
    "digits, spaces, `-`, `_` and `.`; it begins with a letter, a digit or `_`, and does not end "
    "with a space or a dot.",
    wrong="name: ../moa\n",
    right="name: moa\n",
)


def diagnose(fault: Fault) -> Diagnostic:
    """Placed at the name."""
    help = fault.context["help"]
    return problem(
        CODE,
        str(fault.context["message"]),
        path=fault.path,
        span=fault.value_span(),
        help=str(help) if help else None,
    )
