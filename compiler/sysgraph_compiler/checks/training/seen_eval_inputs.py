"""SG702: held-out inputs that are trained on."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic

from ...facts import Facts

CODE = Code(
    id="SG702",
    title="held-out inputs that are not",
    severity="warning",
    meaning="`eval_inputs` tells how the system does on inputs it was not trained on. When they "
    "are the training `inputs`, the score says nothing about others.",
    wrong="""\
fit: {inputs: questions.jsonl, eval_inputs: questions.jsonl, scorer: attributes}
""",
    right="""\
fit: {inputs: questions.jsonl, eval_inputs: heldout.jsonl, scorer: attributes}
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """The same file, or the same split of a toy world."""
    fit = facts.graph.fit
    if fit.eval_inputs is not None and fit.eval_inputs == fit.inputs:
        said = "`eval_inputs` are the `inputs` that are trained on"
        help = "name other inputs, for example `toy:specialists/test`"
        help = help if fit.inputs.startswith("toy:") else "name other inputs"
        yield facts.diagnose(CODE, said, ("fit", "eval_inputs"), help=help)
