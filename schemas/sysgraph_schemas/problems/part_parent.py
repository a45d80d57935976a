"""SG112: a value that is given to a part, and that none of its inputs takes."""

from collections.abc import Iterable

from ..diagnostics import Code, Diagnostic, problem
from ..located import Located
from ..scalar_map import offsets
from ..suggest import listed, quoted, suggestion

CODE = Code(
    id="SG112",
    title="no input of a part",
    meaning="An edge into a part gives the input that is called like the parent, or the only one "
    "that is left; `inputs` says so where the names differ. Each input is one node.",
    wrong="nodes:\n  check: {use: check.yaml, inputs: {qestion: question}}\nedges:\n"
    "  - question, draft -> check\n  - question, draft, check -> answer\n",
    right="nodes:\n  check: {use: check.yaml, inputs: {question: question}}\nedges:\n"
    "  - question, draft -> check\n  - question, draft, check -> answer\n",
)


def unknown_input(part: str, key: Located, known: Iterable[str]) -> Diagnostic:
    """A key of `inputs`."""
    name = str(key.value)
    help = suggestion(name, known, "its inputs are")
    said, path = f"the part `{part}` has no input {quoted(name)}", ("nodes", part, "inputs", name)
    return problem(CODE, said, path=path, span=key.span, help=help)


def unknown_node(
    part: str, at: Located, within: tuple[int, int], known: Iterable[str]
) -> Diagnostic:
    """What is given is no node."""
    name = str(at.value)[slice(*within)]
    help = suggestion(name, known, "the nodes are")
    span = at.source.span(*offsets(at, *within))
    said = f"there is no node {quoted(name)} to give to the part `{part}`"
    return problem(CODE, said, path=("nodes", part), span=span, help=help)


def unclear(part: str, at: Located, within: tuple[int, int], free: list[str]) -> Diagnostic:
    """An edge that could give several inputs, or none."""
    name = str(at.value)[slice(*within)]
    span = at.source.span(*offsets(at, *within))
    said = f"no input of the part `{part}` is called {quoted(name)}"
    help = "all of its inputs are given already"
    if free:
        help = f"say which it is: `inputs: {{{free[0]}: {name}}}`; not given are: {listed(free)}"
    return problem(CODE, said, path=("nodes", part), span=span, help=help)


def twice(part: str, input: str, at: Located, within: tuple[int, int], other: str) -> Diagnostic:
    """Two nodes for one input."""
    name = str(at.value)[slice(*within)]
    span = at.source.span(*offsets(at, *within))
    said = f"the input `{input}` of the part `{part}` is both `{other}` and {quoted(name)}"
    return problem(CODE, said, path=("nodes", part), span=span, help="an input is one node")
