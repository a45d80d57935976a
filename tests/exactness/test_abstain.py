"""`on_failure: abstain`: the factors and sums of `reject`, and no loser by rule."""

import json
from functools import lru_cache

import pytest
import torch

import sysgraph
from sysgraph import Completion, Program, System, Trace
from sysgraph.traces.course import complete
from sysgraph.traces.pair import Pair

from .gated import World
from .test_sampling_gates import BETA, assert_is_the_marginal, moved, shown

SEEDS = (1, 5, 6, 7)


@lru_cache
def world(seed: int) -> World:
    w = World(seed)
    for parser in w.spec["parsers"].values():
        parser["on_failure"] = "abstain"
    return w


@pytest.mark.parametrize("seed", SEEDS)
def test_what_comes_to_be(seed: int) -> None:
    program = world(seed).program()
    abstaining = 0
    for outcome in world(seed).outcomes:
        trace = complete(program, world(seed).trace(program, outcome.texts))
        hanging = {n for n, why in outcome.absent.items() if why == "rejected"}
        assert trace.nonexistent == outcome.absent.keys()
        assert trace.abstained == trace.rejected == hanging
        assert trace.abstains == (not hanging.isdisjoint(program.outputs))
        every = all(name in outcome.absent for name in program.outputs)
        assert trace.failed == (every and not trace.abstains)
        abstaining += trace.abstains
    assert abstaining


@pytest.mark.parametrize("seed", SEEDS)
def test_all_traces_sum_to_one(seed: int) -> None:
    system = System(world(seed).program(), device="cpu")
    traces = [world(seed).trace(system.program, o.texts) for o in world(seed).outcomes]
    terms = torch.stack(list(system.log_prob(traces).values())).detach().double()
    total = terms.sum(0).exp().sum()
    assert float(total) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("held", [["pick", "end"], ["route", "end"]], ids=lambda h: "+".join(h))
@pytest.mark.parametrize("seed", SEEDS)
def test_an_output_that_abstained_sums_over_what_led_to_it(seed: int, held: list[str]) -> None:
    w = world(seed)
    compiled = w.program()
    names = [v.name for v in compiled.variables if v.node in held]
    fit = compiled.fit.model_copy(update={"beta": BETA, "observed": held})
    program = compiled.model_copy(update={"fit": fit, "outputs": ("end",)})
    abstaining = [o for o in w.outcomes if o.absent.get("end") == "rejected"]
    others = [o for o in w.outcomes if "end" in o.values]
    for one, other in ((abstaining[0], others[0]), (others[-1], abstaining[-1])):
        traces = [complete(program, w.trace(program, o.texts)) for o in (one, other)]
        sides = [
            [o for o in w.outcomes if shown(o, names) == shown(side, names)]
            for side in (one, other)
        ]
        assert_is_the_marginal(w, moved(program, seed), Pair(*traces, "row"), sides)


def mixed(first: str, second: str) -> Program:
    """Two texts, each read by a parser of its own policy, and a tool that counts votes of both."""
    table = {"kind": "table", "values": ["ok u", "junk"]}
    parser = {"kind": "regex", "pattern": "ok (.+)"}
    spec = {
        "sysgraph": 1,
        "name": "mixed",
        "models": {"m": table},
        "parsers": {"a": {**parser, "on_failure": first}, "b": {**parser, "on_failure": second}},
        "nodes": {
            "x": {"kind": "input"},
            "s": {"kind": "lm", "model": "m", "prompt": "{{ x }}"},
            "t": {"kind": "lm", "model": "m", "prompt": "{{ x }}"},
            "p": {"kind": "parse", "parser": "a"},
            "q": {"kind": "parse", "parser": "b"},
            "end": {"kind": "lm", "model": "m", "prompt": "{{ p }}{{ q }}"},
            "first": {"kind": "select"},
        },
        "edges": ["x -> s, t", "s -> p", "t -> q", "p, q -> end", "p, q -> first"],
        "outputs": ["end", "first"],
    }
    return sysgraph.compile(sysgraph.load(json.dumps(spec)))


@pytest.mark.parametrize(
    ("first", "second", "texts", "abstained", "failed"),
    [
        ("abstain", "abstain", ("junk", "junk"), {"p", "q", "end", "first"}, False),
        ("abstain", "abstain", ("junk", "ok u"), {"p", "end"}, False),
        ("abstain", "reject", ("junk", "junk"), {"p"}, True),
        ("abstain", "reject", ("ok u", "junk"), set(), True),
        ("abstain", "reject", ("junk", "ok u"), {"p", "end"}, False),
        ("reject", "reject", ("junk", "junk"), set(), True),
    ],
)
def test_what_was_rejected_too_is_rejected(
    first: str, second: str, texts: tuple[str, str], abstained: set[str], failed: bool
) -> None:
    program = mixed(first, second)
    values = dict(zip(("s", "t"), map(Completion, texts), strict=True))
    trace = complete(program, Trace({"x": "x"}, values, program.outputs))
    assert trace.abstained == abstained
    assert trace.failed is failed
    assert trace.abstains is ("end" in abstained)
