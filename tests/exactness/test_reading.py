"""Choices and records that are read from texts: log p, existence, samples, Direct and Sampling.

Against an enumeration that knows nothing of sysgraph: what a text means is a table there.
"""

import math
import random
from collections import Counter
from functools import lru_cache

import pytest
import torch

from sysgraph import Completion, System, Trace
from sysgraph.traces.course import complete
from sysgraph.traces.pair import Pair
from sysgraph.traces.record import Record

from .gated import World
from .read_builder import Reading
from .test_sampling_gates import BETA, assert_is_the_marginal, moved, objective, shown

SEEDS = range(6)
HELD = [["final"], ["ask", "final"], ["call", "check", "final"], ["verdict", "final"]]
TEXTS = ["ask", "hits", "sum", "check", "kept", "redone", "e"]


@lru_cache
def world(seed: int) -> World:
    return World(seed, Reading)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_trace_has_its_product_and_what_comes_to_be(seed: int) -> None:
    w = world(seed)
    system = System(w.program(), device="cpu")
    traces = [w.trace(system.program, outcome.texts) for outcome in w.outcomes]
    terms = torch.stack(list(system.log_prob(traces).values())).detach().double()
    found, wanted = terms.sum(0).exp(), [w.probability(outcome) for outcome in w.outcomes]
    torch.testing.assert_close(found, torch.tensor(wanted).double(), rtol=2e-5, atol=0)
    assert float(found.sum()) == pytest.approx(1, abs=2e-5)
    abstaining = {n for n, p in w.spec["parsers"].items() if p["on_failure"] == "abstain"}
    for trace, outcome in zip(traces, w.outcomes, strict=True):
        done = complete(system.program, trace)
        assert {n: plain(done, n) for n in done.values} == {
            n: v for n, v in outcome.values.items() if n != "question"
        }
        rejected = {n for n, why in outcome.absent.items() if why == "rejected"}
        assert done.nonexistent == outcome.absent.keys()
        assert done.rejected == rejected
        assert done.abstained == (rejected if failing(outcome.absent) in abstaining else set())
        assert done.failed == (bool(rejected & {*done.outputs}) and not done.abstained)


def plain(trace: Trace, name: str) -> object:
    value = trace.values[name]
    if isinstance(value, Record):
        return value.plain()
    return list(value) if isinstance(value, tuple) else trace[name]


def failing(absent: dict[str, str]) -> str:
    """The parser that failed: the verdict of a call that did not is never asked for."""
    return "call" if absent.get("call") else "verdict"


def test_the_random_systems_have_everything() -> None:
    found = Counter(feature for seed in SEEDS for feature in world(seed).features)
    assert found.keys() == {"reject", "abstain", "default", "elements of a field"}
    outcomes = [outcome for seed in SEEDS for outcome in world(seed).outcomes]
    assert {"rejected", "skipped"} == {o.absent["kept"] for o in outcomes if "kept" in o.absent}
    assert any("e[1]" in o.values and "e[2]" in o.absent for o in outcomes)
    assert max(len(world(seed).outcomes) for seed in SEEDS) < 500


def test_samples_are_complete_and_as_likely_as_declared() -> None:
    seed, draws = 1, 800
    w = world(seed)
    system = System(w.program(), device="cpu")
    expected = Counter[str]()
    for outcome in w.outcomes:
        expected[str(outcome.values.get("final"))] += draws * w.probability(outcome)
    traces = system.sample({"question": "q"}, n=draws, seed=seed)
    drawn = Counter(str(t.values.get("final")) for t in traces)
    for value, count in expected.items():
        assert abs(drawn[value] - count) < 5 * count**0.5 + 1
    for trace in traces[:20]:
        texts = {n: v.text for n, v in trace.values.items() if isinstance(v, Completion)}
        assert complete(system.program, w.trace(system.program, texts)) == trace


@pytest.mark.parametrize("sampler", ["beam", "ancestral"])
def test_what_is_drawn_covers_all_that_texts_decide(sampler: str) -> None:
    """With more trajectories than there are texts, the sum over draws is the marginal."""
    w = world(3)
    compiled = w.program()
    sampling = compiled.fit.sampling.model_copy(update={"sampler": sampler, "k": 512})
    update = {"beta": BETA, "observed": ["final"], "sampling": sampling}
    fit = compiled.fit.model_copy(update=update)
    program = compiled.model_copy(update={"fit": fit, "outputs": ("final",)})
    values = sorted({o.values["final"] for o in w.outcomes if "final" in o.values})[:2]
    traces = [Trace({"question": "q"}, {"final": value}, ("final",)) for value in values]
    made = objective(System(program, device="cpu"), Pair(*traces, "row"))
    made.draw([0])
    means = made.losses([0])[1].means()
    for side, value in zip(("chosen", "rejected"), values, strict=True):
        p = sum(w.probability(o) for o in w.outcomes if o.values.get("final") == value)
        assert means[f"logps/{side}"] == pytest.approx(math.log(p), abs=1e-5)


@pytest.mark.parametrize("whole", [True, False], ids=["fit.observed", "rows without the rest"])
@pytest.mark.parametrize("seed", SEEDS)
def test_loss_and_gradients_are_those_of_the_marginal(seed: int, whole: bool) -> None:
    """With every text observed that is Direct; else what is read is all that data holds of some."""
    w, rng = world(seed), random.Random(seed)
    compiled = w.program()
    informative = 0
    for held in [TEXTS, *HELD]:
        names = [v.name for v in compiled.variables if v.node in held]
        observed = [name for name in held if name in w.spec["nodes"]]
        fit = compiled.fit.model_copy(
            update={"beta": BETA, "observed": observed if whole else None}
        )
        outputs = tuple(n for n in compiled.outputs if n in names)
        program = compiled.model_copy(update={"fit": fit, "outputs": outputs or ("kept", "redone")})
        able = [o for o in w.outcomes if whole or "final" in o.values]
        chosen, rejected = rng.sample(able, 2)
        traces = [complete(program, w.trace(program, o.texts)) for o in (chosen, rejected)]
        if not whole:
            kept = [{n: v for n, v in t.values.items() if n in names} for t in traces]
            bare = (Trace(t.inputs, k, t.outputs) for t, k in zip(traces, kept, strict=True))
            traces = [complete(program, trace) for trace in bare]
        patterns = [shown(outcome, names) for outcome in (chosen, rejected)]
        sides = [[o for o in w.outcomes if shown(o, names) == p] for p in patterns]
        assert_is_the_marginal(w, moved(program, seed), Pair(*traces, "row"), sides)
        informative += patterns[0] != patterns[1]
    assert informative >= 3
