"""What a pattern of observation needs, said by hand for a routed graph."""

from collections.abc import Mapping
from typing import Any

import pytest

import sysgraph_compiler
from sysgraph import load_pairs
from sysgraph.latent import find_gaps
from sysgraph.traces.course import complete
from sysgraph.traces.trace import Completion, Trace
from sysgraph.training.needs import needs
from sysgraph_compiler import Observation, Program
from sysgraph_compiler.facts import Facts
from sysgraph_compiler.pipeline import PASSES
from sysgraph_compiler.planning import Given, Pattern, Plan, Seen, implied, lack, plan
from sysgraph_schemas import load

ROUTED = """
sysgraph: 1
name: routed
models:
  pilot: {kind: table, values: [a, b], train: frozen}
  m: {kind: table, values: [u, w]}
nodes:
  x: {kind: input}
  notes: {kind: lm, model: m, prompt: "{{ x }}"}
  route: {kind: choice, model: pilot, prompt: "{{ x }}", options: [a, b]}
  a: {kind: lm, model: m, prompt: "{{ x }}", when: {route: a}}
  b: {kind: lm, model: m, prompt: "{{ notes }}", when: {route: b}}
  answer: {kind: select}
  last: {kind: lm, model: m, prompt: "{{ answer }}"}
edges: ["x -> notes, route, a", "notes -> b", "route -> a, b", "a, b -> answer", "answer -> last"]
outputs: [answer, last]
"""
EVERYTHING = {"notes": "u", "route": "a", "a": "w", "answer": "w", "last": "u"}


def compiled(observed: list[str] | None = None, text: str = ROUTED) -> Program:
    return sysgraph_compiler.compile(load(text, [f"fit.observed={observed}"] if observed else []))


def pair_plan(program: Program, *sides: Mapping[str, Any]) -> Plan | None:
    """The plan that a pair of these values is trained by."""
    computed = program.deterministic
    traces = [
        Trace(
            {"x": "q"},
            {n: v if n in computed else Completion(v) for n, v in side.items()},
            program.outputs,
        )
        for side in sides
    ]
    one, other = (complete(program, trace) for trace in traces)
    gaps = find_gaps(program, one, other)
    return None if gaps is None else gaps.plan


def without(*names: str) -> dict[str, str]:
    return {name: value for name, value in EVERYTHING.items() if name not in names}


@pytest.mark.parametrize(
    ("fit", "cancels", "anchored"),
    [
        ("{anchor: 0}", True, False),
        ("{anchor: 1}", True, True),
        ("{loss: ipo, anchor: 0}", False, False),
        ("{loss: sft, anchor: 0}", True, True),
        ("{loss: sft, anchor: 0, credit: node}", False, True),
    ],
)
def test_a_whole_pair_lacks_nothing(fit: str, cancels: bool, anchored: bool) -> None:
    program = sysgraph_compiler.compile(load(f"{ROUTED}fit: {fit}"))
    assert pair_plan(program, EVERYTHING, EVERYTHING) is None
    trained = {"notes", "a", "b", "last"}  # the pilot is frozen
    assert program.plan.compared == trained
    assert program.plan.cancelling == (trained if cancels else set())
    assert program.plan.anchored == (trained if anchored else set())
    assert {v for call in program.plan.calls for v in call.terms} == trained


def test_what_sides_agree_on_is_left_out_unless_it_is_anchored() -> None:
    pair = {"inputs": {"x": "q"}, "chosen": EVERYTHING, "rejected": {**EVERYTHING, "last": "w"}}
    for fit, scored in [("{anchor: 0}", {"last"}), ("{anchor: 1}", {"notes", "a", "last"})]:
        program = sysgraph_compiler.compile(load(f"{ROUTED}fit: {fit}"))
        found = needs(program, load_pairs(program, [pair])[0])
        assert found.scored == (scored, {"last"})


@pytest.mark.parametrize(
    ("side", "latent", "inside", "outside"),
    [
        # The route is drawn, and decides which branch has the answer.
        (without("route", "a"), ("route",), ("route", "a", "b"), ("notes", "last")),
        (
            without("route", "a", "notes"),
            ("notes", "route"),
            ("notes", "route", "a", "b"),
            ("last",),
        ),
        # The branch that ran has the answer.
        (without("a"), (), (), ("notes", "route", "a", "last")),
        # So has this one, and its prompt sees what is drawn.
        (
            {**without("a", "notes"), "route": "b"},
            ("notes",),
            ("notes", "b"),
            ("route", "last"),
        ),
    ],
    ids=["route and branch", "all but the end", "branch", "another branch, and what it sees"],
)
def test_what_a_pair_needs(
    side: dict[str, str],
    latent: tuple[str, ...],
    inside: tuple[str, ...],
    outside: tuple[str, ...],
) -> None:
    found = pair_plan(compiled(), side, side)
    assert found is not None
    assert (found.latent, found.inside) == (latent, inside)
    assert {*found.outside} - found.sides[0].never == {*outside}
    assert found.trains == bool(inside)


