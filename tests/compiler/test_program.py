"""Graph to program: expansion, parents, scopes, terms."""

import json
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sysgraph_compiler
from sysgraph_compiler import IR_VERSION, IRVersionError, Program
from sysgraph_schemas import Graph, InputNode, Lines, LMNode, ParseNode, Table, load

ROOT = Path(__file__).parents[2]
AGENTS = ("ada", "bo", "cy")
COIN = Table(values=["heads", "tails"])


def compiled(name: str, *overrides: str) -> Program:
    return sysgraph_compiler.compile(load(ROOT / "graphs" / f"{name}.yaml", overrides))


def test_moa() -> None:
    program = compiled("moa")
    by_name = {variable.name: variable for variable in program.variables}
    drafts = tuple(f"draft[{agent}]" for agent in AGENTS)
    revisions = tuple(f"revision[{agent}]" for agent in AGENTS)
    assert tuple(by_name) == ("question", *drafts, *revisions, "answer")
    assert program.groups == {"draft": drafts, "revision": revisions}
    assert program.outputs == ("answer",)
    revision = by_name["revision[bo]"]
    assert revision.parents == ("question", *drafts)
    assert revision.scope == {"question": "question", "draft": drafts}
    assert revision.bindings == {"agent": "bo"}
    assert [(term.variable, term.model, term.status) for term in program.terms] == [
        *((f"draft[{agent}]", agent, "trained") for agent in AGENTS),
        *((f"revision[{agent}]", agent, "trained") for agent in AGENTS),
        ("answer", "judge", "trained"),
    ]


def test_status_follows_the_model_and_fit_train() -> None:
    def statuses(*overrides: str) -> list[str]:
        return [term.status for term in compiled("two_stage", *overrides).terms]

    assert statuses() == ["trained", "trained"]
    assert statuses("models.psi1.train=frozen") == ["frozen", "trained"]
    assert statuses("fit.train=[psi1]") == ["trained", "frozen"]


def graph(nodes: dict[str, object], edges: list[str], outputs: list[str]) -> Graph:
    return Graph.model_validate(
        {"name": "g", "models": {"m": COIN}, "parsers": {"lines": Lines()}, "nodes": nodes}
        | {"edges": edges, "outputs": outputs}
    )


def lm(prompt: str, **each: list[str | int | float]) -> LMNode:
    return LMNode(model="m", prompt=prompt, for_each=dict(each) or None)


def test_several_keys_give_the_cross_product_in_order() -> None:
    node = lm("{{ q }} {{ a }} {{ n }}", a=["x", "y"], n=[1, 2.5])
    program = sysgraph_compiler.compile(graph({"q": InputNode(), "d": node}, ["q -> d"], ["d"]))
    assert program.groups["d"] == ("d[x,1]", "d[x,2.5]", "d[y,1]", "d[y,2.5]")
    assert program.outputs == program.groups["d"]
    assert [v.bindings for v in program.variables[1:]] == [
        {"a": a, "n": n} for a, n in product(["x", "y"], [1, 2.5])
    ]


def test_parse_nodes_pair_with_their_parents_copies() -> None:
    each: dict[str, list[str | int | float]] = {"i": [1, 2]}
    program = sysgraph_compiler.compile(
        graph(
            {
                "q": InputNode(),
                "d": lm("{{ q }}", **each),
                "items": ParseNode(parser="lines", for_each=each),
                "a": lm(
                    "{% for part in items %}{% for x in part %}{{ x }}{% endfor %}{% endfor %}"
                ),
            },
            ["q -> d", "d -> items", "items -> a"],
            ["a"],
        )
    )
    by_name = {variable.name: variable for variable in program.variables}
    assert by_name["items[2]"].parents == ("d[2]",)
    assert by_name["items[2]"].type == "list[text]"
    assert by_name["items[2]"].scope == {}
    assert by_name["a"].scope == {"items": ("items[1]", "items[2]")}
    status = {term.variable: (term.model, term.status) for term in program.terms}
    assert status["items[1]"] == (None, "deterministic")
    assert "q" not in status


