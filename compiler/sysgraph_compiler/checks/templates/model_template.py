"""SG406: a template for a model's name that cannot give one."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic
from sysgraph_schemas.suggest import quoted, suggestion

from ...facts import Facts
from ...templates.model_name import flaw_of, keys_of

CODE = Code(
    id="SG406",
    title="template of a model's name",
    meaning="`model` is a name under `models`, or text with `{{ key }}` in it for the keys of the "
    "node's `for_each`. It is known before anything runs, so it cannot use other nodes.",
    wrong="""\
nodes:
  draft: {kind: lm, for_each: {agent: [ada]}, model: "{{ question }}", prompt: hi}
""",
    right="""\
nodes:
  draft: {kind: lm, for_each: {agent: [ada]}, model: "{{ agent }}", prompt: hi}
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Syntax, more than text and keys, unknown keys."""
    for name, node in facts.graph.nodes.items():
        template, path = node.model_template, ("nodes", name, "model")
        if template is None:
            continue
        flaw = flaw_of(template)
        if flaw is not None:
            yield facts.flaw(CODE, path, flaw)
            continue
        for key, place in keys_of(template).items():
            known = [known for known in facts.keys(name) if known not in node.spread]
            if key in known or node.spread.get(key, name) not in facts.graph.nodes:  # SG615
                continue
            help = suggestion(key, known, "its keys are")
            if key in node.spread:
                help = "an element of a parsed list is not known before the system runs"
            elif not known:
                help = (
                    f"name a model, or add `for_each: {{{key}: [{', '.join(facts.graph.models)}]}}`"
                )
            said = f"{quoted(key)} is no `for_each` key of `{name}`"
            said += " with listed items" if key in node.spread else ""
            yield facts.diagnose(CODE, said, path, within=place, help=help)
