"""SG501: a list used as a text, or a text as a list."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic

from ...facts import Facts
from ...templates.types import misuses

CODE = Code(
    id="SG501",
    title="wrong type in a template",
    meaning="All copies of a `for_each` node, and what some parsers give, are lists: loop over "
    "them or join them. Everything else is a text: print it.",
    wrong="""\
nodes:
  draft: {kind: lm, for_each: {n: [1, 2]}, model: ada, prompt: "{{ question }}"}
  answer: {kind: lm, model: ada, prompt: "{{ question }} {{ draft }}"}
""",
    right="""\
nodes:
  draft: {kind: lm, for_each: {n: [1, 2]}, model: ada, prompt: "{{ question }}"}
  answer:
    kind: lm
    model: ada
    prompt: "{{ question }}{% for d in draft %} {{ d }}{% endfor %}"
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Every misuse in every template that is otherwise in order."""
    for path, parsed in facts.sound():
        for flaw in misuses(parsed, facts.scope_at(path)):
            yield facts.flaw(CODE, path, flaw)
