"""SG409: a stop string that another one always precedes."""

from collections.abc import Iterator, Sequence

from sysgraph_schemas import Code, Diagnostic
from sysgraph_schemas.diagnostics import Path
from sysgraph_schemas.suggest import quoted

from ...facts import Facts

CODE = Code(
    id="SG409",
    title="stop string without effect",
    severity="warning",
    meaning="A text ends at the first stop string in it. Of two of which one begins with the "
    "other, the shorter one is always there first.",
    wrong="""\
models:
  ada: {kind: causal_lm, id: gpt2, stop: ["\\n", "\\n\\n"]}
""",
    right="""\
models:
  ada: {kind: causal_lm, id: gpt2, stop: ["\\n\\n"]}
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each such string of each model and node."""
    for name, model in facts.graph.models.items():
        yield from _idle(facts, ("models", name, "stop"), model.decoding.stop or ())
    for name, node in facts.graph.nodes.items():
        yield from _idle(facts, ("nodes", name, "stop"), node.decoding.stop or ())


def _idle(facts: Facts, path: Path, strings: Sequence[str]) -> Iterator[Diagnostic]:
    for index, one in enumerate(strings):
        others = [*strings[:index], *(other for other in strings[index:] if other != one)]
        first = next((other for other in others if one.startswith(other)), None)
        if first is not None:
            said = f"{quoted(one)} never counts: a text ends at {quoted(first)}, which begins it"
            if one == first:
                said = f"{quoted(one)} is given twice"
            yield facts.diagnose(CODE, said, (*path, index), help="remove one of the two")
