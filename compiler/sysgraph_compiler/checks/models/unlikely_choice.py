"""SG320: a choice by a model that gives no likelihood."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic
from sysgraph_schemas.suggest import listed

from ...facts import Facts

CODE = Code(
    id="SG320",
    title="choice by a model without a likelihood",
    meaning="A choice is drawn by the likelihood of each option, which a hosted model "
    "(`kind: endpoint`) does not give: it only says texts. Let an `lm` node say one, and a parser "
    "read what was chosen, or let another model choose.",
    wrong="""\
models:
  ada: {kind: endpoint, id: gpt-4o-mini}
nodes:
  route: {kind: choice, model: ada, options: [math, code], prompt: "{{ question }}"}
edges:
  - question -> route
""",
    right="""\
models:
  router: {kind: causal_lm, id: gpt2}
nodes:
  route: {kind: choice, model: router, options: [math, code], prompt: "{{ question }}"}
edges:
  - question -> route
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each such model of each node, where it could give the node a text."""
    models = facts.graph.models
    for name, _, model, path in facts.used_models:
        node, spec = facts.graph.nodes[name], models.get(model)
        if spec is None or not covers(facts, name, model):
            continue
        said = f"`{model}` is {spec.noun}: it says texts, and not how likely each option is"
        able = [other for other, given in models.items() if node.gives in given.gives]
        help = f"let one of these choose: {listed(able)}" if able else None
        help = help or "let a model choose that has a likelihood, or an `lm` node say its choice"
        yield facts.diagnose(CODE, said, path, help=help)


def covers(facts: Facts, name: str, model: str) -> bool:
    """Whether `check` speaks of a node and its model, so that no other check has to."""
    spec = facts.graph.models[model]
    says = "text" in spec.gives and spec.likelihood == "none"
    return says and bool(facts.graph.nodes[name].choices)
