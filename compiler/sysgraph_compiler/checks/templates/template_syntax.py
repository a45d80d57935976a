"""SG401: a template that Jinja2 cannot parse."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic

from ...facts import Facts
from ...templates.flaw import Flaw

CODE = Code(
    id="SG401",
    title="template syntax",
    meaning="A prompt is a Jinja2 template: `{{ name }}` puts a value in, `{% for d in draft %}` "
    "... `{% endfor %}` repeats, `{% if x %}` ... `{% endif %}` chooses.",
    wrong="""\
nodes:
  draft: {kind: lm, model: ada, prompt: "{% if question %}{{ question }}"}
""",
    right="""\
nodes:
  draft: {kind: lm, model: ada, prompt: "{% if question %}{{ question }}{% endif %}"}
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """The first error of each template."""
    for path, parsed in facts.templates.items():
        if isinstance(parsed, Flaw):
            said = Flaw(f"template: {parsed.message}", parsed.start, parsed.end, parsed.help)
            yield facts.flaw(CODE, path, said)
