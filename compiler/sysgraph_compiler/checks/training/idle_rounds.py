"""SG701: rounds that cannot collect pairs."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic

from ...facts import Facts

CODE = Code(
    id="SG701",
    title="rounds that collect nothing",
    severity="warning",
    meaning="`fit.rounds` runs the system on `fit.inputs`, scores what it answers with "
    "`fit.scorer`, and pairs answers that differ. A warning, as `--data FILE` trains on given "
    "pairs instead, and Python code can bring a scorer.",
    wrong="""\
fit: {rounds: 3, scorer: attributes}
""",
    right="""\
fit: {rounds: 3, scorer: attributes, inputs: questions.jsonl}
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """No inputs, no scorer, or models that always say the same."""
    fit = facts.graph.fit
    if not fit.rounds or facts.is_broken("fit", "rounds"):
        return
    path = ("fit", "rounds")
    for key, example in (("inputs", "questions.jsonl"), ("scorer", "attributes")):
        if getattr(fit, key) is None and not facts.is_broken("fit", key):
            help = f"add for example `{key}: {example}`, or train on given pairs with --data FILE"
            yield facts.diagnose(CODE, needs(key), path, key=True, help=help)
    drawn = [decoding for _, _, decoding in facts.decodings]
    if drawn and all(decoding.is_greedy for decoding in drawn):
        said = "`rounds` pairs samples that differ, but at `temperature: 0` all are the same"
        help = "give at least one model or node another `temperature`"
        yield facts.diagnose(CODE, said, path, key=True, help=help)


def needs(key: str) -> str:
    """What is said of rounds without `fit.inputs` or `fit.scorer`, also when training starts."""
    return f"`rounds` collects pairs, which needs `fit.{key}`"
