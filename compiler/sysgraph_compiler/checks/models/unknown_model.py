"""SG301: a node whose model does not exist."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic
from sysgraph_schemas.suggest import quoted, suggestion

from ...facts import Facts

CODE = Code(
    id="SG301",
    title="unknown model",
    meaning="A node names a model that is not under `models`. For a template such as "
    '`model: "{{ agent }}"`, the message says which copy gives the name.',
    wrong="models:\n  ada: {kind: causal_lm, id: gpt2}\n"
    "nodes:\n  draft: {kind: lm, model: adda, prompt: hi}\n",
    right="models:\n  ada: {kind: causal_lm, id: gpt2}\n"
    "nodes:\n  draft: {kind: lm, model: ada, prompt: hi}\n",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each unknown name, once per node."""
    if ("models",) in facts.broken:
        return
    known = {*facts.names("models")}
    for name, copy, model, path in facts.used_models:
        if model not in known:
            of_copy = f"the copy `{copy}` of " if copy != name else ""
            template = facts.graph.nodes[name].model_template
            gives = f"{of_copy}`{name}` asks for the model {quoted(model)}"
            what = f"{gives}, which does not exist" if template != model else None
            yield facts.diagnose(
                CODE,
                what or f"unknown model {quoted(model)}",
                path,
                help=suggestion(model, facts.names("models"), "the models are"),
            )
