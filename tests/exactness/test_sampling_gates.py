"""Sampling where choices, selections, lists and loops are latent, against enumeration in float64.

With every trajectory given, a step is one on log p(what data holds | x): `gated.py` sums that over
all outcomes that agree with it, and knows nothing of sysgraph.
"""

import itertools
import json
import random
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

import sysgraph
from sysgraph import Completion, System, Trace
from sysgraph.latent import Gaps, Trajectory
from sysgraph.support.progress import Reporter
from sysgraph.traces.course import complete
from sysgraph.traces.pair import Pair
from sysgraph.training.lessons import untaught
from sysgraph.training.objective import Objective
from sysgraph.training.pairs import tabulate
from sysgraph.training.reference_cache import ReferenceCache
from sysgraph.training.workers import Workers

from .gated import World
from .gated_oracle import Outcome
from .test_gates import _log_p, world

BETA = 0.7
SEEDS = (*range(7), "loop 10", "loop 8", "loop 16")
HELD = [["pick"], ["pick", "end"], ["route", "end"], ["pick", "items"], ["pick", "crit"]]
OF_LOOPS = [["end"], ["mode", "end"], ["p[last]"], ["mode", "p[last]"]]


def moved(program: sysgraph.Program, seed: int) -> System:
    """A system whose policy has left the reference."""
    system = System(program, device="cpu")
    generator = torch.Generator().manual_seed(seed)
    for model in system.trained():
        logits = system.parameters(model)["logits"]
        with torch.no_grad():
            logits.add_(torch.randn(logits.shape, generator=generator, dtype=torch.float64))
    return system


def objective(system: System, pair: Pair) -> Objective:
    made = Objective(
        system,
        Workers("no"),
        tabulate(system, [pair]),
        seed=0,
        remembered=ReferenceCache(system),
        reporter=Reporter(shown=False),
    )
    made.prepare([0], "")
    return made


def shown(outcome: Outcome, names: Sequence[str]) -> tuple[Any, ...]:
    """What data holds of an outcome; None for what did not come to be."""
    values = [outcome.values.get(name) for name in names]
    return tuple(tuple(v) if isinstance(v, list) else v for v in values)


def every(outcomes: Sequence[Outcome], gaps: Gaps) -> tuple[Trajectory, ...]:
    """All latent values there are, with and without the branches that may have been taken."""
    found = {}
    for outcome in outcomes:
        texts = {name: outcome.texts[name] for name in gaps.plan.latent if name in outcome.texts}
        branches = [name for name in texts if name in gaps.plan.branches]
        for size in range(len(branches) + 1):
            for left_out in itertools.combinations(branches, size):
                values = {n: Completion(t) for n, t in texts.items() if n not in left_out}
                found[frozenset(values.items())] = Trajectory(values)
    return tuple(found.values())


def assert_is_the_marginal(
    w: World,
    system: System,
    pair: Pair,
    sides: Sequence[Any],
    drawn: Sequence[Trajectory] | None = None,
) -> None:
    """Loss and gradients of one pair; `sides` are lists of outcomes that agree with its sides.

    Args:
        drawn: the trajectories; absent: all there are.
    """
    made = objective(system, pair)
    gaps = made.table.gaps[0]
    if gaps is not None:
        made._drawn[0] = tuple(drawn or every(w.outcomes, gaps))
    losses, _ = made.losses([0])
    after = {m: system.parameters(m)["logits"] for m in system.trained()}
    leaves = {m: t.detach().clone().requires_grad_(True) for m, t in after.items()}
    before = {m: torch.tensor(list(rows.values())).double().log() for m, rows in w.rows.items()}

    def log_p(tables: Mapping[str, Tensor], side: Sequence[Outcome]) -> Tensor:
        return torch.stack([_log_p(w, o, dict(tables)) for o in side]).logsumexp(0)

    one, two = (log_p(leaves, side) - log_p(before, side) for side in sides)
    loss = -torch.nn.functional.logsigmoid(BETA * (one - two))
    torch.testing.assert_close(losses.sum().double(), loss.detach(), rtol=1e-5, atol=2e-6)
    if not losses.requires_grad:  # nothing but what the sides share: the pair says nothing
        assert loss.item() == pytest.approx(0.693147, abs=1e-5)
        return
    kinds = {"allow_unused": True, "materialize_grads": True}
    found = torch.autograd.grad(losses.sum(), list(after.values()), **kinds)  # type: ignore[arg-type]
    wanted = torch.autograd.grad(loss, list(leaves.values()), **kinds)  # type: ignore[arg-type]
    for model, slope, oracle in zip(after, found, wanted, strict=True):
        torch.testing.assert_close(slope, oracle, rtol=1e-4, atol=4e-6, msg=model)


