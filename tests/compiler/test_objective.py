"""What the passes say of the objective, against enumeration of every value."""

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sysgraph_compiler
from sysgraph_compiler import Observation, Program, Term
from sysgraph_schemas import Graph, GraphError, InputNode, Lines, LMNode, ParseNode, Table, load

from .test_program import ROOT

MOA = ROOT / "graphs" / "moa.yaml"
COIN = Table(values=["heads", "tails"])
FROZEN = Table(values=["heads", "tails"], train="frozen")

Values = Mapping[str, bool]


def moa(observation: Observation, *overrides: str) -> Program:
    return sysgraph_compiler.compile(load(MOA, overrides), observation)


@st.composite
def systems(draw: st.DrawFn) -> tuple[Graph, Observation]:
    """A DAG of trained and frozen coins, and some of them observed: the sink always."""
    count = draw(st.integers(1, 6))
    names = [f"n{i}" for i in range(count)]
    nodes: dict[str, object] = {"x": InputNode()}
    edges = []
    for i, name in enumerate(names):
        parents = draw(st.lists(st.sampled_from(["x", *names[:i]]), unique=True, min_size=1))
        model = draw(st.sampled_from(["coin", "frozen"]))
        nodes[name] = LMNode(model=model, prompt="".join(f"{{{{ {p} }}}}" for p in parents))
        edges.append(f"{', '.join(parents)} -> {name}")
    graph = Graph.model_validate(
        {"name": "g", "models": {"coin": COIN, "frozen": FROZEN}, "nodes": nodes}
        | {"edges": edges, "outputs": [names[-1]]}
    )
    observed = draw(st.lists(st.sampled_from(names), unique=True))
    return graph, Observation((*observed, names[-1]))


def log_prob(program: Program, term: Term, values: Values, reference: bool) -> float:
    """A term of a system whose every probability is drawn by lot; frozen ones are the reference."""
    variable = next(v for v in program.variables if v.name == term.variable)
    side = reference and term.status == "trained"
    lot = random.Random(repr((term.variable, [values[p] for p in variable.parents], side)))
    p = lot.uniform(0.1, 0.9)
    return math.log(p if values[term.variable] else 1 - p)


def assignments(names: Sequence[str], fixed: Values) -> Iterator[Values]:
    for bits in product([False, True], repeat=len(names)):
        yield {**fixed, **dict(zip(names, bits, strict=True))}


def log_sum(terms: Sequence[float]) -> float:
    top = max(terms)
    return top + math.log(sum(math.exp(t - top) for t in terms))


def enumerated(program: Program, data: Values, reference: bool) -> float:
    """Log p(observed | x), summed over everything that is not observed."""
    names = [t.variable for t in program.terms if t.variable not in data]
    return log_sum(
        [
            sum(log_prob(program, t, values, reference) for t in program.terms)
            for values in assignments(names, data)
        ]
    )


def compiled(program: Program, data: Values, reference: bool) -> float:
    """The same as the program says: without what cancels, the sum over what is inside it."""
    kept = [t for t in program.terms if not t.cancels]
    inside = [t for t in kept if t.summed]
    total = sum(log_prob(program, t, data, reference) for t in kept if not t.summed)
    if not inside:
        return total
    latent = program.objective.latent
    return total + log_sum(
        [
            sum(log_prob(program, t, values, reference) for t in inside)
            for values in assignments(latent, data)
        ]
    )


@settings(max_examples=300, deadline=None)
@given(systems(), st.integers(0, 2**32))
def test_what_is_left_out_changes_no_margin(system: tuple[Graph, Observation], seed: int) -> None:
    program = sysgraph_compiler.compile(*system)
    lot = random.Random(seed)
    sides = [
        {"x": True, **{name: lot.random() < 0.5 for name in program.objective.observed}}
        for _ in range(2)
    ]

    def margin(how: object) -> float:
        assert callable(how)
        chosen, rejected = (how(program, s, False) - how(program, s, True) for s in sides)
        return float(chosen - rejected)

    assert margin(compiled) == pytest.approx(margin(enumerated), abs=1e-9)


