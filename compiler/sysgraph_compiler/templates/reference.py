"""The language of templates, for people: what `sysgraph explain templates` and the page say."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from sysgraph_schemas.limits import (
    MAX_ARMS,
    MAX_AST_DEPTH,
    MAX_LOOP_DEPTH,
    MAX_RENDERED,
    MAX_TEMPLATE,
)

from .filters import FILTERS, LOOP
from .kinds import COPY, labelled_value
from .render import render_template


class Entry(NamedTuple):
    """What a template can say, what that means, and one that says it."""

    name: str
    meaning: str
    example: str


_AGENTS = ("ada", "bo")
VALUES: Mapping[str, object] = {
    "question": "what is it ?",
    "draft": ["a red ball", "a blue cube"],
    "call": {"tool": "search", "query": "the cup"},
    "argument": [labelled_value(f"says {one}", {"agent": one}, {"agent": one}) for one in _AGENTS],
    "agent": "bo",
    "round": 2,
    COPY: {"agent": "bo"},
}
"""What names stand for in the examples: a text, lists, a record, the copy's own key, a number."""

SYNTAX = (
    Entry("{{ name }}", "the value of a parent, or of a `for_each` key", "{{ question }}"),
    Entry(
        "{% for d in list %}",
        "once for each element; `{% else %}` for an empty list",
        "{% for d in draft %}- {{ d }}. {% endfor %}",
    ),
    Entry(
        "{% for d in list if condition %}",
        "for those alone of which it holds",
        '{% for d in draft if "red" in d %}{{ d }}{% endfor %}',
    ),
    Entry(
        "{% if condition %}",
        "with `{% elif %}` and `{% else %}`",
        "{% if round > 1 %}again{% else %}first{% endif %}",
    ),
    Entry(
        "{{ record.field }}",
        "a field: of a record, of a turn of a loop's `history`, or a key of a copy in a list",
        "{{ call.query }}, {{ argument[0].agent }}",
    ),
    Entry(
        "a if condition else b", "the same in one expression", '{{ "again" if round > 1 else "" }}'
    ),
    Entry("==, !=, <, <=, >, >=, in, not in", "comparisons", '{{ "red" in draft[0] }}'),
    Entry("and, or, not", "of conditions", "{{ round > 1 and not draft[2:] }}"),
    Entry(
        "list[0], list[-1], list[:2]",
        "an element, counted from 0 or from the end; a part",
        "{{ draft[-1] }}",
    ),
    Entry("a ~ b", "two values as one text", '{{ question ~ " " ~ round }}'),
    Entry("a + b, a - b", "of numbers; `+` joins two lists too", "{{ round - 1 }}"),
    Entry("{%- ... -%}", "without the white space beside it", "a {%- if round %} b{% endif %}"),
    Entry("{# ... #}", "a comment", "a{# not said #}"),
)
"""What templates are made of, beside filters."""


def page() -> str:
    """The whole reference, in Markdown."""
    return "\n\n".join(_parts()) + "\n"


def _parts() -> Iterator[str]:
    yield (
        "A prompt, a caption and the content of a message are Jinja2 templates over the values of "
        "a node's parents. They lay out texts and lists, and can do nothing else: no calls, no "
        "assignments, no arithmetic but + and -, no attributes but those below."
    )
    given = ", ".join(f"`{name}` is `{value!r}`" for name, value in VALUES.items() if name != COPY)
    yield f"In the examples, {given}."
    yield _table("template", SYNTAX)
    yield "**Filters** change a value: `{{ value | filter }}`, one after the other."
    filters = (
        Entry(f"{name}{rule.shown}", f"of {_takes(rule.takes)}: {rule.about}", rule.example)
        for name, rule in FILTERS.items()
    )
    yield _table("filter", filters)
    attributes = ", ".join(f"`loop.{name}`" for name in LOOP)
    yield (
        f"**Inside a loop**, {attributes}: its number from 1 (`index0`: from 0), from the end, "
        "whether it is the first or the last, how many there are. **Tests**: `is even`, `is odd`."
    )
    yield (
        f"**Limits**: {MAX_TEMPLATE:,} characters a template, {MAX_RENDERED:,} a rendered prompt, "
        f"{MAX_LOOP_DEPTH} loops and {MAX_AST_DEPTH} levels inside one another, {MAX_ARMS} `elif`."
    )


def _takes(kind: str) -> str:
    return "any value" if kind == "any" else f"a {kind}"


def _table(first: str, entries: "Iterator[Entry] | tuple[Entry, ...]") -> str:
    rows = [f"| {first} | meaning | example | gives |", "|---|---|---|---|"]
    for entry in entries:
        gives = render_template(entry.example, VALUES)
        cells = (f"`{entry.name}`", entry.meaning, f"`{entry.example}`", f"`{gives}`")
        rows.append("| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |")
    return "\n".join(rows)
