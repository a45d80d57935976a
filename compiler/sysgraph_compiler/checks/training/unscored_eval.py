"""SG703: held-out inputs that nothing scores."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic

from ...facts import Facts

CODE = Code(
    id="SG703",
    title="held-out inputs without a scorer",
    severity="warning",
    meaning="Outputs on `eval_inputs` are scored by `fit.scorer`; without one, training does not "
    "evaluate. A warning, as Python code can bring a scorer.",
    wrong="""\
fit: {eval_inputs: heldout.jsonl}
""",
    right="""\
fit: {eval_inputs: heldout.jsonl, scorer: attributes}
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """With `rounds`, SG701 asks for the scorer already."""
    fit = facts.graph.fit
    if fit.eval_inputs is None or fit.scorer is not None or fit.rounds:
        return
    if not facts.is_broken("fit", "scorer") and not facts.is_broken("fit", "rounds"):
        said = "nothing scores `eval_inputs`, so they are not evaluated"
        help = "add for example `scorer: attributes`"
        yield facts.diagnose(CODE, said, ("fit", "eval_inputs"), key=True, help=help)
