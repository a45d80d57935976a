"""SG402: a template that does more than lay out texts."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic

from ...facts import Facts
from ...templates.parse import Parsed

CODE = Code(
    id="SG402",
    title="not allowed in a template",
    meaning="A graph file can come from anywhere, so its templates cannot call, import, assign, "
    "reach into objects or build huge values. What they can do: variables, loops, conditions, "
    "comparisons, + - ~, and a few filters.",
    wrong="""\
nodes:
  draft: {kind: lm, model: ada, prompt: "{{ question.__class__ }} {{ 'x' * 1000000 }}"}
""",
    right="""\
nodes:
  draft: {kind: lm, model: ada, prompt: "{{ question | upper }}"}
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Everything forbidden, in every template."""
    for path, parsed in facts.templates.items():
        if isinstance(parsed, Parsed):
            for flaw in facts.forbidden[parsed]:
                yield facts.flaw(CODE, path, flaw)
