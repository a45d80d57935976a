"""SG009: a file outside of the graph's folder."""

from ..diagnostics import Code, Diagnostic, problem
from ..located import Located
from ..suggest import quoted

CODE = Code(
    id="SG009",
    title="file outside of the graph's folder",
    meaning="A graph file can come from anywhere, so it opens nothing but what lies beside it or "
    "below: a path has no `..` and is not absolute, and no link on the way leads out.",
    wrong="draft: {kind: lm, model: ada, prompt: {file: ../secret.txt}}\n",
    right="draft: {kind: lm, model: ada, prompt: {file: prompts/draft.txt}}\n",
)

_HELP = "move it beside this file or below, and write its path from there: prompts/draft.txt"


def diagnose(reference: Located, written: str) -> Diagnostic:
    """By how it is written."""
    what = "has `..` in it" if ".." in written.split("/") else "leads out of this file's folder"
    what = "has `\\` in it: folders are divided by `/`" if "\\" in written else what
    return problem(CODE, f"{quoted(written)} {what}", span=reference.span, help=_HELP)


def link(reference: Located, shown: str) -> Diagnostic:
    """By where a link leads."""
    said = f"{quoted(shown, 120)} is a link that leads out of the graph's folder"
    return problem(CODE, said, span=reference.span, help=_HELP)