def test_what_is_missing_on_one_side_is_latent_on_both() -> None:
    one = pair_plan(compiled(), EVERYTHING, without("route", "a"))
    other = pair_plan(compiled(), without("route", "a"), EVERYTHING)
    assert one is not None
    assert other is not None
    assert one.latent == other.latent == ("route",)


def test_frozen_models_draw_once() -> None:
    drawn = pair_plan(compiled(), without("route", "a"), without("route", "a"))
    again = pair_plan(compiled(), without("route", "a", "notes"), EVERYTHING)
    assert drawn is not None
    assert again is not None
    assert (drawn.draws, again.draws) == ("once", "every draw")
    assert dict(again.layers) == {1: ("notes", "route")}
    assert drawn.policy["route"] == "once"  # a weight inside the sum
    assert drawn.reference["route"] == "never"
    assert (drawn.policy["a"], drawn.reference["a"]) == ("every step", "once")


def test_the_program_says_when_trajectories_are_drawn() -> None:
    once = "from frozen models given x, once per set of pairs;"
    step = "from the current policy given x, redrawn every step;"
    assert once in str(compiled(["answer", "last", "notes"]))
    assert step in str(compiled(["answer", "last"]))


def test_ways_through_selections_are_not_counted_one_by_one() -> None:
    """Of thirty selections of two each there are 2^30."""
    nodes = [f"{name}: {{kind: lm, model: m, prompt: '{{{{ x }}}}'}}" for name in ("s0", "t0")]
    edges = ["x -> s0, t0"]
    for n in range(30):
        nodes += [f"s{n + 1}: {{kind: select}}", f"t{n + 1}: {{kind: select}}"]
        edges += [f"s{n}, t{n} -> s{n + 1}, t{n + 1}"]
    listed = "".join(f"  {node}\n" for node in ["x: {kind: input}", *nodes])
    text = (
        "sysgraph: 1\nname: deep\nmodels: {m: {kind: table, values: [u, w]}}\n"
        f"nodes:\n{listed}edges: {edges}\noutputs: [s30, t30]\n"
    )
    facts = Facts(load(text), Observation(("s30", "t30")))
    program = Program(name="deep", models=facts.graph.models, variables=(), terms=(), outputs=())
    for _, run in PASSES:  # the checks say that no branch but the first is ever taken
        program = run(facts, program)
    assert {"s0", "t0"} <= {*program.objective.observed}


def test_pairs_of_one_pattern_share_one_plan() -> None:
    program = compiled()
    side = without("route", "a")
    first = pair_plan(program, side, side)
    assert pair_plan(program, {**side, "answer": "u"}, {**side, "last": "w"}) is first
    assert pair_plan(program, side, EVERYTHING) is not first


@pytest.mark.parametrize(
    "observed",
    [["answer", "last"], ["answer", "last", "notes"], ["last"], ["last", "notes"]],
    ids=",".join,
)
def test_the_compiler_prints_the_plan_that_pairs_are_trained_by(observed: list[str]) -> None:
    """Its own of what `fit.observed` says, with a route that data does not hold."""
    program = compiled(observed)
    side = {name: value for name, value in EVERYTHING.items() if name in observed}
    found = pair_plan(program, side, side)
    printed = implied(program, frozenset(observed))
    assert program.objective.latent == printed.latent
    assert [t.variable for t in program.terms if t.summed] == [*printed.inside]
    if found is None:
        assert printed.latent == ()
    else:
        assert (found.latent, found.inside, found.draws) == (
            printed.latent,
            printed.inside,
            program.objective.draws,
        )


def test_a_prompt_that_sees_an_unobserved_selection_is_inside() -> None:
    """`inner` is no branch with a known value to what reads it beside the observed selection."""
    text = ROUTED.replace("[a, b]", "[a, b, c]").replace("{{ answer }}", "{{ answer }}{{ inner }}")
    third = 'c: {kind: lm, model: m, prompt: "{{ x }}", when: {route: c}}'
    text = text.replace("  answer: {", f"  {third}\n  inner: {{kind: select}}\n  answer: {{")
    ends = '"x, route -> c", "a, b -> inner", "inner, c -> answer", "answer, inner -> last"'
    text = text.replace('"a, b -> answer", "answer -> last"', ends)
    observed = ("notes", "route", "answer", "last")
    program = sysgraph_compiler.compile(load(text), Observation(observed))
    assert program.term("last").summed
    assert {"a", "b"} <= {*program.objective.latent}


def test_a_plan_asks_for_no_values() -> None:
    """A pattern written by hand: names alone."""
    program = compiled()
    seen = Seen(frozenset({"answer", "last", "notes"}))
    pattern = Pattern((seen, seen))
    missing = lack(program, pattern)
    assert missing.missing == {"route", "a", "b"}
    found = plan(program, pattern, Given(frozenset(), (seen, seen)))
    assert (found.latent, found.branches) == (("route",), {"a", "b"})
