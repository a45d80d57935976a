"""SG013: a variable that its file does not use."""

from ..diagnostics import Code, Diagnostic, problem
from ..located import Located
from ..suggest import quoted

CODE = Code(
    id="SG013",
    title="variable never used",
    severity="warning",
    meaning="Nothing in the file, or in a text that it takes from a file, uses the variable, so "
    "setting it changes nothing.",
    wrong="vars: {style: short}\n",
    right='vars: {style: short}\nnodes:\n  draft: {kind: lm, model: ada, prompt: "Be ${style}. '
    '{{ question }}"}\n',
)


def diagnose(name: str, key: Located) -> Diagnostic:
    """Placed at its name."""
    said, help = f"nothing uses the variable {quoted(name)}", f"use it as ${{{name}}}, or remove it"
    return problem(CODE, said, path=("vars", name), span=key.span, help=help)
