"""SG113: a node inside a part that others name, which is none of its outputs."""

from ..diagnostics import Code, Diagnostic, problem
from ..located import Located
from ..scalar_map import offsets
from ..suggest import listed, quoted, suggestion

CODE = Code(
    id="SG113",
    title="no output of a part",
    meaning="From outside, a part is what it gives: its output is read by the part's name, and of "
    "several outputs each by its own (`solve.answer`). Edges lead to the part, not into it.",
    wrong="nodes:\n  solve: {use: solve.yaml}\nedges:\n  - question -> solve\n"
    "  - question, draft, solve.draft -> answer\n",
    right="nodes:\n  solve: {use: solve.yaml}\nedges:\n  - question -> solve\n"
    "  - question, draft, solve -> answer\n",
)


def several(part: str, outputs: list[str], at: Located, within: tuple[int, int]) -> Diagnostic:
    """The part's name, where it has several outputs."""
    span = at.source.span(*offsets(at, *within))
    said = f"the part `{part}` has several outputs"
    help = f"name one: {listed(f'{part}.{name}' for name in outputs)}"
    return problem(CODE, said, path=("nodes", part), span=span, help=help)


def inside(
    part: str, name: str, outputs: list[str], at: Located, within: tuple[int, int]
) -> Diagnostic:
    """`solve.draft`, no output."""
    span = at.source.span(*offsets(at, *within))
    said = f"{quoted(name)} is no output of the part `{part}`"
    help = suggestion(name, [f"{part}.{one}" for one in outputs], "its outputs are")
    return problem(CODE, said, path=("nodes", part), span=span, help=help)


def into(part: str, name: str, at: Located, within: tuple[int, int]) -> Diagnostic:
    """`x -> solve.draft`."""
    span = at.source.span(*offsets(at, *within))
    said = f"an edge leads to {quoted(name)}, a node inside the part `{part}`"
    help = f"edges lead to the part: ... -> {part}"
    return problem(CODE, said, path=("nodes", part), span=span, help=help)


def no_node(name: str, at: Located) -> Diagnostic:
    """The part's own `outputs` are wrong: placed there."""
    said = f"there is no node {quoted(name)}, so it is no output of this part"
    return problem(CODE, said, path=("outputs",), span=at.span)
