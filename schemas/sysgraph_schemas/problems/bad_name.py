"""SG106: a name that cannot be written in a template or an edge."""

import re

from ..diagnostics import Code, Diagnostic, problem
from ..suggest import quoted
from .fault import Fault

CODE = Code(
    id="SG106",
    title="name that is no identifier",
    meaning="Names of models, parsers, nodes and `for_each` keys stand in templates and edges, so "
    "they are letters, digits and `_`, do not begin with a digit, and have at most 300 characters.",
    wrong="nodes:\n  first-draft: {kind: input}\n",
    right="nodes:\n  first_draft: {kind: input}\n",
)


def diagnose(fault: Fault) -> Diagnostic:
    """Placed at the name."""
    name = str(fault.path[-1])
    legal = re.sub(r"\W", "_", name, flags=re.ASCII)[:300]
    legal = f"_{legal}" if legal[:1].isdigit() else legal
    what = "is longer than 300 characters" if fault.type == "string_too_long" else "is no name"
    return problem(
        CODE,
        f"{quoted(name)} {what}: a name is letters, digits and `_`, and begins with no digit",
        path=fault.path,
        span=fault.key_span(),
        help=f"for example {quoted(legal)}" if legal.strip("_") else None,
    )