@pytest.mark.parametrize("whole", [True, False], ids=["fit.observed", "rows without the rest"])
@pytest.mark.parametrize("seed", SEEDS)
def test_every_trajectory_sums_to_the_marginal(seed: int | str, whole: bool) -> None:
    w, rng = world(seed), random.Random(seed)
    compiled = w.program()
    tried = informative = 0
    for held in HELD if isinstance(seed, int) else OF_LOOPS:
        names = [v.name for v in compiled.variables if v.node in held]
        if not names or {v.node for v in compiled.variables} < {*held}:
            continue
        fit = compiled.fit.model_copy(update={"beta": BETA, "observed": held if whole else None})
        outputs = tuple(n for n in compiled.outputs if n in names) or (names[-1],)
        program = compiled.model_copy(update={"fit": fit, "outputs": outputs})
        able = [o for o in w.outcomes if whole or None not in shown(o, names)]
        if len(able) < 2:
            continue
        chosen, rejected = rng.sample(able, 2)
        if not isinstance(seed, int):  # of what loops give, most outcomes are alike
            others = [o for o in able if shown(o, names) != shown(chosen, names)]
            rejected = rng.choice(others or able)
        traces = [complete(program, w.trace(program, o.texts)) for o in (chosen, rejected)]
        if not whole:
            kept = [{n: v for n, v in t.values.items() if n in names} for t in traces]
            bare = (Trace(t.inputs, k, t.outputs) for t, k in zip(traces, kept, strict=True))
            traces = [complete(program, trace) for trace in bare]
        patterns = [shown(outcome, names) for outcome in (chosen, rejected)]
        sides = [[o for o in w.outcomes if shown(o, names) == p] for p in patterns]
        assert_is_the_marginal(w, moved(program, 7), Pair(*traces, "row"), sides)
        tried += 1
        informative += patterns[0] != patterns[1]
    assert tried >= 2
    assert informative


def refining(**fit: Any) -> dict[str, Any]:
    """A draft, a verdict on it, and where that is bad another one: the last that ran counts."""
    rows = {"d": ["x"], "v": ["u", "w"], "r": ["u", "w"]}
    probs = {"d": [[0.7, 0.3]], "v": [[0.6, 0.4], [0.1, 0.9]], "r": [[0.2, 0.8], [0.5, 0.5]]}
    values = {"d": ["u", "w"], "v": ["good", "bad"], "r": ["u", "w"]}
    return {
        "sysgraph": 1,
        "name": "refine",
        "models": {
            n: {"kind": "table", "values": values[n], "contexts": rows[n], "probs": probs[n]}
            for n in "dvr"
        },
        "nodes": {
            "x": {"kind": "input"},
            "draft": {"kind": "lm", "model": "d", "prompt": "{{ x }}"},
            "verdict": {
                "kind": "choice",
                "model": "v",
                "prompt": "{{ draft }}",
                "options": ["good", "bad"],
            },
            "better": {
                "kind": "lm",
                "model": "r",
                "prompt": "{{ draft }}",
                "when": {"verdict": "bad"},
            },
            "answer": {"kind": "select"},
        },
        "edges": [
            "x -> draft",
            "draft -> verdict",
            "draft, verdict -> better",
            "better, draft -> answer",
        ],
        "outputs": ["answer"],
        "fit": fit,
    }


def refined(answer: str) -> float:
    """P(answer | x) of `refining`, by hand."""
    d, v, r = {"u": 0.7, "w": 0.3}, {"u": 0.6, "w": 0.1}, {"u": (0.2, 0.8), "w": (0.5, 0.5)}
    kept = d[answer] * v[answer]
    return kept + sum(d[t] * (1 - v[t]) * r[t]["uw".index(answer)] for t in "uw")


def by_answer(spec: Mapping[str, Any], chosen: str, rejected: str) -> tuple[System, Pair]:
    system = System(sysgraph.compile(sysgraph.load(json.dumps(spec))), device="cpu")
    sides = [Trace({"x": "x"}, {"answer": text}, ("answer",)) for text in (chosen, rejected)]
    return system, Pair(*sides, "row")


