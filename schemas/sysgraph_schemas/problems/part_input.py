"""SG111: an input of a part that nobody gives."""

from collections.abc import Sequence

from ..diagnostics import Code, Diagnostic, problem
from ..located import Located
from ..suggest import listed

CODE = Code(
    id="SG111",
    title="input of a part that is not given",
    meaning="Every input of a part is a node of the graph that uses it: `inputs` says which, or an "
    "edge into the part.",
    wrong="nodes:\n  check: {use: check.yaml}\nedges:\n  - question -> check\n  "
    "- question, draft, check -> answer\n",
    right="nodes:\n  check: {use: check.yaml}\nedges:\n  - question, draft -> check\n  "
    "- question, draft, check -> answer\n",
)


def diagnose(part: str, missing: Sequence[str], key: Located) -> Diagnostic:
    """Placed at the part's name."""
    said = f"nothing gives the part `{part}` its input{'s' if len(missing) > 1 else ''} "
    shown = listed(f"`{name}`" for name in missing)
    help = (
        f"add to `edges`: - {missing[0]} -> {part}, or to the part `inputs: {{{missing[0]}: ...}}`"
    )
    return problem(CODE, said + shown, path=("nodes", part), span=key.span, help=help)
