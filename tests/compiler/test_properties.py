"""Whatever the file: a program or diagnostics, never a traceback."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sysgraph_compiler
from sysgraph_schemas import Graph, GraphError, dump, load, read, render
from sysgraph_schemas.diagnostics import has_errors

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


LM = {"kind": "lm", "model": "m", "prompt": "{{ q }}"}
VALID = {
    "sysgraph": 1,
    "name": "g",
    "models": {
        "m": {"kind": "table", "values": ["x", "y", "z"]},
        "p": {"kind": "diffusion", "id": "p"},
    },
    "parsers": {
        "few": {"kind": "lines", "min_items": 1, "max_items": 3, "on_failure": "reject"},
        "any": {"kind": "lines", "max_items": 2, "on_failure": "reject"},
        "word": {"kind": "word", "options": ["x", "y"], "on_failure": "reject"},
        "one": {"kind": "word", "options": ["x"], "on_failure": "abstain"},
        "record": {
            "kind": "json",
            "fields": {
                "r": {"options": ["x", "z"]},
                "t": "text",
                "l": {"type": "list", "max_items": 2},
            },
            "on_failure": "reject",
        },
    },
}


def is_text(nodes: dict[str, dict[str, object]], name: str) -> bool:
    """Whether a parse node may read it."""
    return nodes.get(name, {}).get("kind") in ("lm", "input")


@st.composite
def systems(draw: st.DrawFn) -> dict[str, object]:
    """Graphs of all kinds of nodes that are mostly in order, each node reading some before it."""
    kinds = ["lm", "choice", "diffusion", "parse", "tool", "select", "element", "copied"]
    kinds += ["word", "record"]
    routers: list[str] = []
    nodes: dict[str, dict[str, object]] = {"q": {"kind": "input"}}
    types, edges, loops = {"q": "text"}, [], {}
    for index in range(draw(st.integers(1, 7))):
        name, kind = f"n{index}", draw(st.sampled_from(kinds))
        texts = [n for n, type in types.items() if type == "text"]
        lists = [n for n, type in types.items() if type == "list"]
        read = draw(st.lists(st.sampled_from(texts), min_size=1, max_size=2, unique=True))
        prompt = " ".join(f"{{{{ {parent} }}}}" for parent in read)
        node: dict[str, object] = {"kind": "lm", "model": "m", "prompt": prompt}
        types[name] = "text"
        if kind == "choice":
            node |= {"kind": "choice", "options": draw(st.sampled_from([["x", "y"], ["z", "x"]]))}
        elif kind == "diffusion":
            node |= {"kind": "diffusion", "model": "p"}
            types[name] = "image"
        elif kind == "word" and is_text(nodes, read[0]):
            node, read = (
                {"kind": "parse", "parser": draw(st.sampled_from(["word", "one"]))},
                read[:1],
            )
        elif kind == "record" and is_text(nodes, read[0]):
            node, read = {"kind": "parse", "parser": "record"}, read[:1]
            types |= {name: "record", f"{name}.t": "text", f"{name}.l": "list"}
            routers.append(f"{name}.r")
        elif kind == "parse" and is_text(nodes, read[0]):
            node = {"kind": "parse", "parser": draw(st.sampled_from(["few", "any"]))}
            types[name], read = "list", read[:1]
        elif kind == "tool":
            node = {"kind": "tool", "tool": "calculate", "args": {"expression": read[0]}}
        elif kind == "select":
            node = {"kind": "select"}
        elif kind == "element" and lists:
            source = draw(st.sampled_from(lists))
            node |= {"for_each": {"e": source}, "prompt": prompt + " {{ e }}"}
            types[name], read = "group", [*read, source]
        elif kind == "copied":
            node |= {"for_each": {"k": draw(st.sampled_from([["x", "y"], [1, 2, 3]]))}}
            types[name] = "group"
        if routers and draw(st.booleans()):
            gate = draw(st.sampled_from(routers))
            node["when"] = {gate: draw(st.sampled_from(["x", "y", ["x", "z"], "{{ k }}"]))}
            # A field is a parent by itself, or with its record.
            whole = gate.partition(".")[0] if draw(st.booleans()) else gate
            read = list(dict.fromkeys([*read, whole]))
        if node.get("prompt") and types[name] == "text" and draw(st.integers(0, 3)) == 0:
            node["prompt"] = f"{node['prompt']} {{{{ {name} }}}} {{{{ round }}}}"
            carry = [f"{name} -> {name}"]
            loops[f"l{index}"] = {
                "repeat": draw(st.integers(1, 3)),
                "nodes": [name],
                "carry": carry,
            }
        nodes[name] = node
        if node["kind"] == "choice" or node.get("parser") in ("word", "one"):
            routers.append(name)
        edges.append(f"{', '.join(read)} -> {name}")
    generated = [n for n in nodes if n != "q"]
    outputs = draw(st.lists(st.sampled_from(generated), min_size=1, max_size=3, unique=True))
    return {**VALID, "nodes": nodes, "edges": edges, "loops": loops, "outputs": outputs}


@settings(max_examples=150, deadline=None)
@given(systems())
def test_systems(data: dict[str, object]) -> None:
    examine(as_yaml(data))
    graph = Graph.model_validate(data)  # as Python code writes it: no places
    found = {(d.code, d.path) for d in sysgraph_compiler.check(graph)}
    assert found == {(d.code, d.path) for d in sysgraph_compiler.check(load(dump(graph)))}
