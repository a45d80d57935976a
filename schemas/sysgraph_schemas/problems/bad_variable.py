"""SG014: a variable without a value, or with one that does not fit."""

from ..diagnostics import Code, Diagnostic, Path, problem
from ..located import Located
from ..scalar_map import offsets
from ..shape import value_in_words
from ..suggest import quoted

CODE = Code(
    id="SG014",
    title="value of a variable",
    meaning="A variable has a text, a number, true, false or a list of these; one whose default is "
    "null must be given a value. A value that is given has the type of the default. Inside a "
    "longer text, a value is put in as text, so it is no list.",
    wrong='vars: {steps: null}\nfit: {steps: "${steps}"}\n',
    right='vars: {steps: 200}\nfit: {steps: "${steps}"}\n',
)


def no_section(node: Located) -> Diagnostic:
    """`vars: 3`."""
    said = f"`vars` must be a mapping (name: value), not {value_in_words(node.value)}"
    help = "for example `vars: {style: short}`"
    return problem(CODE, said, path=("vars",), span=node.span, help=help)


def name(key: Located) -> Diagnostic:
    """`vars: {my-style: short}`."""
    written = str(key.value)
    said = f"{quoted(written)} is no name: it is letters, digits and `_`, and begins with no digit"
    return problem(CODE, said, path=("vars", written), span=key.span)


def no_value(name: str, node: Located) -> Diagnostic:
    """A mapping, or a list of lists."""
    said = f"the variable {quoted(name)} must be a text, a number, true, false or a list of these"
    return problem(CODE, said, path=("vars", name), span=node.span)


def other_type(name: str, node: Located, default: object, path: Path) -> Diagnostic:
    """Not as the default is."""
    said = f"the variable {quoted(name)} must be {_type(default)}, as its default is, not "
    return problem(CODE, said + value_in_words(node.value), path=path, span=node.span)


def not_given(name: str, node: Located, within: tuple[int, int]) -> Diagnostic:
    """No default, and nobody gave one."""
    said = f"the variable {quoted(name)} has no value"
    help = f"give one: --set vars.{name}=..., or a default under `vars`"
    span = node.source.span(*offsets(node, *within))
    return problem(CODE, said, span=span, help=help)


def list_in_text(name: str, node: Located, within: tuple[int, int]) -> Diagnostic:
    """`"agents: ${agents}"`."""
    said = f"the variable {quoted(name)} is a list, which cannot stand inside a text"
    help = f"a list is a value by itself: ${{{name}}} and nothing beside it"
    span = node.source.span(*offsets(node, *within))
    return problem(CODE, said, span=span, help=help)


def _type(default: object) -> str:
    if default is None:
        return "a text, a number, true, false or a list of these"
    return "true or false" if isinstance(default, bool) else value_in_words(default)
