"""Whatever the file: a program or diagnostics, never a traceback."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sysgraph_compiler
from sysgraph_schemas import Graph, GraphError, dump, load, read, render
from sysgraph_schemas.diagnostics import has_errors

from .random_systems import systems

ROOT = Path(__file__).parents[2]
SEEDS = [
    path.read_bytes().decode("utf-8", "replace")
    for path in sorted([*ROOT.glob("graphs/*.yaml"), *ROOT.glob("tests/golden/SG[0-69]*.yaml")])
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
    if has_errors((*reading.diagnostics, *found)):
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


names = st.sampled_from(["a", "b", "c", "d", "q", "ada", "loop", "round", "x y", "", "1"])
templates = st.sampled_from(
    [
        *("{{ a }}", "{{ b }} {{ c }}", "{{ b | join(', ') }}", "{{ k }}", "{{ e }} {{ round }}"),
        *("{{ a", "{{ a.b }}", "{{ a * 9 }}", "{{ nothing }}", "", "text", "{{ loop.index }}"),
        *("{% for x in b %}{{ x }}{% endfor %}", "{% if a %}{{ b }}{% else %}{{ c }}{% endif %}"),
        *("{{ a[0] }}", "{{ a + 1 }}", "{{ b | length }}", "{{ q }} {{ d }}", "{{ a | string }}"),
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
    return st.integers(0, 39).flatmap(lambda n: junk if n == 0 else good)


def one_of(*values: object) -> st.SearchStrategy[object]:
    return maybe(st.sampled_from(values))


items = st.lists(st.sampled_from(["ada", "x", "b", 1, 2.5, "1", "x,y"]), max_size=3)
for_each = st.dictionaries(
    st.sampled_from(["k", "e", "a", "round"]), items | st.sampled_from(["b", "c", "d"]), max_size=2
)
when = st.dictionaries(
    st.sampled_from(["a", "b", "c"]),
    one_of("x", "y", "z", "{{ k }}", ["x", "y"], [], ["y", "{{ e }}"]),
    min_size=1,
    max_size=2,
)
copied = {"for_each": maybe(for_each), "when": maybe(when)}
checkpoints = st.fixed_dictionaries(
    {"kind": one_of("causal_lm", "classifier", "diffusion"), "id": maybe(st.just("gpt2"))},
    optional={"train": one_of("lora", "frozen", "full"), "lora": junk},
)
tables = st.fixed_dictionaries(
    {"kind": st.just("table"), "values": maybe(st.just(["x", "y"]))},
    optional={"probs": maybe(st.just([[0.5, 0.5]])), "contexts": junk},
)
parsers = st.fixed_dictionaries(
    {"kind": one_of("split", "lines", "regex", "tagged", "json")},
    optional={
        "on_failure": one_of("reject", "default"),
        "pattern": one_of("(", "a", "(?i)[a-z]"),
        "default": junk,
        "tag": maybe(st.just("t")),
        "field": maybe(st.just("f")),
        "min_items": maybe(st.just(1)),
        "max_items": one_of(1, 2, 3),
        "many": maybe(st.booleans()),
    },
)
prompted = {"model": one_of("ada", "b", "{{ k }}", "{{ round }}"), "prompt": maybe(templates)}
nodes = st.one_of(
    st.just({"kind": "input"}),
    st.fixed_dictionaries({"kind": maybe(st.just("lm")), **prompted}, optional=copied),
    st.fixed_dictionaries(
        {"kind": st.just("lm"), "model": st.just("ada"), "messages": junk}, optional=copied
    ),
    st.fixed_dictionaries(
        {"kind": st.just("choice"), **prompted, "options": one_of(["x", "y"], ["x", "y", "z"])},
        optional=copied,
    ),
    st.fixed_dictionaries({"kind": st.just("diffusion"), **prompted}, optional=copied),
    st.fixed_dictionaries({"kind": st.just("parse"), "parser": maybe(names)}, optional=copied),
    st.fixed_dictionaries({"kind": st.just("select")}, optional=copied),
    st.fixed_dictionaries(
        {"kind": st.just("tool"), "tool": one_of("calculate", "vote", "nothing")},
        optional={
            **copied,
            "args": maybe(st.dictionaries(st.just("x"), names, max_size=1)),
            "settings": maybe(st.dictionaries(st.sampled_from(["x", "y"]), scalars, max_size=1)),
            "returns": one_of("text", "list"),
            "on_failure": one_of("reject", "default"),
            "default": junk,
        },
    ),
)
pairs = st.sampled_from(
    [
        *("a -> b", "a, b -> c", "b -> a", "b -> c", "c -> b", "a -> c", "q -> a", "q -> b, c, d"),
        *("a -> d", "b, c -> d", "d -> c", "a -> a", "x", "->"),
    ]
)
loops = st.fixed_dictionaries(
    {
        "repeat": one_of(1, 2, 3),
        "nodes": maybe(st.lists(st.sampled_from(["a", "b", "c", "d", "q"]), max_size=3)),
        "carry": maybe(st.lists(pairs, max_size=2)),
    }
)
graphs = st.fixed_dictionaries(
    {
        "name": maybe(st.just("g")),
        "models": maybe(st.dictionaries(names, checkpoints | tables, max_size=2)),
        "nodes": maybe(st.dictionaries(names, maybe(nodes), max_size=5)),
        "edges": maybe(st.lists(maybe(pairs), max_size=5)),
        "outputs": maybe(st.lists(names, max_size=2)),
    },
    optional={
        "parsers": maybe(st.dictionaries(names, parsers, max_size=2)),
        "loops": maybe(st.dictionaries(names, loops, max_size=2)),
        "fit": junk,
    },
)


@settings(max_examples=400, deadline=None)
@given(graphs)
def test_generated_graphs(data: dict[str, object]) -> None:
    examine(as_yaml(data))


def as_yaml(data: object) -> str:
    return json.dumps(data, indent=1).replace("NaN", ".nan").replace("Infinity", ".inf")


@settings(max_examples=150, deadline=None)
@given(systems())
def test_systems(data: dict[str, object]) -> None:
    examine(as_yaml(data))
    graph = Graph.model_validate(data)  # as Python code writes it: no places
    found = {(d.code, d.path) for d in sysgraph_compiler.check(graph)}
    assert found == {(d.code, d.path) for d in sysgraph_compiler.check(load(dump(graph)))}
