"""SG107: keys of one section that do not go together."""

from ..diagnostics import Code, Diagnostic, problem
from .fault import Fault

CODE = Code(
    id="SG107",
    title="keys that do not go together",
    meaning="Each key is right by itself, but not beside the other: an lm node has `prompt` or "
    "`messages`, a parser's `default` needs `on_failure: default`, `fit` has `data` or `rounds`.",
    wrong="parsers:\n  items: {kind: lines, min_items: 2, on_failure: reject, default: [a]}\n",
    right="parsers:\n  items: {kind: lines, min_items: 2, on_failure: default, default: [a]}\n",
)


def diagnose(fault: Fault) -> Diagnostic:
    """Placed at the key that the validator names."""
    help = fault.context["help"]
    return problem(
        CODE,
        str(fault.context["message"]),
        path=fault.path,
        span=fault.key_span(),
        help=str(help) if help else None,
    )


def missing_one_of(fault: Fault) -> Diagnostic:
    """A section that needs one of two keys: it is a missing key to the reader."""
    from .missing_key import CODE as MISSING

    return problem(
        MISSING,
        str(fault.context["message"]),
        path=fault.path,
        span=fault.key_span(),
        help=str(fault.context["help"]),
    )