@st.composite
def dags(draw: st.DrawFn) -> Graph:
    """Random graphs whose file order is not a topological order."""
    names = draw(st.permutations([f"n{i}" for i in range(draw(st.integers(1, 7)))]))
    order = draw(st.permutations(names))
    edges, nodes = [], {}
    for position, name in enumerate(order):
        parents = draw(st.lists(st.sampled_from(order[:position]), unique=True)) if position else []
        each = draw(st.sampled_from([None, {"k": [1, 2]}])) if position else None
        edges += [f"{', '.join(parents)} -> {name}"] if parents else []
        prompt = "".join(f"{{{{ {parent} | length }}}}" for parent in parents)
        nodes[name] = LMNode(model="m", prompt=prompt, for_each=each) if position else InputNode()
    return (
        graph({name: nodes[name] for name in names}, edges, [order[-1]])
        if len(order) > 1
        else graph({"q": InputNode(), "a": lm("{{ q }}")}, ["q -> a"], ["a"])
    )


@settings(max_examples=100, deadline=None)
@given(dags())
def test_the_factorization_is_the_chain_rule(source: Graph) -> None:
    """Every copy once, after its parents, with all copies of every parent: brute force."""
    program = sysgraph_compiler.compile(source)
    copies = {
        name: [name] if not node.copies else [f"{name}[1]", f"{name}[2]"]
        for name, node in source.nodes.items()
    }
    parents: dict[str, set[str]] = {name: set() for name in source.nodes}
    for edge in source.edges:
        left, right = edge.split(" -> ")
        parents[right] |= {copy for parent in left.split(", ") for copy in copies[parent]}
    seen: set[str] = set()
    for variable in program.variables:
        assert set(variable.parents) == parents[variable.node]
        assert set(variable.parents) <= seen
        seen.add(variable.name)
    assert seen == {copy for group in copies.values() for copy in group}
    generated = [v.name for v in program.variables if v.kind != "input"]
    assert [term.variable for term in program.terms] == generated
    assert Program.from_json(program.to_json()) == program


def test_ties_keep_the_order_of_the_file() -> None:
    names = ["z", "m", "a"]
    nodes: dict[str, object] = {name: lm("{{ q }}") for name in names} | {"q": InputNode()}
    program = sysgraph_compiler.compile(graph(nodes, ["q -> a, m, z"], names))
    assert [variable.name for variable in program.variables] == ["q", *names]


def test_another_version_of_the_ir_is_refused_in_words() -> None:
    data = json.loads(compiled("moa").to_json())
    data["ir_version"] = IR_VERSION + 1
    with pytest.raises(IRVersionError, match=r"ir_version 2.*compile the graph file again"):
        Program.from_json(json.dumps(data))
    with pytest.raises(ValueError, match="nodes"):
        Program.from_json('{"nodes": []}')


def test_text_names_every_variable_and_model_once_per_role() -> None:
    text = str(compiled("moa", "models.bo.train=frozen"))
    assert text == str(compiled("moa", "models.bo.train=frozen"))
    assert "log p_judge(answer | question, revision[*])" in text
    assert "bo: causal_lm toy:specialist-shape (frozen, cancels; 2 terms)" in text
    assert all(line == line.rstrip() for line in text.splitlines())
    assert "over 5 trained terms" in text


def test_ten_thousand_nodes() -> None:
    """A chain written out node by node: seconds and linear memory, see benchmarks/."""
    count = 10_000
    nodes: dict[str, object] = {"n0": InputNode()}
    nodes |= {f"n{i}": lm(f"{{{{ n{i - 1} }}}}") for i in range(1, count)}
    edges = [f"n{i - 1} -> n{i}" for i in range(1, count)]
    program = sysgraph_compiler.compile(graph(nodes, edges, [f"n{count - 1}"]))
    assert len(program.terms) == count - 1
    order = [variable.name for variable in program.variables]
    assert order == [f"n{i}" for i in range(count)]
