"""SG109: another version of the file format."""

from ..diagnostics import Code, Diagnostic, problem
from .fault import Fault

CODE = Code(
    id="SG109",
    title="version of the file format",
    meaning="`sysgraph:` says which version of the file format a file is written in.",
    wrong="sysgraph: 2\nname: moa\n",
    right="sysgraph: 1\nname: moa\n",
)


def diagnose(fault: Fault) -> Diagnostic:
    """Placed at the number."""
    return problem(
        CODE,
        "this version of sysgraph reads graph files of version 1",
        path=fault.path,
        span=fault.value_span(),
        help="write `sysgraph: 1`, or install the sysgraph that the file was written for",
    )
