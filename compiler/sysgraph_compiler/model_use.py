"""Which models each node asks for, and where the file says so."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from sysgraph_schemas import Graph, NodeSpec
from sysgraph_schemas.diagnostics import Path

from .copies import Scalar, copy_name
from .templates.model_name import keys_of, model_name

if TYPE_CHECKING:
    from .facts import Facts

ModelUse = tuple[str, str, str, Path]
"""A node, the first of its variables that asks for a model, the model, and where it is named."""


def used_models(facts: "Facts") -> Iterator[ModelUse]:
    """One for each model of each node."""
    for name, node in facts.graph.nodes.items():
        template = node.model_template
        if template is None or name in facts.oversized:
            continue
        if name in facts.bad_model_templates:
            continue
        seen: set[str] = set()
        for bindings in facts.bindings(name, keys_of(template)):
            model = model_of(facts.graph, name, bindings)
            if model not in seen:
                seen.add(model)
                copy = copy_name(name, bindings.values()) if bindings else name
                yield name, copy, model, _place(name, node, template, bindings)


def model_of(graph: Graph, name: str, bindings: Mapping[str, Scalar]) -> str:
    """The model of one copy of a node: its template names it, in a part as the part calls it."""
    node = graph.nodes[name]
    template = node.model_template
    assert template is not None
    model = model_name(template, bindings)
    if "{" not in template:
        return model
    if model in node.models_called:
        return node.models_called[model]
    part = name.rpartition(".")[0]
    return f"{part}.{model}" if part else model


def _place(
    name: str, node: NodeSpec, template: str, bindings: dict[str, str | int | float]
) -> Path:
    """The `for_each` item, where it alone is the model's name; else the template."""
    for key, item in bindings.items():
        if template.replace(" ", "") == "{{" + key + "}}" and key in node.copies:
            return ("nodes", name, "for_each", key, node.copies[key].index(item))
    return ("nodes", name, "model")