def test_everything_observed_is_direct() -> None:
    program = moa(Observation(), "models.bo.train=frozen")
    assert (program.objective.method, program.objective.latent) == ("direct", ())
    when = {t.variable: (t.cancels, t.policy, t.reference) for t in program.terms}
    assert when["draft[bo]"] == (True, "never", "never")
    assert when["draft[ada]"] == (False, "every step", "once")
    assert [t.variable for t in program.terms if t.same_prompt] == [
        *("draft[ada]", "draft[bo]", "draft[cy]")
    ]


def test_the_method_alone_leaves_the_outputs() -> None:
    assert moa(Observation(None, "sampling")) == moa(Observation(("answer",)))
    assert moa(Observation(None, "direct")) == moa(Observation())
    assert moa(Observation(("draft", "revision", "answer"))).plan == moa(Observation()).plan


def test_frozen_factors_stay_in_the_sum() -> None:
    program = moa(Observation(("answer",)), "models.bo.train=frozen")
    when = {t.variable: (t.summed, t.cancels, t.policy, t.reference) for t in program.terms}
    assert when["draft[bo]"] == (True, False, "once", "never")
    assert when["answer"] == (True, False, "every step", "once")


def test_copies_can_be_observed_one_by_one() -> None:
    program = moa(Observation.of("draft, answer,revision[ada]"))
    assert program.objective.latent == ("revision[bo]", "revision[cy]")
    assert [t.variable for t in program.terms if not t.summed] == [
        *("draft[ada]", "draft[bo]", "draft[cy]", "revision[ada]")
    ]


def parsed(outputs: list[str]) -> Graph:
    return Graph(
        name="g",
        models={"m": COIN},
        parsers={"lines": Lines()},
        nodes={
            "q": InputNode(),
            "given": ParseNode(parser="lines"),
            "draft": LMNode(model="m", prompt="{{ given | join }}"),
            "items": ParseNode(parser="lines"),
            "answer": LMNode(model="m", prompt="{{ items | join }}"),
            "last": ParseNode(parser="lines"),
        },
        edges=[
            *("q -> given", "given -> draft", "draft -> items", "items -> answer", "answer -> last")
        ],
        outputs=outputs,
    )


def test_parsed_values_follow_their_text() -> None:
    program = sysgraph_compiler.compile(parsed(["answer", "last"]), Observation(("answer",)))
    assert program.objective.observed == ("given", "answer", "last")
    assert program.objective.latent == ("draft",)
    terms = {t.variable: t for t in program.terms}
    assert terms["answer"].summed  # it sees what is read from an unobserved text
    assert terms["draft"].same_prompt
    assert not terms["answer"].same_prompt


def test_a_parsed_output_is_observed_by_its_text() -> None:
    program = sysgraph_compiler.compile(parsed(["last"]), Observation(None, "sampling"))
    assert program.objective.latent == ("draft",)


@pytest.mark.parametrize("text", ["", ",", "draft[", "draft]", "[", "answer,[a,b]", "draft[ada,1]"])
def test_any_text_is_names_or_diagnostics(text: str) -> None:
    with pytest.raises(GraphError, match="SG801"):
        moa(Observation.of(text, "direct"))


def test_models_of_one_base_share_the_reference_call() -> None:
    shared = ["models.bo.id=toy:specialist-color", "models.cy.train=frozen"]
    program = moa(Observation(), *shared)
    calls = {(call.side, call.models): call.terms for call in program.calls}
    assert calls["policy", ("ada",)] == ("draft[ada]", "revision[ada]")
    assert ("policy", ("bo",)) in calls
    assert calls["reference", ("ada", "bo")] == (
        *("draft[ada]", "revision[ada]", "draft[bo]", "revision[bo]"),
    )
    assert not any("cy" in call.models for call in program.calls)
    assert [r.models for r in program.residents] == [("ada", "bo"), ("cy",), ("judge",)]
    apart = moa(Observation(), *shared, "models.bo.dtype=bfloat16")
    assert ("reference", ("ada",)) in {(call.side, call.models) for call in apart.calls}
