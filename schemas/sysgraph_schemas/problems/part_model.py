"""SG114: models of a part that are given wrongly."""

from collections.abc import Iterable

from ..diagnostics import Code, Diagnostic, problem
from ..located import Located
from ..suggest import quoted, suggestion

CODE = Code(
    id="SG114",
    title="models of a part",
    meaning="`models` of a part gives models of this graph (or of another part: `other.writer`) in "
    "place of the part's own.",
    wrong="nodes:\n  solve: {use: solve.yaml, models: {wirter: ada}}\nedges:\n"
    "  - question -> solve\n  - question, draft, solve -> answer\n",
    right="nodes:\n  solve: {use: solve.yaml, models: {writer: ada}}\nedges:\n"
    "  - question -> solve\n  - question, draft, solve -> answer\n",
)


def of_part(part: str, key: Located, known: Iterable[str]) -> Diagnostic:
    """A key of `models`."""
    name = str(key.value)
    help = suggestion(name, known, "its models are")
    said, path = f"the part `{part}` has no model {quoted(name)}", ("nodes", part, "models", name)
    return problem(CODE, said, path=path, span=key.span, help=help)


def of_graph(part: str, name: str, node: Located, known: Iterable[str]) -> Diagnostic:
    """A value of `models`."""
    help = suggestion(str(node.value), known, "the models are")
    said, path = f"there is no model {quoted(str(node.value))}", ("nodes", part, "models", name)
    return problem(CODE, said, path=path, span=node.span, help=help)
