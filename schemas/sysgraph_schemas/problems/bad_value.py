"""SG105: a value of the right type that is not legal."""

from collections.abc import Callable
from typing import Any, Literal, get_args, get_origin

from ..diagnostics import Code, Diagnostic, dotted, problem
from ..shape import members_of
from ..suggest import quoted, suggestion
from .fault import Fault

CODE = Code(
    id="SG105",
    title="illegal value",
    meaning="A value is none of those that its key takes, or outside their range.",
    wrong="fit: {loss: sigmod, beta: -1}\n",
    right="fit: {loss: sigmoid, beta: 0.1}\n",
)


def diagnose(fault: Fault) -> Diagnostic:
    """Placed at the value."""
    say = _RANGES.get(fault.type)
    if say is not None:
        text, help = f"`{fault.name}` must be {say(fault.context)}", None
        if isinstance(fault.value, int | float):
            text += f", not {fault.value:g}"
    elif "message" in fault.context:
        text, help = f"`{fault.name}` {fault.context['message']}", fault.context["help"]
    else:
        text, help = f"`{fault.name}` has a value that is not legal ({fault.type})", None
    help = str(help) if help else None
    return problem(CODE, text, path=fault.path, span=fault.value_span(), help=help)


def not_listed(fault: Fault) -> Diagnostic:
    """One of a few words was wanted, as a value or as a mapping's key."""
    words = [member for member in members_of(fault.shape.type) if get_origin(member) is Literal]
    legal = [str(value) for word in words for value in get_args(word)]
    written = str(fault.value).lower() if isinstance(fault.value, bool) else str(fault.value)
    said, span = f"`{fault.name}` cannot be {quoted(written)}", fault.value_span()
    if fault.shape.is_key:
        written = str(fault.path[-1])
        said, span = f"`{dotted(fault.path[-2:-1])}` has no {quoted(written)}", fault.key_span()
    return problem(
        CODE, said, path=fault.path, span=span, help=suggestion(written, legal, "it is one of")
    )


def _items(context: Any, bound: str, word: str) -> str:
    number = context[bound]
    return f"{word} {number} item{'' if number == 1 else 's'} long"


_RANGES: dict[str, Callable[[Any], str]] = {
    "greater_than": lambda c: f"above {c['gt']:g}",
    "greater_than_equal": lambda c: f"{c['ge']:g} or more",
    "less_than": lambda c: f"below {c['lt']:g}",
    "less_than_equal": lambda c: f"{c['le']:g} or less",
    "finite_number": lambda c: "a finite number",
    "string_too_short": lambda c: f"at least {c['min_length']} character(s) long",
    "string_too_long": lambda c: f"at most {c['max_length']} characters long",
    "string_pattern_mismatch": lambda c: "letters, digits, `_` and `-`, beginning with a letter",
    "too_short": lambda c: _items(c, "min_length", "at least"),
    "too_long": lambda c: _items(c, "max_length", "at most"),
}
