"""A graph written in Python: its shape is checked as a file's is, with paths for places."""

from collections.abc import Callable

import pytest

from sysgraph_schemas import (
    CausalLM,
    Fit,
    Graph,
    GraphError,
    InputNode,
    LMNode,
    LoRA,
    Regex,
    Table,
)


def graph(**parts: object) -> Graph:
    given: dict[str, object] = {
        "name": "g",
        "models": {"m": Table(values=["a"])},
        "nodes": {"q": InputNode(), "a": LMNode(model="m", prompt="{{ q }}")},
        "edges": ["q -> a"],
        "outputs": ["a"],
    }
    return Graph(**{**given, **parts})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("write", "code", "place", "said"),
    [
        (lambda: graph(edges="q -> a"), "SG103", "edges", "must be a list of text, not text"),
        (lambda: graph(edges=("q -> a",)), "SG103", "edges", "not a Python tuple"),
        (lambda: graph(nodse={}), "SG101", "nodse", "did you mean `nodes`?"),
        (lambda: graph(name=" "), "SG105", "name", "must not be empty"),
        (lambda: graph(nodes={"1a": InputNode()}), "SG106", "nodes.1a", "is no name"),
        (lambda: graph(models={"m": "gpt2"}), "SG104", "models.m", "a mapping with a `kind`"),
        (
            lambda: graph(nodes={"d": {"kind": "lm", "model": "m", "prompt": 3}}),
            *("SG103", "nodes.d.prompt", "must be text, not a number"),
        ),
        (lambda: LMNode(model="m"), "SG102", "LMNode", "needs `prompt` or `messages`"),
        (lambda: LMNode(prompt="x"), "SG102", "LMNode.model", "needs the key `model`"),  # type: ignore[call-arg]
        (lambda: CausalLM(id="x", lora=LoRA(r=0)), "SG105", "LoRA.r", "must be 1 or more, not 0"),
        (lambda: Fit(loss="sigmod"), "SG105", "Fit.loss", "did you mean `sigmoid`?"),  # type: ignore[arg-type]
        (lambda: Fit(data="a", rounds=2), "SG107", "Fit.rounds", "give one of them"),
        (lambda: Table(values=["a"], probs=[[2.0]]), "SG108", "Table.probs[0]", "sum to 2"),
        (lambda: Regex(pattern=""), "SG105", "Regex.pattern", "at least 1 character"),
    ],
)
def test_mistakes_are_told_in_our_words(
    write: Callable[[], object], code: str, place: str, said: str
) -> None:
    with pytest.raises(GraphError) as caught:
        write()
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.code, diagnostic.place) == (code, place)
    assert said in str(caught.value)
    assert caught.value.__suppress_context__


def test_all_at_once() -> None:
    with pytest.raises(GraphError) as caught:
        graph(name=3, outputs=[], fit={"beta": -1})
    assert [d.place for d in caught.value.diagnostics] == ["name", "outputs", "fit.beta"]
