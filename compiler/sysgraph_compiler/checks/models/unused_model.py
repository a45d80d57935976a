"""SG303: a model that no node uses."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic

from ...facts import Facts

CODE = Code(
    id="SG303",
    title="model never used",
    severity="warning",
    meaning="No node names this model, so it would be loaded for nothing.",
    wrong="models:\n  ada: {kind: causal_lm, id: gpt2}\n  bo: {kind: causal_lm, id: gpt2}\n"
    'nodes:\n  draft: {kind: lm, model: ada, prompt: ""}\n',
    right="models:\n  ada: {kind: causal_lm, id: gpt2}\n"
    'nodes:\n  draft: {kind: lm, model: ada, prompt: ""}\n',
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each one, if every node's model is known: else a typo may be why it is not used."""
    used = {model for _, _, model, _ in facts.used_models}
    doubt = facts.bad_model_templates or facts.oversized or facts.lost("nodes")
    if doubt or ("nodes",) in facts.broken or not used <= set(facts.names("models")):
        return
    for name in facts.graph.models:
        if name not in used:
            said = f"no node uses the model `{name}`"
            yield facts.diagnose(CODE, said, ("models", name), key=True, help="remove it")
