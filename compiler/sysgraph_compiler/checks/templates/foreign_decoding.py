"""SG408: a node's settings for a model that does not write token by token."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic, Note

from ...facts import Facts

CODE = Code(
    id="SG408",
    title="sampling setting of a node whose model has none",
    meaning="`max_new_tokens`, `temperature`, `top_p` and `stop` of an `lm` node say how its text "
    "is written token by token. A table says one of its values whole.",
    wrong="""\
models:
  coin: {kind: table, values: [heads, tails]}
nodes:
  draft: {kind: lm, model: coin, prompt: "{{ question }}", temperature: 0}
""",
    right="""\
nodes:
  draft: {kind: lm, model: ada, prompt: "{{ question }}", temperature: 0}
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each such setting; a choice is drawn from the options' likelihoods, which every model has."""
    for name, model, _ in facts.decodings:
        node, spec = facts.graph.nodes[name], facts.graph.models[model]
        if node.choices or spec.decodes or node.gives not in spec.gives:
            continue
        for key in node.decoding.given:
            said = f"`{key}` has no meaning for `{model}`, which is {spec.noun}"
            notes = (Note("the model", facts.key(("models", model))),)
            path = ("nodes", name, key)
            yield facts.diagnose(CODE, said, path, key=True, help="remove it", notes=notes)
