"""SG010: a file that is made of itself."""

from collections.abc import Sequence

from ..diagnostics import Code, Diagnostic, problem
from ..located import Located

CODE = Code(
    id="SG010",
    title="circle of files",
    meaning="A part, or the base of a file, leads back to the file itself, so the graph would have "
    "no end.",
    wrong="base: example.yaml\n",
    right="base: other.yaml\n",
)


def diagnose(reference: Located, circle: Sequence[str]) -> Diagnostic:
    """Placed at the reference that closes it."""
    start = circle.index(circle[-1])
    way = " -> ".join(circle[start:])
    return problem(CODE, f"this closes a circle of files: {way}", span=reference.span)
