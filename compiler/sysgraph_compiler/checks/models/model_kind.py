"""SG309: a model that gives a node of this kind no likelihood."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic
from sysgraph_schemas.models import MODEL_KINDS
from sysgraph_schemas.suggest import listed

from ...facts import Facts
from . import unlikely_choice

CODE = Code(
    id="SG309",
    title="model of another kind",
    meaning="A node's term is its model's likelihood of the node's value: a language model has one "
    "of a text, a classifier of a choice, a diffusion model (a bound) of an image.",
    wrong="""\
models:
  painter: {kind: diffusion, id: stabilityai/sd-turbo}
nodes:
  draft: {kind: lm, model: painter, prompt: "{{ question }}"}
""",
    right="""\
models:
  writer: {kind: causal_lm, id: gpt2}
nodes:
  draft: {kind: lm, model: writer, prompt: "{{ question }}"}
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each such model of each node."""
    models = facts.graph.models
    for name, _, model, path in facts.used_models:
        node, spec = facts.graph.nodes[name], models.get(model)
        if spec is None or node.gives in spec.gives:
            continue
        if unlikely_choice.covers(facts, name, model):
            continue
        said = f"{node.noun} has no likelihood under `{model}`, which is {spec.noun}"
        wanted = f"{node.noun} takes a model of kind {_either(_giving(node.gives))}"
        fitting = [other for other, given in models.items() if node.gives in given.gives]
        help = f"{wanted}: {listed(fitting) or 'the graph has none'}"
        yield facts.diagnose(CODE, said, path, help=help)


def _giving(type: str) -> tuple[str, ...]:
    """The built-in kinds of models that give values of a type."""
    members = MODEL_KINDS.built_in.items()
    return tuple(name for name, member in members if type in member.gives)


def _either(kinds: tuple[str, ...]) -> str:
    return " or ".join((", ".join(kinds[:-1]), kinds[-1])) if len(kinds) > 1 else kinds[0]
