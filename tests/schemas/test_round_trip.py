"""YAML -> Graph -> YAML is the identity on the meaning; Python and YAML write the same graphs."""

import copy
import pickle
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sysgraph_schemas import (
    CausalLM,
    ChoiceNode,
    Classifier,
    Diffusion,
    DiffusionNode,
    Fit,
    Graph,
    InputNode,
    Json,
    Lines,
    LMNode,
    Loop,
    LoRA,
    Message,
    ParseNode,
    Regex,
    SelectNode,
    Split,
    Table,
    Tagged,
    ToolNode,
    dump,
    load,
)

ROOT = Path(__file__).parents[2]
GRAPHS = sorted((ROOT / "graphs").glob("*.yaml"))


@pytest.mark.parametrize("path", GRAPHS, ids=lambda path: path.stem)
def test_files_survive(path: Path) -> None:
    graph = load(path)
    again = load(dump(graph))
    assert again == graph
    assert dump(again) == dump(graph)


def test_python_writes_what_yaml_writes() -> None:
    agents: list[str | int | float] = ["ada", "bo", "cy"]

    def toy(name: str) -> CausalLM:
        return CausalLM(id=f"toy:{name}", max_new_tokens=8)

    graph = load(ROOT / "graphs" / "moa.yaml")
    assert graph == Graph(
        name="moa",
        description="Two layers of three proposers, one aggregator (Mixture-of-Agents).",
        models={
            "ada": toy("specialist-color"),
            "bo": toy("specialist-shape"),
            "cy": toy("specialist-size"),
            "judge": toy("aggregator"),
        },
        nodes={
            "question": InputNode(),
            "draft": LMNode(
                for_each={"agent": agents}, model="{{ agent }}", prompt="{{ question }}"
            ),
            "revision": LMNode(
                for_each={"agent": agents},
                model="{{ agent }}",
                prompt="{{ question }}{% for d in draft %} | {{ d }}{% endfor %}",
            ),
            "answer": LMNode(
                model="judge",
                prompt="{{ question }}{% for r in revision %} | {{ r }}{% endfor %}",
            ),
        },
        edges=["question -> draft", "question, draft -> revision", "question, revision -> answer"],
        outputs=["answer"],
        fit=graph.fit,
    )


def test_where_it_was_read_from_is_not_part_of_a_graph() -> None:
    path = GRAPHS[0]
    graph = load(path)
    assert graph == load(path.read_text(encoding="utf-8"))
    assert graph != graph.model_copy(update={"name": "other"})
    assert copy.deepcopy(graph) == graph
    assert pickle.loads(pickle.dumps(graph)) == graph


texts = st.text(max_size=30) | st.sampled_from(
    [
        "1e3",
        "no",
        "null",
        "~",
        "",
        "a: b",
        "- a",
        "# x",
        "two\nlines\n",
        "\n",
        " x ",
        "{{ q }}",
        "*a",
        "${a}",
        "$$${b}$${ {a}",
    ]
)
full = texts.filter(str.strip)
names = st.from_regex(r"\A[A-Za-z_][A-Za-z0-9_]{0,5}\Z")
floats = st.floats(0.001, 100)
items = st.lists(
    texts | st.integers() | st.floats(allow_nan=False, allow_infinity=False), max_size=3
)
for_each = st.none() | st.dictionaries(names, items | texts, min_size=1, max_size=2)
when = st.none() | st.dictionaries(names, texts | st.lists(texts, max_size=2), min_size=1)
stop = st.none() | st.lists(texts.filter(bool), max_size=2)
models = st.builds(
    CausalLM,
    id=full,
    revision=st.none() | texts,
    train=st.sampled_from(["lora", "full", "frozen"]),
    lora=st.builds(
        LoRA, r=st.integers(1, 64), alpha=floats, target_modules=texts | st.lists(texts)
    ),
    temperature=floats,
    stop=stop,
)
models |= st.builds(Table, values=st.lists(texts, min_size=1, max_size=3, unique=True))
models |= st.builds(Classifier, id=full) | st.builds(Diffusion, id=full, guidance_scale=floats)
messages = st.lists(
    st.builds(Message, role=st.sampled_from(["system", "user"]), content=texts),
    min_size=1,
    max_size=2,
)
nodes = st.one_of(
    st.builds(InputNode),
    st.builds(LMNode, model=full, prompt=texts, for_each=for_each),
    st.builds(LMNode, model=full, messages=messages, when=when, stop=stop, top_p=st.just(0.5)),
    st.builds(ParseNode, parser=full, for_each=for_each),
    st.builds(
        ChoiceNode,
        model=full,
        prompt=texts,
        options=st.lists(full, min_size=2, max_size=3, unique=True),
        temperature=st.none() | floats,
    ),
    st.builds(DiffusionNode, model=full, prompt=texts, for_each=for_each, when=when),
    st.builds(SelectNode, when=when),
    st.builds(
        ToolNode,
        tool=full,
        args=st.none() | st.just({"a": "b"}),
        settings=st.none() | st.dictionaries(st.just("c"), texts | floats | st.booleans()),
    ),
)
loops = st.builds(
    Loop,
    repeat=st.integers(1, 9),
    nodes=st.lists(texts, min_size=1, max_size=2),
    carry=st.lists(texts, min_size=1, max_size=2),
)
parsers = st.one_of(
    st.builds(Lines, min_items=st.integers(0, 3)),
    st.builds(Split, separator=full),
    st.builds(Regex, pattern=full, on_failure=st.just("default"), default=texts | st.lists(texts)),
    st.builds(Tagged, tag=st.just("t"), many=st.booleans()),
    st.builds(Json, field=full, on_failure=st.just("reject")),
)
graphs = st.builds(
    Graph,
    name=st.from_regex(r"\A\w([\w .-]{0,20}[\w-])?\Z"),
    description=texts,
    models=st.dictionaries(names, models, max_size=3),
    parsers=st.dictionaries(names, parsers, max_size=3),
    nodes=st.dictionaries(names, nodes, max_size=3),
    edges=st.lists(texts, max_size=3),
    loops=st.dictionaries(names, loops, max_size=2),
    outputs=st.lists(texts, min_size=1, max_size=3),
    fit=st.builds(Fit, beta=floats, seed=st.integers(0, 2**63 - 1), scorer=st.none() | texts),
)


@settings(max_examples=200, deadline=None)
@given(graphs)
def test_any_graph_survives(graph: Graph) -> None:
    assert load(dump(graph)) == graph
