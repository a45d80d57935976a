"""SG301: a node whose model does not exist."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic, NodeSpec
from sysgraph_schemas.diagnostics import Path
from sysgraph_schemas.suggest import quoted, suggestion

from ..copies import copy_names
from ..facts import Facts
from ..templates.model_name import keys_of, model_name

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
    for name, copy, model, path in used_models(facts):
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


def used_models(facts: Facts) -> Iterator[tuple[str, str, str, Path]]:
    """(node, variable, model, where its name is written), one for each model of each node."""
    for name, node in facts.graph.nodes.items():
        template = node.model_template
        if template is None or name in facts.oversized:
            continue
        keys = keys_of(template)
        if name in facts.bad_model_templates:
            continue
        seen: set[str] = set()
        for copy, bindings in copy_names(name, node.copies if keys else {}):
            model = model_name(template, bindings)
            if model not in seen:
                seen.add(model)
                yield name, copy, model, _place(name, node, template, bindings)


def _place(
    name: str, node: NodeSpec, template: str, bindings: dict[str, str | int | float]
) -> Path:
    """The `for_each` item, where it alone is the model's name; else the template."""
    for key, item in bindings.items():
        if template.replace(" ", "") == "{{" + key + "}}":
            return ("nodes", name, "for_each", key, node.copies[key].index(item))
    return ("nodes", name, "model")
