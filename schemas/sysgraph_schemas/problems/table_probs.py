"""SG108: a table that is no table of probabilities."""

from ..diagnostics import Code, Diagnostic, problem
from .fault import Fault

CODE = Code(
    id="SG108",
    title="table of probabilities",
    meaning="`probs` has one row per context (one row without `contexts`) and one entry per value; "
    "each row is non-negative and sums to 1. Values and contexts do not repeat.",
    wrong="coin: {kind: table, values: [heads, tails], probs: [[0.5, 0.6]]}\n",
    right="coin: {kind: table, values: [heads, tails], probs: [[0.5, 0.5]]}\n",
)


def diagnose(fault: Fault) -> Diagnostic:
    """Placed at the row or entry."""
    return problem(CODE, str(fault.context["message"]), path=fault.path, span=fault.value_span())
