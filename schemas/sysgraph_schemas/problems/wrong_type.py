"""SG103: text where a number is wanted, a value where a list is, and so on."""

import json

from ..diagnostics import Code, Diagnostic, problem
from ..located import Located
from ..scalars import resolve
from ..shape import in_words, members_of, value_in_words
from .fault import Fault

CODE = Code(
    id="SG103",
    title="wrong type",
    meaning="A value is of another type than its key takes. Nothing is converted silently: `200` "
    'is a number and `"200"` is text.',
    wrong="fit: {steps: many}\n",
    right="fit: {steps: 200}\n",
)


def diagnose(fault: Fault) -> Diagnostic:
    """Placed at the value."""
    wanted = in_words(fault.shape.type)
    got = value_in_words(fault.value)
    if isinstance(fault.value, float) and int in members_of(fault.shape.type):
        got = f"{fault.value:g}"
    return problem(
        CODE,
        f"`{fault.name}` must be {wanted}, not {got}",
        path=fault.path,
        span=fault.value_span(),
        help=_help(fault),
    )


def not_a_mapping(root: Located) -> Diagnostic:
    """A file that holds a list or a text."""
    said = f"a graph file is a mapping (key: value), not {value_in_words(root.value)}"
    help = "it has the keys name, models, nodes, edges, outputs"
    return problem(CODE, said, span=root.span, help=help)


def _help(fault: Fault) -> str | None:
    value, kinds = fault.value, members_of(fault.shape.type)
    if isinstance(value, str) and resolve(value) != value and str not in kinds:
        return f"write it without quotes: {value}"
    if isinstance(value, int | float) and str in kinds:
        node = fault.places.find(fault.path)
        written = node.source.text[node.start : node.end] if node else json.dumps(value)
        return f'write it in quotes: "{written}"'
    if isinstance(value, str) and any(str(kind).startswith("list[") for kind in kinds):
        return f"write a list: [{value if value.isidentifier() else json.dumps(value)}]"
    if isinstance(value, dict) and str in kinds and len(value) == 1:
        return 'text with `{`, or with `: ` in it, needs quotes: "{{ question }}"'
    return None
