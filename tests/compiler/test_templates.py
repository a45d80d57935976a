"""Templates: what is refused, what is typed, what is rendered."""

import tracemalloc

import pytest
from jinja2 import Environment, StrictUndefined

from sysgraph_compiler import TemplateError, render_template
from sysgraph_compiler.templates.allow import forbidden
from sysgraph_compiler.templates.names import free_names
from sysgraph_compiler.templates.parse import Parsed, parse
from sysgraph_compiler.templates.types import misuses
from sysgraph_schemas.limits import MAX_RENDERED, MAX_STEPS

SCOPE: dict[str, object] = {
    "q": "What is it?",
    "xs": ["b", "a", "b"],
    "n": 3,
    "yes": [["1"], ["2", "3"]],
    "c": {"t": "v", "l": ["p", "q"], "items": "i"},
    "cs": [{"t": "v"}, {"t": "w"}],
}
TYPES = {"q": "text", "xs": "list[text]", "n": "number", "yes": "list[list[text]]"}
TYPES |= {"c": "record", "c.t": "text", "c.l": "list[text]", "c.items": "text"}
TYPES["cs"] = "list[record]"

ALLOWED = [
    *(
        "plain",
        "{{ q }}",
        "{{ q }}\n",
        "a {{ q -}} \n b",
        "{# note #}{{ q }}",
        "{% raw %}{{ q }}{% endraw %}",
    ),
    *("{% for x in xs %}{{ loop.index }}. {{ x }}{% if not loop.last %}; {% endif %}{% endfor %}",),
    *("{% for x in xs if x != 'a' %}{{ x }}{% else %}none{% endfor %}", "{{ xs[0] }} {{ xs[-1] }}"),
    *(
        "{% for x in xs[1:] %}{{ x }}{% endfor %}",
        "{% for y in yes %}{% for z in y %}{{ z }}{% endfor %}{% endfor %}",
    ),
    *(
        "{% if n > 2 and 'What' in q %}big{% elif n == 0 %}zero{% else %}small{% endif %}",
        "{{ q ~ n }}",
    ),
    *(
        "{{ q | upper }}",
        "{{ xs | join(', ') }}",
        "{{ xs | join }}",
        "{{ xs | length + 1 }}",
        "{{ -n }}",
    ),
    *(
        "{{ 'long' if n > 2 else 'short' }}",
        "{{ q | replace('i', 'o') | trim | title }}",
        "{{ q + '!' }}",
    ),
    *(
        "{{ xs | first }}{{ xs | last }}",
        "{{ xs | sort | join('') }}",
        "{{ n is odd }}",
        "{{ q[:4] }}",
    ),
    *("{% for x in ['u', 'v'] %}{{ x }}{% endfor %}", "{{ (xs + ['c']) | join }}"),
    "{{ c.t | upper }}{% for x in c.l %}{{ x }}{% endfor %}",
    "{% for c in cs %}{{ c.t }}{% endfor %}{{ c.t }}",
]


@pytest.mark.parametrize("template", ALLOWED)
def test_what_is_allowed_renders_as_jinja2_does(template: str) -> None:
    plain = Environment(undefined=StrictUndefined, keep_trailing_newline=True)
    parsed = parse(template)
    assert isinstance(parsed, Parsed)
    assert forbidden(parsed) == ()
    assert misuses(parsed, TYPES) == []
    assert render_template(template, SCOPE) == plain.from_string(template).render(SCOPE)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ xs | reverse | length }}", "3"),
        ("{{ xs | unique | join }}", "ba"),
        ("{{ xs | tojson }}", '["b", "a", "b"]'),
        ("{{ '<é>' | tojson }}", '"<é>"'),
        ("{{ c.items }}", "i"),  # which is a method for Jinja2
        ("{{ c | tojson }}", '{"t": "v", "l": ["p", "q"], "items": "i"}'),
    ],
)
def test_filters_that_are_plainer_than_jinja2s(template: str, text: str) -> None:
    assert render_template(template, SCOPE) == text


