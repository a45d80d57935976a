"""SG607: a template beyond the cap."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic
from sysgraph_schemas.limits import MAX_TEMPLATE, MAX_TEMPLATE_CODE

from ...facts import Facts

CODE = Code(
    id="SG607",
    title="template too long",
    meaning=f"A prompt or message has at most {MAX_TEMPLATE:,} characters, "
    f"and all of them together have at most {MAX_TEMPLATE_CODE:,} of code.",
    wrong="""\
nodes:
  draft: {kind: lm, model: ada, prompt: "..."}  # longer than that
""",
    right="""\
nodes:
  draft: {kind: lm, model: ada, prompt: "{{ question }}"}
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each such template, and all of them together."""
    if facts.template_code > MAX_TEMPLATE_CODE:
        said = (
            f"the templates hold {facts.template_code:,} characters between {{{{ }}}} and {{% %}}"
        )
        said += f"; the most is {MAX_TEMPLATE_CODE:,}"
        yield facts.diagnose(CODE, said, ("nodes",), key=True)
    for name, node in facts.graph.nodes.items():
        for at, text in node.templates.items():
            if len(text) > MAX_TEMPLATE:
                said = f"this template has {len(text):,} characters; the most is {MAX_TEMPLATE:,}"
                help = "give long material as an input node"
                yield facts.diagnose(CODE, said, ("nodes", name, *at), help=help)
