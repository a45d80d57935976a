"""SG313: an option that a table model cannot say."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic, Note
from sysgraph_schemas.suggest import quoted, suggestion

from ...facts import Facts

CODE = Code(
    id="SG313",
    title="option that a table lacks",
    meaning="A table model chooses among its `values`; an option that is none of them has no "
    "probability.",
    wrong="""\
models:
  router: {kind: table, values: [math, coding]}
nodes:
  route: {kind: choice, model: router, prompt: "{{ question }}", options: [math, code]}
edges:
  - question -> route
""",
    right="""\
models:
  router: {kind: table, values: [math, code]}
nodes:
  route: {kind: choice, model: router, prompt: "{{ question }}", options: [math, code]}
edges:
  - question -> route
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each such option of each choice."""
    for name, _, model, _ in facts.used_models:
        node, spec = facts.graph.nodes[name], facts.graph.models.get(model)
        if not node.choices or spec is None or spec.outcomes is None:
            continue
        values = {*spec.outcomes}
        for index, option in enumerate(node.choices):
            if option not in values:
                said = f"the {spec.kind} `{model}` has no value {quoted(option)}"
                help = suggestion(option, spec.outcomes, "its values are")
                notes = (Note(f"the {spec.kind}", facts.key(("models", model))),)
                path = ("nodes", name, "options", index)
                yield facts.diagnose(CODE, said, path, help=help, notes=notes)
