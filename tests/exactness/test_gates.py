"""Choices, gates, selections, lists, loops and tools: log p, existence, samples and gradients.

Against an enumeration that knows nothing of sysgraph (`gated.py`).
"""

from collections import Counter
from functools import lru_cache

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

import sysgraph
from sysgraph import Completion, Fit, System
from sysgraph.objectives import direct_loss, log_ratios
from sysgraph.traces.course import complete

from .gated import World
from .gated_oracle import Outcome
from .looped_builder import Looping

LOOPS = (2, 7, 8, 10, 13, 16, 18)  # of the random systems with loops that end by themselves
SEEDS = (*range(16), *(f"loop {seed}" for seed in LOOPS))
FEW = (*range(4), "loop 2", "loop 7")
ROUNDING = 2e-6  # float32 log-probs, a handful of terms
DRAWS = 3000
BETA = 0.7


@lru_cache
def world(seed: int | str) -> World:
    return World(seed) if isinstance(seed, int) else World(int(seed.split()[1]), Looping)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_trace_has_its_product_and_all_sum_to_one(seed: int | str) -> None:
    system = System(world(seed).program(), device="cpu")
    outcomes = world(seed).outcomes
    traces = [world(seed).trace(system.program, outcome.texts) for outcome in outcomes]
    terms = system.log_prob(traces)
    found = torch.stack(list(terms.values())).double().sum(0).exp().detach().numpy()
    expected = np.array([world(seed).probability(outcome) for outcome in outcomes])
    np.testing.assert_allclose(found, expected, rtol=ROUNDING * len(terms))
    assert found.sum() == pytest.approx(1, abs=ROUNDING * len(terms))


@pytest.mark.parametrize("seed", SEEDS)
def test_what_comes_to_be(seed: int | str) -> None:
    program = world(seed).program()
    for outcome in world(seed).outcomes:
        trace = complete(program, world(seed).trace(program, outcome.texts))
        assert trace.nonexistent == outcome.absent.keys()
        assert trace.rejected == {n for n, why in outcome.absent.items() if why == "rejected"}
        values = {name: trace[name] for name in outcome.values}
        expected = {n: tuple(v) if isinstance(v, list) else v for n, v in outcome.values.items()}
        assert values == expected
        outputs = [outcome.absent.get(name) for name in program.outputs]
        assert trace.failed == ("rejected" in outputs or all(outputs))


def test_the_random_systems_have_everything() -> None:
    """What the tests here range over: a change that drops a feature from them is noticed."""
    found = set().union(*(world(seed).features for seed in SEEDS))
    assert found == {
        "second choice",
        "rejected branch",
        "gated group",
        "elements",
        "tool",
        "loop",
        "until",
        "gate in the loop",
        "rejected turn",
        "output in the loop",
        "copies that see the others",
        "history",
        "history after the loop",
        "over",
        "fold",
    }
    outcomes = [outcome for seed in SEEDS for outcome in world(seed).outcomes]
    pairs = Counter((n.partition("[")[0], why) for o in outcomes for n, why in o.absent.items())
    for node in ("pick", "end", "e", "d"):
        assert pairs[node, "skipped"], node
    for node in ("pick", "end", "e"):
        assert pairs[node, "rejected"], node
    lengths = [len(world(seed).outcomes) for seed in SEEDS]
    assert max(lengths) < 400


