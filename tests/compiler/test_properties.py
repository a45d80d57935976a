"""Whatever the file: a program or diagnostics, never a traceback."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sysgraph_compiler
from sysgraph_schemas import GraphError, dump, load, read, render
from sysgraph_schemas.diagnostics import has_errors

ROOT = Path(__file__).parents[2]
SEEDS = [
    path.read_bytes().decode("utf-8", "replace")
    for path in sorted([*ROOT.glob("graphs/*.yaml"), *ROOT.glob("tests/golden/SG[0-6]*.yaml")])
]
JUNK = [
    "{{",
    "}}",
    "{%",
    "%}",
    "&a ",
    "*a ",
    "<<: ",
    "!!x ",
    "---\n",
    "\t",
    "'",
    '"',
    "\\",
    "#",
    "-",
]
JUNK += [
    "- ",
    ": ",
    "[",
    "]",
    "{",
    "}",
    "\n",
    "\r\n",
    "|",
    ">",
    "~",
    "1e400",
    ".nan",
    "\u2028",
    "é",
]
JUNK += [
    "\x00",
    "\ufeff",
    "%YAML 1.1\n",
    "0x",
    "? ",
    "*",
    " and ",
    "loop",
    "9" * 30,
    "->",
    ",",
    "(",
]


def examine(text: str) -> None:
    """Everything a user can do with the text before it runs."""
    reading = read(text + "\n")
    rendered = [render(reading.diagnostics, format) for format in ("text", "json", "github")]
    assert all(isinstance(one, str) for one in rendered)
    json.loads(rendered[1])
    if reading.graph is None:
        assert has_errors(reading.diagnostics)
        return
    found = sysgraph_compiler.check(reading.graph)
    render(found, "text", color=True)
    if has_errors(found) or reading.diagnostics:
        with pytest.raises(GraphError):
            sysgraph_compiler.compile(reading.graph)
        return
    program = sysgraph_compiler.compile(reading.graph)
    assert sysgraph_compiler.Program.from_json(program.to_json()) == program
    assert load(dump(reading.graph)) == reading.graph
    assert str(program)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    text = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 12)))
        put = draw(st.one_of(st.sampled_from(JUNK), st.text(max_size=3), st.just("")))
        text = text[:start] + put + text[end:]
    return text


@settings(max_examples=400, deadline=None)
@given(mutated())
def test_mutated_files(text: str) -> None:
    examine(text)


names = st.sampled_from(["a", "b", "c", "question", "ada", "loop", "x y", "", "1", "for_each"])
templates = st.sampled_from(
    [
        *(
            "{{ a }}",
            "{{ b }} {{ c }}",
            "{% for x in b %}{{ x }}{% endfor %}",
            "{{ b | join(', ') }}",
        ),
        *(
            "{{ a",
            "{{ a.b }}",
            "{{ a * 9 }}",
            "{{ nothing }}",
            "",
            "text",
            "{{ loop.index }}",
            "{{ a[0] }}",
        ),
        *(
            "{% if a %}{{ b }}{% else %}{{ c }}{% endif %}",
            "{{ k }}",
            "{{ a + 1 }}",
            "{{ b | length }}",
        ),
    ]
)
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 10**20), st.floats(), st.text(max_size=4), templates
)
junk = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)


def maybe(good: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    """Mostly what belongs there, sometimes anything."""
    return st.integers(0, 19).flatmap(lambda n: junk if n == 0 else good)


items = st.lists(st.sampled_from(["ada", "b", 1, 2.5, "1", "x,y"]), max_size=3)
for_each = st.one_of(
    st.none(), st.dictionaries(st.sampled_from(["k", "i", "a"]), items, max_size=2)
)
models = st.fixed_dictionaries(
    {"kind": maybe(st.just("causal_lm")), "id": maybe(st.just("gpt2"))},
    optional={"train": maybe(st.sampled_from(["lora", "frozen", "full"])), "lora": junk},
)
tables = st.fixed_dictionaries(
    {"kind": st.just("table"), "values": maybe(st.just(["x", "y"]))},
    optional={"probs": maybe(st.just([[0.5, 0.5]])), "contexts": junk},
)
parsers = st.fixed_dictionaries(
    {"kind": maybe(st.sampled_from(["split", "lines", "regex", "tagged", "json"]))},
    optional={
        "on_failure": maybe(st.sampled_from(["reject", "default"])),
        "pattern": maybe(st.sampled_from(["(", "a", "(?i)[a-z]"])),
        "default": junk,
        "tag": maybe(st.just("t")),
        "field": maybe(st.just("f")),
        "min_items": maybe(st.just(1)),
        "many": maybe(st.booleans()),
    },
)
nodes = st.one_of(
    st.just({"kind": "input"}),
    st.fixed_dictionaries(
        {"kind": maybe(st.just("lm")), "model": maybe(st.sampled_from(["ada", "b", "{{ k }}"]))},
        optional={"prompt": maybe(templates), "for_each": maybe(for_each), "messages": junk},
    ),
    st.fixed_dictionaries(
        {"kind": st.just("parse"), "parser": maybe(names)}, optional={"for_each": maybe(for_each)}
    ),
)
edges = st.lists(
    maybe(
        st.sampled_from(["a -> b", "a, b -> c", "b -> a", "b -> c", "c -> b", "a -> c", "x", "->"])
    ),
    max_size=4,
)
graphs = st.fixed_dictionaries(
    {
        "name": maybe(st.just("g")),
        "models": maybe(st.dictionaries(names, models | tables, max_size=2)),
        "nodes": maybe(st.dictionaries(names, maybe(nodes), max_size=4)),
        "edges": maybe(edges),
        "outputs": maybe(st.lists(names, max_size=2)),
    },
    optional={"parsers": maybe(st.dictionaries(names, parsers, max_size=2)), "fit": junk},
)


@settings(max_examples=400, deadline=None)
@given(graphs)
def test_generated_graphs(data: dict[str, object]) -> None:
    text = json.dumps(data, indent=1).replace("NaN", ".nan").replace("Infinity", ".inf")
    examine(text)
