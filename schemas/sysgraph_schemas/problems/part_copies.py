"""SG115: a part where one node is wanted."""

from ..diagnostics import Code, Diagnostic, problem
from ..located import Located

CODE = Code(
    id="SG115",
    title="part that cannot be copied",
    meaning="A part is several nodes, each of which would see all copies of the others: it has no "
    "`for_each`. Inside of a part, nodes have one as anywhere. A part with loops is in no loop, "
    "as loops do not nest.",
    wrong="nodes:\n  solve: {use: solve.yaml, for_each: {agent: [ada, bo]}}\nedges:\n"
    "  - question -> solve\n  - question, draft, solve -> answer\n",
    right="nodes:\n  one: {use: solve.yaml, models: {writer: ada}}\n"
    "  two: {use: solve.yaml, models: own}\nedges:\n"
    "  - question -> one, two\n  - question, draft, one, two -> answer\n",
)


def for_each(part: str, key: Located) -> Diagnostic:
    """Placed at the key."""
    said = f"the part `{part}` cannot be copied: a part has no `for_each`"
    help = "write it in the nodes of the part, or use the part once for each item"
    return problem(CODE, said, path=("nodes", part, "for_each"), span=key.span, help=help)


def nested(part: str, at: Located) -> Diagnostic:
    """Placed in the outer loop."""
    said = f"the part `{part}` has loops itself, and loops do not nest"
    return problem(CODE, said, path=("nodes", part), span=at.span)