@pytest.mark.parametrize("seed", FEW)
def test_samples_have_the_declared_probabilities(seed: int | str) -> None:
    expected = Counter[tuple[tuple[str, str], ...]]()
    for outcome in world(seed).outcomes:
        expected[key(outcome)] += world(seed).probability(outcome)
    system = System(world(seed).program(), device="cpu")
    traces = system.sample({"question": "q"}, n=DRAWS, seed=7)
    drawn = Counter(
        tuple(sorted((n, v.text) for n, v in t.values.items() if isinstance(v, Completion)))
        for t in traces
    )
    assert drawn.keys() <= expected.keys()
    often = [o for o, p in expected.items() if p * DRAWS >= 5]
    observed = [drawn[o] for o in often]
    wanted = [expected[o] * DRAWS for o in often]
    if sum(wanted) < DRAWS - 5:  # the rare ones are pooled
        observed.append(DRAWS - sum(observed))
        wanted.append(DRAWS - sum(wanted))
    scaled = np.array(wanted) * sum(observed) / sum(wanted)
    assert chisquare(observed, scaled).pvalue > 1e-3
    # The test has the power to fail: with the outcomes' probabilities exchanged, it does.
    assert chisquare(observed, np.roll(scaled, 1)).pvalue < 1e-6


def key(outcome: Outcome) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(outcome.texts.items()))


@pytest.mark.parametrize("seed", SEEDS)
def test_samples_are_complete(seed: int | str) -> None:
    """What sampling finds of a trace is what `complete` derives from its texts."""
    system = System(world(seed).program(), device="cpu")
    for trace in system.sample({"question": "q"}, n=20, seed=7):
        texts = {n: v.text for n, v in trace.values.items() if isinstance(v, Completion)}
        assert complete(system.program, world(seed).trace(system.program, texts)) == trace


@pytest.mark.parametrize("seed", FEW)
def test_gradient_of_direct(seed: int | str) -> None:
    """Of the mean loss over random pairs, from a policy that is not the reference."""
    w = world(seed)
    system = System(w.program(), device="cpu")
    generator = torch.Generator().manual_seed(7)
    logits = {}
    for model in system.trained():
        parameter = system.parameters(model)["logits"]
        with torch.no_grad():
            parameter.add_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
        logits[model] = parameter.detach().clone().requires_grad_(True)
    before = {m: torch.tensor(list(rows.values())).double().log() for m, rows in w.rows.items()}
    index = torch.randint(len(w.outcomes), (2, 64), generator=generator)

    def log_p(tables: dict[str, torch.Tensor]) -> torch.Tensor:
        return torch.stack([_log_p(w, outcome, tables) for outcome in w.outcomes])

    ratios = (log_p(logits) - log_p(before))[index]  # (2, 64)
    loss = -torch.nn.functional.logsigmoid(BETA * (ratios[0] - ratios[1])).mean()
    expected = torch.autograd.grad(loss, list(logits.values()), allow_unused=True)

    traces = [w.trace(system.program, outcome.texts) for outcome in w.outcomes]
    policy = torch.stack(list(system.log_prob(traces).values()), -1)[index]  # (2, 64, T)
    reference = torch.stack(list(system.log_prob(traces, reference=True).values()), -1)[index]
    compared = torch.ones(policy.shape[1:], dtype=torch.bool)
    found = log_ratios(policy, reference, compared)
    ours = direct_loss(found, torch.ones_like(found), Fit(beta=BETA)).mean()
    ours.backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(ours.double(), loss, rtol=1e-5, atol=1e-6)
    for model, gradient in zip(logits, expected, strict=True):
        assert gradient is not None
        assert gradient.abs().max() > 1e-4
        torch.testing.assert_close(
            system.parameters(model)["logits"].grad, gradient, rtol=1e-4, atol=1e-6
        )


def _log_p(w: World, outcome: Outcome, tables: dict[str, torch.Tensor]) -> torch.Tensor:
    total = torch.zeros((), dtype=torch.float64)
    for factor in outcome.factors:
        row = tables[factor.model][list(w.rows[factor.model]).index(factor.context)]
        p = row.exp()
        among = [w.values[factor.model].index(v) for v in factor.options] or slice(None)
        total = total + (p[w.values[factor.model].index(factor.value)] / p[among].sum()).log()
    return total


def test_a_choice_that_agrees_has_one_request_for_both_sides() -> None:
    program = world(0).program()
    a, b = (world(0).trace(program, o.texts) for o in world(0).outcomes[:2])
    assert sysgraph.System(program, device="cpu").log_prob([a, b])["route"].unique().numel() == 1
