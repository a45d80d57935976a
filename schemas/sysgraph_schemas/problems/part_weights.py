"""SG116: a part that is used several times without a word on its weights."""

from ..diagnostics import Code, Diagnostic, Note, problem
from ..located import Located
from ..suggest import listed

CODE = Code(
    id="SG116",
    title="weights of a part that is used several times",
    meaning="Two uses of a part have the same models, or each its own, and that decides what is "
    "trained: so each use after the first says it. `models: {writer: first.writer}` shares them, "
    "`models: own` does not.",
    wrong="nodes:\n  one: {use: solve.yaml}\n  two: {use: solve.yaml}\nedges:\n"
    "  - question -> one, two\n  - question, draft, one, two -> answer\n",
    right="nodes:\n  one: {use: solve.yaml}\n"
    "  two: {use: solve.yaml, models: {writer: one.writer}}\nedges:\n"
    "  - question -> one, two\n  - question, draft, one, two -> answer\n",
)


def diagnose(part: str, key: Located, first: str, other: Located, models: list[str]) -> Diagnostic:
    """Placed at the later part."""
    said = f"`{part}` and `{first}` are one part: say whether they share their models"
    shared = listed(f"{name}: {first}.{name}" for name in models)
    help = f"the same weights: `models: {{{shared}}}`; each its own: `models: own`"
    notes = (Note("first used here", other.span),)
    return problem(CODE, said, path=("nodes", part), span=key.span, help=help, notes=notes)