@pytest.mark.parametrize("sampler", ["beam", "diverse_beam", "ancestral"])
def test_a_branch_that_others_read_before_it_is_known_to_be_taken(sampler: str) -> None:
    """Whether the draft is the answer hangs on a verdict that reads it."""
    spec = refining(sampling={"sampler": sampler, "k": 64})
    system, pair = by_answer(spec, "u", "w")
    made = objective(system, pair)
    made.draw([0])
    means = made.losses([0])[1].means()
    for side, answer in (("chosen", "u"), ("rejected", "w")):
        assert means[f"logps/{side}"] == pytest.approx(
            torch.tensor(refined(answer)).log().item(), abs=1e-5
        )


def test_importance_of_what_is_tossed_for() -> None:
    settings = {"sampler": "ancestral", "estimator": "importance", "k": 1024}
    system, pair = by_answer(refining(sampling=settings), "u", "w")
    made = objective(system, pair)
    made.draw([0])
    means = made.losses([0])[1].means()
    assert means["logps/chosen"] == pytest.approx(torch.tensor(refined("u")).log().item(), abs=0.08)


def routed(**fit: Any) -> dict[str, Any]:
    """Three specialists behind a router; one selection of two of them inside another."""
    said = {"a": [0.5, 0.5], "b": [0.9, 0.1], "c": [0.2, 0.8]}
    models: dict[str, Any] = {
        n: {"kind": "table", "values": ["u", "w"], "probs": [p]} for n, p in said.items()
    }
    models["r"] = {"kind": "table", "values": ["a", "b", "c"], "probs": [[0.2, 0.3, 0.5]]}
    nodes: dict[str, Any] = {
        n: {"kind": "lm", "model": n, "prompt": "{{ x }}", "when": {"route": n}} for n in "abc"
    }
    route = {"kind": "choice", "model": "r", "prompt": "{{ x }}", "options": ["a", "b", "c"]}
    nodes |= {"x": {"kind": "input"}, "route": route}
    nodes |= {"inner": {"kind": "select"}, "answer": {"kind": "select"}}
    return {
        "sysgraph": 1,
        "name": "routed",
        "models": models,
        "nodes": nodes,
        "edges": ["x -> route", "x, route -> a, b, c", "a, b -> inner", "inner, c -> answer"],
        "outputs": ["answer"],
        "fit": fit,
    }


def test_a_router_learns_from_answers_alone() -> None:
    """With as many trajectories as routes the sum is exact, through selections of selections."""
    system, pair = by_answer(routed(sampling={"k": 3}, observed=["answer"]), "u", "w")
    made = objective(system, pair)
    made.draw([0])
    (gaps,) = made.table.gaps
    assert gaps is not None
    assert gaps.plan.latent == system.program.objective.latent == ("route",)
    assert [{n: v.text for n, v in t.values.items()} for t in made._drawn[0]] == [
        {"route": route} for route in "cba"
    ]
    losses, totals = made.losses([0])
    means = totals.means()
    p = torch.tensor([0.2 * 0.5 + 0.3 * 0.9 + 0.5 * 0.2, 0.2 * 0.5 + 0.3 * 0.1 + 0.5 * 0.8])
    assert means["logps/chosen"] == pytest.approx(p[0].log().item())
    assert means["logps/rejected"] == pytest.approx(p[1].log().item())
    assert means["sampling/covered_mass"] == pytest.approx(1)
    assert untaught(made.table, system.program) == []
    losses.sum().backward()  # type: ignore[no-untyped-call]
    assert all(system.parameters(m)["logits"].grad.any() for m in "abcr")  # type: ignore[union-attr]


def test_a_known_route_leaves_nothing_to_sum() -> None:
    """The branch has the answer: Direct on the trace that says so."""
    system, pair = by_answer(routed(), "u", "w")
    for trace in (pair.chosen, pair.rejected):
        trace.values["route"] = Completion("b")  # type: ignore[index]
    table = tabulate(system, [pair])
    assert table.gaps == (None,)
    assert [r.completion.text for r in table.requests] == ["u", "w"]


def test_what_a_specialist_cannot_say_has_no_mass() -> None:
    spec = routed(sampling={"k": 3})
    spec["models"]["c"] = {"kind": "table", "values": ["w"]}
    system, pair = by_answer(spec, "u", "w")
    made = objective(system, pair)
    made.draw([0])
    means = made.losses([0])[1].means()
    assert means["logps/chosen"] == pytest.approx(torch.tensor(0.1 + 0.27).log().item())
    assert means["logps/rejected"] == pytest.approx(torch.tensor(0.1 + 0.03 + 0.5).log().item())