@pytest.mark.parametrize(
    ("template", "culprit"),
    [
        *(
            ("{{ q._x }}", "_x"),
            ("{{ q.__class__ }}", "__class__"),
            ("{{ q() }}", "q"),
            ("{{ n * 2 }}", "*"),
        ),
        *(
            ("{{ n ** 2 }}", "**"),
            ("{{ n % 2 }}", "%"),
            ("{{ n / 2 }}", "/"),
            ("{{ n // 2 }}", "//"),
        ),
        *(("{% set y = q %}", "set"), ("{% set y %}x{% endset %}", "set"), ("{{ {'a': 1} }}", "{")),
        *(("{% macro f() %}{% endmacro %}", "macro"), ("{% include 'a' %}", "include")),
        *(("{% import 'a' as b %}", "import"), ("{% from 'a' import b %}", "from")),
        *(("{% extends 'a' %}", "extends"), ("{% block a %}{% endblock %}", "block")),
        *(
            ("{% with a = 1 %}{% endwith %}", "with"),
            ("{% filter upper %}a{% endfilter %}", "filter"),
        ),
        *(
            ("{% call q() %}{% endcall %}", "call"),
            ("{% autoescape true %}{% endautoescape %}", "autoescape"),
        ),
        *(
            ("{{ q | center(9) }}", "center"),
            ("{{ q | attr('x') }}", "attr"),
            ("{{ xs | map('upper') }}", "map"),
        ),
        *(
            ("{{ xs | join(d=', ') }}", "join"),
            ("{{ q | upper(1) }}", "upper"),
            ("{{ q is callable }}", "callable"),
        ),
        *(("{% for a, b in xs %}{% endfor %}", "for"), ("{{ loop.cycle }}", "cycle")),
        *(("{% for x in xs recursive %}{% endfor %}", "for"), ("{{ xs.append('x') }}", "append")),
    ],
)
def test_what_is_refused_and_where(template: str, culprit: str) -> None:
    parsed = parse(template)
    assert isinstance(parsed, Parsed)
    flaws = forbidden(parsed)
    assert culprit in {template[flaw.start : flaw.end] for flaw in flaws}
    with pytest.raises(TemplateError, match=r"not allowed|takes|has no|one variable"):
        render_template(template, SCOPE)


@pytest.mark.parametrize(
    ("template", "culprit"),
    [
        *(("{{ xs }}", "xs"), ("{{ yes[0] }}", "yes"), ("{% for x in q %}{% endfor %}", "q")),
        *(
            ("{% for x in n %}{% endfor %}", "n"),
            ("{{ xs | upper }}", "xs"),
            ("{{ q | join }}", "q"),
        ),
        *(("{{ q - 1 }}", "q"), ("{{ n + q }}", "n"), ("{{ n[0] }}", "n"), ("{{ q['x'] }}", "q")),
        *(
            ("{% for x in xs %}{% for y in x %}{% endfor %}{% endfor %}", "x"),
            ("{{ n | length }}", "n"),
        ),
        *(("{{ q.x }}", "x"), ("{{ c.t.u }}", "u"), ("{{ c }}", "c"), ("{{ c.l }}", "l")),
        *(("{{ c + 1 }}", "c"), ("{% for x in xs %}{{ loop.index.real }}{% endfor %}", "real")),
        *(("{{ xs if n else xs }}", "n"), ("{{ xs | sort }}", "xs"), ("{{ xs[1:] }}", "xs")),
    ],
)
def test_types(template: str, culprit: str) -> None:
    parsed = parse(template)
    assert isinstance(parsed, Parsed)
    (flaw,) = misuses(parsed, TYPES)
    assert template[flaw.start : flaw.end] == culprit


def test_names_from_outside_and_names_of_loops() -> None:
    parsed = parse(
        "{% for x in xs %}{{ x }}{{ loop.index }}{{ q }}{% else %}{{ x }}{% endfor %}\n{{ n }}"
    )
    assert isinstance(parsed, Parsed)
    assert free_names(parsed) == {"xs": 1, "q": 1, "x": 1, "n": 2}
    parsed = parse("{% for x in c.l %}{{ x.y }}{% endfor %}{{ x.y.z }}{{ (x).w }}{{ q[c.n] }}")
    assert isinstance(parsed, Parsed)
    assert list(free_names(parsed)) == ["c.l", "x.y.z", "x.w", "q", "c.n"]


def test_undefined_is_an_error() -> None:
    with pytest.raises(TemplateError, match="'nothing' is undefined"):
        render_template("{{ nothing }}", {})


def test_values_are_data() -> None:
    assert render_template("{{ q }}", {"q": "{{ 7 * 7 }}<b>"}) == "{{ 7 * 7 }}<b>"


