"""SG012: a variable that the file does not declare."""

from collections.abc import Iterable

from ..diagnostics import Code, Diagnostic, Path, problem
from ..located import Located
from ..scalar_map import offsets
from ..suggest import quoted, suggestion

CODE = Code(
    id="SG012",
    title="unknown variable of a file",
    meaning="`${name}` is a variable of the file, declared in its `vars` with a default. A text "
    "that has this in it for another reason writes `$${name}`. In a file without `vars` it is text "
    "like any other, and a warning. Files that use this one as a part give values to variables "
    "that it declares, and to no others.",
    wrong='vars: {style: short}\nnodes:\n  draft: {kind: lm, model: ada, prompt: "Be ${stile}. '
    '{{ question }}"}\n',
    right='vars: {style: short}\nnodes:\n  draft: {kind: lm, model: ada, prompt: "Be ${style}. '
    '{{ question }}"}\n',
)


def used(name: str, node: Located, within: tuple[int, int], known: Iterable[str]) -> Diagnostic:
    """Placed at `${name}`."""
    help = suggestion(name, known, "the variables of this file are")
    help += f"; for the text itself write $${{{name}}}"
    span = node.source.span(*offsets(node, *within))
    return problem(CODE, f"there is no variable {quoted(name)}", span=span, help=help)


def plain(name: str, node: Located, within: tuple[int, int]) -> Diagnostic:
    """`${name}` in a file without `vars`, where it is nothing but text: a warning."""
    said = f"the file has no `vars`, so `${{{name}}}` is text like any other"
    help = f"declare it: `vars: {{{name}: ...}}`; or, for the text, add `vars: {{}}` and write "
    help += f"$${{{name}}}"
    span = node.source.span(*offsets(node, *within))
    return Diagnostic(CODE.id, "warning", said, span=span, help=help)


def given(name: str, key: Located, known: Iterable[str], path: Path) -> Diagnostic:
    """Placed at the name for which a value is given."""
    said = f"the part has no variable {quoted(name)}"
    help = suggestion(name, known, "its variables are")
    return problem(CODE, said, path=path, span=key.span, help=help)
