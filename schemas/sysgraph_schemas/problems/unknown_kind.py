"""SG104: a `kind` that does not exist, or none."""

from ..diagnostics import Code, Diagnostic, problem
from ..shape import KINDS, label, members_of, value_in_words
from ..suggest import listed, quoted, suggestion
from .fault import Fault

CODE = Code(
    id="SG104",
    title="unknown kind",
    meaning="Every model, parser and node says its `kind`, which decides what other keys it has.",
    wrong='draft: {kind: llm, model: ada, prompt: "{{ question }}"}\n',
    right='draft: {kind: lm, model: ada, prompt: "{{ question }}"}\n',
)


def diagnose(fault: Fault) -> Diagnostic:
    """Placed at the kind, or at the name of what has none."""
    known = KINDS.get(str(fault.path[0]))
    members = members_of(fault.shape.type)
    kinds = known.names() if known else [label(member) for member in members]
    what = str(fault.path[0]).removesuffix("s")  # models, parsers, nodes
    name = fault.name
    legal = f"the kinds of {what}s are"
    if not isinstance(fault.value, dict):
        got = value_in_words(fault.value)
        text = f"the {what} `{name}` must be a mapping with a `kind`, not {got}"
        help = f"for example `{name}: {{kind: {kinds[0]}}}`; {legal}: {listed(kinds)}"
        return problem(CODE, text, path=fault.path, span=fault.value_span(), help=help)
    if "kind" not in fault.value:
        text = f"the {what} `{name}` has no `kind`"
        help = f"{legal}: {listed(kinds)}"
        return problem(CODE, text, path=fault.path, span=fault.key_span(), help=help)
    kind, at = fault.value["kind"], (*fault.path, "kind")
    span = fault.places.value(at)
    if not isinstance(kind, str):
        text = f"`kind` must be text, not {value_in_words(kind)}"
        return problem(CODE, text, path=at, span=span, help=f"{legal}: {listed(kinds)}")
    text = f"unknown kind {quoted(kind)} of {what}"
    return problem(CODE, text, path=at, span=span, help=suggestion(kind, kinds, legal))


def broken_package(fault: Fault) -> Diagnostic:
    """A package says that it has the kind, and does not."""
    context = fault.context
    help = str(context["help"]) if context["help"] else None
    span = fault.value_span()
    return problem(CODE, str(context["message"]), path=fault.path, span=span, help=help)