def test_output_is_capped() -> None:
    big = {"q": "x" * (MAX_RENDERED // 2), "xs": ["x" * 1000] * 1000}
    assert len(render_template("{{ q }}{{ q }}", big)) == MAX_RENDERED
    for template in ("{{ q }}{{ q }}!", "{{ q | replace('x', 'xxx') }}", "{{ xs | join(q) }}"):
        with pytest.raises(TemplateError, match="more than"):
            render_template(template, big)


def test_loops_are_capped() -> None:
    xs = ["x"] * 100
    triple = (
        "{% for a in xs %}{% for b in xs %}{% for c in xs %}{% endfor %}{% endfor %}{% endfor %}"
    )
    with pytest.raises(TemplateError, match=f"{MAX_STEPS:,} turns"):
        render_template(triple, {"xs": xs})
    with pytest.raises(TemplateError, match="more than 3 loops"):
        render_template("{% for d in xs %}" + triple + "{% endfor %}", {"xs": xs})


IN_LOOPS = "{% for a in xs %}{% for b in xs %}PART{% endfor %}{% endfor %}"
SHARED = (
    "{% for a in [[" + "q," * 999 + "]] %}{% for b in [[" + "a," * 999 + "]] %}"
    "{% for c in [[" + "b," * 999 + "]] %}PART{% endfor %}{% endfor %}{% endfor %}"
)
COSTLY = {
    "quotes in quotes": "{{ q" + " | tojson" * 36 + " }}",
    "joins": IN_LOOPS.replace("PART", "{{ xs | join(q) | length }}"),
    "sums": IN_LOOPS.replace("PART", "{{ (q + q) | length }}"),
    "texts": IN_LOOPS.replace("PART", "{{ (q ~ q) | length }}"),
    "slices": IN_LOOPS.replace("PART", "{{ q[1:] | length }}"),
    "filters": IN_LOOPS.replace("PART", "{{ q | upper | length }}"),
    "searches": IN_LOOPS.replace("PART", "{{ 'z' in q }}"),
    "comparisons": IN_LOOPS.replace("PART", "{{ q == q }}"),
    "long bodies": IN_LOOPS.replace("PART", "{{ [" + "1," * 2500 + "] | length }}"),
    "shared lists, printed": SHARED.replace("PART", "{{ c }}"),
    "shared lists as text": SHARED.replace("PART", "{{ c | string | length }}"),
    "shared lists, compared": SHARED.replace("PART", "{{ c == c + [] }}"),
    "shared lists, sorted": SHARED.replace("PART", "{{ c | sort | length }}"),
}


@pytest.mark.parametrize("name", COSTLY)
def test_work_is_capped(name: str) -> None:
    scope = {"q": "y" * 100_000, "xs": ["x" * 10] * 100, "n": 3}
    tracemalloc.start()
    with pytest.raises(TemplateError, match=r"more than [\d,]+ characters"):
        render_template(COSTLY[name], scope)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100_000_000


def test_a_remainder_is_no_way_to_fill_in_a_text() -> None:
    with pytest.raises(TemplateError, match="need a number"):
        render_template("{{ '%999999999d' is even }}", {})


def test_arms_are_capped() -> None:
    arms = "{% if n == 0 %}a" + "{% elif n == 1 %}b" * 100 + "{% else %}c"
    assert render_template(arms + "{% endif %}", SCOPE) == "c"
    for more in ("{% elif n %}", "{% else %}{% if n %}{% elif q %}{% endif %}"):
        with pytest.raises(TemplateError, match="more than 100 `elif`"):
            render_template(arms.replace("{% else %}c", more) + "{% endif %}", SCOPE)


def test_a_template_writes_whole_characters() -> None:
    assert render_template(r"{{ '\U0001F600' ~ '\x41' }}", SCOPE) == "\U0001f600A"
    for template in (
        r"{{ '\ud83d' ~ '\ude00' }}",
        r"{{ q | replace('i', '\udfff') }}",
        "\ud800{{ q }}",
    ):
        with pytest.raises(TemplateError, match="half of a character"):
            render_template(template, SCOPE)


def test_errors_while_rendering_are_template_errors() -> None:
    for template in ("{{ xs[9] }}", "{{ [] | first }}", "{{ xs + 1 }}", "{{ n"):
        with pytest.raises(TemplateError):
            render_template(template, SCOPE)
